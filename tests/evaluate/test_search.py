"""Search by embedding: the published script's rule, worked examples, and models that see nothing but their own modalities."""

import numpy as np
import pytest

from toy import CLASSES, ToyLoader, toy_batch, toy_model
from understudy.evaluate.search import embedded, search_metrics


def by_script(queries, gallery, query_class, gallery_class, cut):
    """mAP as GeWu-Lab's mAP_result_ucf.py reads: hits within the cut divide, a query without any is left out."""
    found = []
    for query, label in zip(queries, query_class, strict=True):
        cosine = gallery @ query / np.linalg.norm(gallery, axis=1) / np.linalg.norm(query)
        hits = gallery_class[np.argsort(-cosine, kind="stable")[:cut]] == label
        places = np.flatnonzero(hits)
        if len(places):
            found.append(np.mean([(number + 1) / (place + 1) for number, place in enumerate(places)]))
    return np.mean(found), len(found)


def test_against_the_published_script():
    random = np.random.default_rng(0)
    queries, gallery = random.normal(size=(40, 6)), random.normal(size=(90, 6))
    asked, held = random.integers(0, 12, 40), random.integers(0, 12, 90)
    for cut in (3, 10, 500):
        found = search_metrics(queries, gallery, asked, held, cut=cut)
        mean, counted = by_script(queries, gallery, asked, held, cut)
        assert found[f"map@{cut}"] * 40 == pytest.approx(mean * counted)
        assert found["missed"] == pytest.approx(1 - counted / 40)
    assert found["recall@1"] <= found["recall@5"] <= found["recall@10"]


def test_hand_made_ranks_and_both_divisors():
    gallery = np.array([[1, 0.0], [1, 0.1], [1, 0.2], [1, 0.3]])
    query, asked = np.array([[1, 0.0]]), np.array([1])
    for classes, cut, divisor, value in (
        ([1, 0, 1, 0], 500, "hits_in_k", (1 + 2 / 3) / 2),
        ([0, 1, 1, 0], 500, "hits_in_k", (1 / 2 + 2 / 3) / 2),
        ([1, 0, 0, 1], 500, "min_R_k", 0.75),
        ([1, 0, 0, 1], 2, "hits_in_k", 1.0),
        ([1, 0, 0, 1], 2, "min_R_k", 0.5),
    ):
        found = search_metrics(query, gallery, asked, np.array(classes), cut=cut, ap_divisor=divisor)
        assert found[f"map@{cut}"] == pytest.approx(value)
    missed = search_metrics(query, gallery, asked, np.array([0, 0, 0, 1]), cut=2)
    assert (missed["map@2"], missed["missed"], missed["left_out"]) == (0, 1, 0)
    alone = search_metrics(query, gallery, asked, np.array([0, 0, 0, 0]))
    assert np.isnan(alone["map@500"])
    assert alone["left_out"] == 1


def test_scaling_and_a_permuted_gallery_change_nothing():
    random = np.random.default_rng(1)
    queries, gallery = random.normal(size=(20, 5)), random.normal(size=(50, 5))
    asked, held = random.integers(0, 4, 20), random.integers(0, 4, 50)
    found, order = search_metrics(queries, gallery, asked, held, cut=10), random.permutation(50)
    longer = search_metrics(queries * 7, gallery[order] * random.uniform(0.1, 9, size=(50, 1)), asked, held[order], cut=10)
    assert found == pytest.approx(longer)
    assert search_metrics(queries, gallery, asked, np.arange(50) % 4)["recall@10"] <= 1


def test_a_student_embeds_without_the_auxiliary_modality():
    model = toy_model(CLASSES, "x")
    batch = toy_batch(CLASSES, 12)
    whole = embedded(model, ToyLoader([batch]))
    alone = embedded(model, ToyLoader([batch.keep("x")]))
    np.testing.assert_array_equal(whole.values, alone.values)
    np.testing.assert_array_equal(whole.seen, batch.present["x"].numpy())
    np.testing.assert_array_equal(whole.has_target, batch.labelled.numpy())
    assert whole.values.shape == (12, 5)
    assert model.training
    student = toy_model(CLASSES, "x", "y")
    student.branches = ("x", "y")
    with pytest.raises(ValueError, match="scored as a search already"):
        embedded(student, ToyLoader([batch]))
