"""Retrieval metrics against hand-made ranks, scikit-learn and a brute-force reference."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from understudy.tasks import ranking
from understudy.tasks.ranking import mean_ap_of_rows, rank, rank_scores, retrieval_metrics


def brute(scores, relevant, cut=None, divisor="hits_in_k"):
    """The card's definition, item by item."""
    found = []
    for row, wanted in zip(scores, relevant, strict=True):
        hits, total = 0, 0.0
        order = np.argsort(-row, kind="stable")
        for place, item in enumerate(order[:cut], start=1):
            if wanted[item]:
                hits += 1
                total += hits / place
        least = {"hits_in_k": hits, "min_R_k": min(wanted.sum(), cut or len(row))}[divisor]
        found.append(np.nan if not wanted.any() else total / max(1, least))
    return np.array(found)


def ranked(relevant):
    """AP of one query whose gallery has this relevance, best first."""
    relevant = np.array([relevant], dtype=bool)
    return rank_scores(-np.arange(relevant.shape[1], dtype=np.float32)[None], relevant)[0][0]


@pytest.fixture
def pair():
    r = np.random.default_rng(0)
    classes, centres = r.integers(0, 10, 500), r.standard_normal((10, 64))
    a, b = (0.3 * centres[classes] + r.standard_normal((500, 64)) for _ in range(2))
    return a.astype(np.float32), b.astype(np.float32), classes


@pytest.mark.parametrize(
    ("relevant", "expected"),
    [([1, 0, 1], 5 / 6), ([0, 1, 1], 7 / 12), ([1, 0, 0, 1], 0.75), ([1, 1, 1], 1.0), ([0, 0, 1], 1 / 3)],
)
def test_hand_made_ranks(relevant, expected):
    assert ranked(relevant) == pytest.approx(expected, abs=1e-15)


def test_equals_brute_force_and_sklearn_from_the_same_scores(pair):
    a, b, classes = pair
    scores, relevant = (a @ b.T).astype(np.float32), classes[:, None] == classes
    ap, first, ties = rank_scores(scores, relevant)
    assert np.abs(ap - brute(scores, relevant)).max() < 1e-12
    if not ties:
        assert np.abs(ap - [average_precision_score(y, s) for y, s in zip(relevant, scores, strict=True)]).max() < 1e-12
    best = [np.flatnonzero(relevant[i][np.argsort(-scores[i], kind="stable")])[0] + 1 for i in range(500)]
    assert first.tolist() == best


def test_ties_keep_the_order_of_the_gallery_and_zeros_of_both_signs_tie():
    r = np.random.default_rng(1)
    scores = r.choice(np.array([-1, -0.5, -0.0, 0.0, 0.5, 1], dtype=np.float32), (50, 200))
    relevant = r.random((50, 200)) < 0.2
    ap, _, ties = rank_scores(scores, relevant)
    assert np.abs(ap - brute(scores, relevant)).max() < 1e-12
    assert ties == sum(200 - len(np.unique(row)) for row in scores)


@pytest.mark.parametrize("divisor", ["hits_in_k", "min_R_k"])
@pytest.mark.parametrize("cut", [1, 7, 200, 1000])
def test_map_at_n(pair, cut, divisor):
    a, b, classes = (x[:200] for x in pair)
    scores = (a @ b.T).astype(np.float32)
    relevant = classes[:, None] == classes
    relevant[3] = False
    ap, _, _ = rank_scores(scores, relevant, cut=cut, ap_divisor=divisor)
    np.testing.assert_allclose(ap, brute(scores, relevant, cut, divisor), atol=1e-12)
    if cut >= 200:
        np.testing.assert_allclose(ap, rank_scores(scores, relevant)[0], atol=0)


def test_chunks_threads_scale_and_order_of_the_gallery_change_nothing(pair, monkeypatch):
    a, b, classes = pair
    whole = rank(a, b, classes, classes, threads=1)
    r = np.random.default_rng(2)
    order = r.permutation(500)
    shuffled = rank(a * r.uniform(0.1, 9, (500, 1)), b[order], classes, classes[order])
    monkeypatch.setattr(ranking, "AT_ONCE", 3000)
    monkeypatch.setattr(ranking, "SORTED_AT_ONCE", 900)
    pieces = rank(a, b, classes, classes, threads=2)
    np.testing.assert_allclose(pieces.ap, whole.ap, atol=1e-9)
    np.testing.assert_allclose(shuffled.ap, whole.ap, atol=1e-6)
    assert whole.recall(1) <= whole.recall(5) <= whole.recall(500) == 1.0
    assert whole.mean_rank >= 1


def test_perfect_and_random_features():
    classes = np.arange(1000) % 10
    perfect = np.eye(10)[classes]
    with pytest.warns(UserWarning, match="keep the gallery's order"):
        found = rank(perfect, perfect, classes, classes)
    assert found.mean_ap == 1
    assert found.mean_rank == 1
    a, b = np.random.default_rng(0).standard_normal((2, 1000, 16))
    assert rank(a, b, classes, classes).mean_ap == pytest.approx(0.1, abs=0.01)


def test_equal_vectors_tie_wherever_they_stand():
    r = np.random.default_rng(0)
    one = r.standard_normal((1, 37)).astype(np.float32)
    gallery = np.repeat(one, 301, axis=0)
    with pytest.warns(UserWarning, match="equal"):
        found = rank(r.standard_normal((5, 37)), gallery, np.zeros(5), np.r_[0, np.ones(300)])
    assert found.tied == 1
    assert found.ap.tolist() == [1.0] * 5


def test_queries_without_relevant_items_and_vectors_without_length_are_counted():
    queries = np.array([[1.0, 0], [0, 0], [0, 1]])
    found = rank(queries, np.array([[1.0, 0.1], [-1, 0]]), np.array(["a", "a", "c"]), np.array(["a", "b"]))
    assert found.left_out == 1
    assert found.zero_norm == 1
    assert np.isnan(found.ap[2])
    assert found.mean_ap == 1.0
    alone = rank(queries, queries, np.zeros(3), np.ones(3))
    assert np.isnan([alone.mean_ap, alone.recall(1), alone.mean_rank]).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"queries": np.full((2, 3), np.nan)}, "queries row 0 is not finite"),
        ({"queries": np.ones((2, 4))}, "one space"),
        ({"query_class": np.zeros(3)}, "2 rows|2, 3"),
        ({"gallery": np.ones((0, 3)), "gallery_class": np.zeros(0)}, "N at least 1"),
        ({"cut": 0}, "from 1"),
    ],
)
def test_what_cannot_be_ranked(change, says):
    given = {"queries": np.ones((2, 3)), "gallery": np.ones((2, 3)), "query_class": np.zeros(2), "gallery_class": np.zeros(2)}
    with pytest.raises(ValueError, match=says):
        rank(**given | change)


def test_extreme_lengths_are_no_zeros():
    tiny = np.array([[1e-300, 0.0], [0, 1e300]])
    found = rank(tiny, tiny, np.array([0, 1]), np.array([0, 1]))
    assert found.zero_norm == 0
    assert found.mean_ap == 1


def test_both_ways_swap_and_average(pair):
    a, b, classes = pair
    there = retrieval_metrics(np.stack([a, b], axis=1), classes, ("image", "text"))
    back = retrieval_metrics(np.stack([b, a], axis=1), classes, ("text", "image"))
    assert next(iter(there)) == "map"
    assert there == {name: back[name] for name in there}
    assert there["map"] == pytest.approx((there["map_image_to_text"] + there["map_text_to_image"]) / 2)
    rows = mean_ap_of_rows(np.stack([a, b], axis=1), classes)
    assert rows.mean() == pytest.approx(there["map"], abs=1e-12)


def test_absent_branches_neither_ask_nor_are_found(pair):
    a, b, classes = pair
    both = np.stack([a, b], axis=1)
    both[:100, 0], both[100:150, 1] = np.nan, np.nan
    found = retrieval_metrics(both, classes, ("a", "b"))
    alone = rank(a[100:], np.delete(b, range(100, 150), axis=0), classes[100:], np.delete(classes, range(100, 150)))
    assert found["map_a_to_b"] == pytest.approx(alone.mean_ap, abs=1e-12)
    assert np.isfinite(mean_ap_of_rows(both, classes)).all()
    nothing = retrieval_metrics(np.full((4, 2, 3), np.nan), np.zeros(4), ("a", "b"))
    assert np.isnan(nothing["map"])
    assert np.isnan(mean_ap_of_rows(np.full((4, 2, 3), np.nan), np.zeros(4))).all()
