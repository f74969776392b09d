"""TokenSelection: alignment by characters, how many tokens and which, drawing without repeats."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from understudy.batches.batch import Batch, Output, Tokens
from understudy.encoders.patches import grid
from understudy.encoders.regions import corners
from understudy.methods.mad_tokens import draws
from understudy.objectives import TokenSelection
from understudy.objectives.token_selection import covered_mean, covering, selected, tokens_of
from understudy.prepare import Text
from understudy.prepare.cells import Cells

TEXT = "unbelievable film"


def said(spans: list[tuple[int, int]], width: int = 1, *, seen: int | None = None) -> Tokens:
    """One row; token n says n + 1 in each place."""
    steps = len(spans)
    values = torch.arange(1.0, steps + 1)[:, None].expand(steps, width)
    mask = torch.arange(steps) < (steps if seen is None else seen)
    return Tokens(values[None], mask[None], torch.tensor([spans]))


# [CLS] un ##believ ##able film [SEP] [PAD] against <s> unbelie va ble film </s>, with a space that the last token keeps
OURS = said([(0, 0), (0, 2), (2, 8), (8, 12), (13, 17), (0, 0), (0, 0)], seen=6)
THEIRS = said([(0, 0), (0, 7), (7, 9), (9, 12), (12, 17), (0, 0)])


def test_alignment_by_hand():
    cover = covering(OURS, THEIRS)[0].int()
    expected = torch.zeros(7, 6, dtype=torch.int)
    expected[1, 1] = expected[2, 1] = expected[2, 2] = expected[3, 2] = expected[3, 3] = expected[4, 4] = 1
    assert torch.equal(cover, expected)
    mean = covered_mean(THEIRS.values, covering(OURS, THEIRS))[0, :, 0]
    assert mean.tolist() == [0, 2, 2.5, 3.5, 5, 0, 0]


def test_equal_tokenizers_align_as_the_identity():
    cover = covering(OURS, OURS)[0] > 0
    assert torch.equal(cover, torch.diag(torch.tensor([False, True, True, True, True, False, False])))


@pytest.mark.parametrize("vocabularies", [(270, 300), (300, 265)])
def test_every_token_of_one_tokenizer_meets_one_of_another(vocabularies):
    texts = ["ein Übel, café!", "naïve  über-film", "plain words 12", "Grün"]
    cells = Cells("text", texts, np.ones(4, dtype=bool))
    sides = []
    for vocabulary in vocabularies:
        view = Text.bpe(vocabulary=vocabulary, max_tokens=40)
        fields = {name: torch.from_numpy(x) for name, x in view.fit(cells).prepare(cells).items()}
        sides.append(Tokens(torch.zeros(*fields["mask"].shape, 1), fields["mask"], fields["spans"]))
    spans, mask = sides[0].spans, sides[0].mask
    assert spans is not None
    words = mask & (spans[:, :, 1] > spans[:, :, 0])
    assert torch.equal((covering(*sides) > 0).any(dim=2), words)
    assert words.sum() > 20


def test_what_the_teacher_cut_off_is_left_out():
    assert covering(OURS, said([(0, 0), (0, 7)])).any(dim=2)[0].tolist() == [False, True, True, False, False, False, False]


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=5), st.floats(0.01, 1), st.integers(0, 99))
def test_how_many_and_which(able, share, seed):
    scores = np.random.default_rng(seed).integers(0, 4, (len(able), 7)).astype(np.float32)
    places, kept = selected(torch.tensor(scores), torch.tensor(able), share=share)
    for row, may in enumerate(able):
        n = sum(may)
        found = places[row][kept[row]].tolist()
        assert len(found) == (max(1, round(share * n)) if n else 0)
        best = sorted(np.flatnonzero(may), key=lambda place: (-scores[row, place], place))
        assert found == best[: len(found)], "the best first, the earlier of equals"


def test_a_halfway_count_is_rounded_as_python_rounds():
    for n in range(1, 40):
        for share in (0.1, 0.25, 0.3, 0.5, 0.7):
            _, kept = selected(torch.zeros(1, 40), torch.arange(40)[None] < n, share=share)
            assert int(kept.sum()) == max(1, round(share * n))


def batch(rows: int) -> Batch:
    yes = torch.ones(rows, dtype=torch.bool)
    return Batch({}, {}, torch.zeros(rows), yes, tuple(f"r{row}" for row in range(rows)))


def players(rows: int, steps: int) -> tuple[Output, Output]:
    """Every row alike: token 0 is special, the last one padding; a token's score against the picture is its place."""
    spans = torch.tensor([(0, 0), *((2 * t, 2 * t + 1) for t in range(1, steps - 1)), (0, 0)]).expand(rows, -1, -1)
    mask = (torch.arange(steps) < steps - 1).expand(rows, -1)
    angle = torch.linspace(3, 0, steps)
    values = torch.stack([angle.cos(), angle.sin()], dim=1).expand(rows, -1, -1)
    valid, picture = torch.ones(rows, dtype=torch.bool), torch.tensor([[1.0, 0.0]]).expand(rows, -1)
    student = Output(valid, embedding=torch.zeros(rows, 3), tokens={"mine": Tokens(torch.zeros(rows, steps, 3), mask, spans)})
    teacher = Output(valid, tokens={"theirs": Tokens(values, mask, spans)}, features={"image.pooled": picture})
    return student, teacher


def chosen(objective: TokenSelection, rows: int, steps: int, step: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    student, teacher = players(rows, steps)
    drawn = draws(batch(rows), student, seed=0, step=step)
    tokens = student.tokens["mine"], teacher.tokens["theirs"]
    places, kept, _ = objective.aligned(student.valid, *tokens, teacher, drawn)
    return places, kept


def test_top_k_takes_what_is_nearest_to_the_picture():
    places, kept = chosen(TokenSelection(3, 2, against=["image.pooled"], share=0.3), 3, 12)
    assert kept.sum(dim=1).tolist() == [3, 3, 3]
    assert places[0][kept[0]].tolist() == [10, 9, 8]


@pytest.mark.parametrize("choosing", ["sampled", "random"])
def test_drawn_tokens_are_as_many_without_repeats_and_never_special(choosing):
    objective = TokenSelection(3, 2, against=["image.pooled"], choosing=choosing, share=0.5, sampling=0.5)
    places, kept = chosen(objective, 50, 12)
    again, _ = chosen(objective, 50, 12)
    other, _ = chosen(objective, 50, 12, step=1)
    assert torch.equal(places, again)
    assert not torch.equal(places, other)
    assert kept.sum(dim=1).tolist() == [5] * 50
    for row in range(50):
        found = places[row][kept[row]].tolist()
        assert len(set(found)) == 5
        assert set(found) <= set(range(1, 11))


@pytest.mark.parametrize("choosing", ["sampled", "random"])
def test_one_drawn_token_follows_the_stated_probabilities(choosing):
    objective = TokenSelection(3, 2, against=["image.pooled"], choosing=choosing, share=0.1, sampling=0.5)
    places, _ = chosen(objective, 4000, 8)
    scores = torch.linspace(3, 0, 8).cos()[1:7].double().numpy()
    share = np.exp(scores / 0.5) if choosing == "sampled" else np.ones(6)
    counts = np.bincount(places[:, 0].numpy(), minlength=7)[1:]
    assert chisquare(counts, share / share.sum() * 4000).pvalue > 0.001


def test_draws_are_those_of_the_row_whoever_else_is_there():
    student, _ = players(6, 9)
    whole = draws(batch(6), student, seed=3, step=5)
    part, _ = players(2, 9)
    assert torch.equal(draws(batch(2), part, seed=3, step=5), whole[:2])
    assert not torch.equal(draws(batch(6), student, seed=4, step=5), whole)
    assert ((whole > 0) & (whole < 1)).all()


def test_a_row_without_a_picture_has_no_score_and_does_not_count():
    student, teacher = players(3, 8)
    teacher.features["image.pooled"].data = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])  # type: ignore[index]
    assert float(TokenSelection(3, 2, against=["image.pooled"])(batch(3), student, teacher).count) == 2
    assert float(TokenSelection(3, 2, against=["image.pooled"], choosing="all")(batch(3), student, teacher).count) == 3


@pytest.mark.parametrize("distance", ["l1", "l2", "cosine"])
def test_it_is_zero_where_the_student_says_what_the_teacher_says(distance):
    student, teacher = players(4, 9)
    objective = TokenSelection(2, 2, against=["image.pooled"], distance=distance)
    with torch.no_grad():
        objective.projection.weight.copy_(3 * torch.eye(2))
        objective.projection.bias.zero_()
    same = Output(student.valid, embedding=student.embedding, tokens={"mine": teacher.tokens["theirs"]})
    assert float(objective(batch(4), same, teacher).total.detach()) == pytest.approx(0, abs=1e-5)


def test_players_without_tokens_count_nothing():
    student, teacher = players(4, 9)
    embedding = torch.zeros(4, 3, requires_grad=True)
    term = TokenSelection(3, 2, against=["image.pooled"])(batch(4), Output(student.valid, embedding=embedding), teacher)
    term.total.backward()
    assert (float(term.total.detach()), float(term.count)) == (0, 0)


def located(boxes: list[list[float]], width: int = 1) -> Tokens:
    """One row of regions; region n says n + 1 in each place."""
    values = torch.arange(1.0, len(boxes) + 1)[:, None].expand(len(boxes), width)
    return Tokens(values[None], torch.ones(1, len(boxes), dtype=torch.bool), corners(torch.tensor([boxes])))


def test_a_region_hears_the_patches_that_lie_in_it_by_their_area():
    patches = located(grid((2, 2), 1).tolist())
    regions = located([[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    mean = covered_mean(patches.values, covering(regions, patches))[0, :, 0]
    assert mean.tolist() == pytest.approx([1.0, (1 * 0.25 + 2 * 0.5) / 0.75, 2.5, 0.0])
    assert torch.equal((covering(patches, patches) > 0)[0], torch.eye(4, dtype=torch.bool)), "patches that touch share nothing"


def test_of_a_text_and_a_picture_each_term_takes_its_own():
    student, _ = players(2, 8)
    both = dict(student.tokens) | {"seen": located([[0.0, 0.0, 0.5, 1.0]], 3)}
    assert tokens_of(Output(student.valid, tokens=both), "text") is both["mine"]
    assert tokens_of(Output(student.valid, tokens=both), "picture") is both["seen"]
    assert tokens_of(Output(student.valid, tokens={"mine": both["mine"]}), "picture") is None


def test_what_cannot_be_aligned_or_chosen_is_refused():
    bare = Tokens(THEIRS.values, THEIRS.mask)
    with pytest.raises(ValueError, match="where they lie"):
        covering(OURS, bare)
    with pytest.raises(ValueError, match="share 0"):
        TokenSelection(3, 2, against=["x"], share=0.0)
    student, teacher = players(2, 8)
    with pytest.raises(ValueError, match="drawn numbers"):
        TokenSelection(3, 2, against=["image.pooled"], choosing="random")(batch(2), student, teacher)
    two = Output(student.valid, embedding=student.embedding, tokens=dict.fromkeys("ab", student.tokens["mine"]))
    with pytest.raises(ValueError, match="2 texts"):
        TokenSelection(3, 2, against=["image.pooled"])(batch(2), two, teacher)
