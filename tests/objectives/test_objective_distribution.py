"""What the contract suite cannot know of similarity distributions: rows against columns, two sides, one fused teacher."""

import pytest
import torch

from understudy.batches.batch import Batch, Output
from understudy.objectives import SimilarityDistribution
from understudy.objectives.distribution import spread_divergence
from understudy.objectives.kd import kl_divergence

DRAW = torch.Generator().manual_seed(0)
OURS, THEIRS = torch.randn(2, 6, 6, generator=DRAW)
EVERY = torch.ones(6, dtype=torch.bool)
BATCH = Batch({}, {}, torch.zeros(6), EVERY, tuple("abcdef"))


def output(width: int) -> Output:
    return Output(EVERY, embedding=torch.randn(6, width, generator=DRAW).requires_grad_())


def test_a_constant_of_a_row_changes_its_columns_alone():
    shift = torch.arange(6.0)[:, None]
    rows = kl_divergence(OURS, THEIRS, temperature=0.5)
    expected = (rows + kl_divergence((OURS + shift).T, THEIRS.T, temperature=0.5)) / 2
    torch.testing.assert_close(spread_divergence(OURS + shift, THEIRS, EVERY, temperature=0.5), expected, rtol=1e-4, atol=1e-5)


def test_transposing_swaps_rows_and_columns():
    one, two = (
        spread_divergence(OURS, THEIRS, EVERY, temperature=0.5),
        spread_divergence(OURS.T, THEIRS.T, EVERY, temperature=0.5),
    )
    torch.testing.assert_close(one, two)


def test_both_sides_of_the_student_learn_and_a_fused_teacher_stands_on_both():
    left, right, teacher = output(3), output(3), output(5)
    term = SimilarityDistribution(temperature=0.2)(BATCH, left, right, teacher, teacher)
    term.total.backward()
    assert float(term.total.detach()) > 0
    assert all(side.embedding.grad.abs().sum() > 0 for side in (left, right))
    assert teacher.embedding.grad is None
    swapped = SimilarityDistribution(temperature=0.2)(BATCH, right, left, teacher, teacher)
    torch.testing.assert_close(term.total, swapped.total)


def test_equal_rows_share_evenly():
    """Several rows may be meant: equal rows of the teacher ask for equal shares, and the student gives them at no cost."""
    same = Output(EVERY, embedding=torch.ones(6, 3).requires_grad_())
    term = SimilarityDistribution()(BATCH, same, same, same, same)
    term.total.backward()
    assert float(term.total.detach()) == pytest.approx(0, abs=1e-6)
    assert same.embedding.grad.abs().max() < 1e-6


def test_an_impossible_temperature_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        SimilarityDistribution(temperature=0.0)
