"""What the contract suite cannot know of alignment: Kendall's tau-b against SciPy, and which rows it lets teach."""

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from understudy.batches.batch import Batch, Output
from understudy.objectives import AlignedKD, alignment
from understudy.objectives.alignment import kendall_tau

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("classes", [2, 3, 7, 40])
@pytest.mark.parametrize("values", [3, 1000])
def test_tau_is_scipys_with_and_without_ties(classes, values, monkeypatch):
    monkeypatch.setattr(alignment, "CHUNK", 5 * classes**2)
    one, two = DRAW.integers(0, values, (2, 33, classes)).astype(np.float32)
    expected = [kendalltau(a, b).statistic for a, b in zip(one, two, strict=True)]
    found = kendall_tau(torch.from_numpy(one), torch.from_numpy(two))
    assert found.shape == (33,)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_the_same_order_is_one_the_reverse_is_minus_one_and_a_constant_has_none():
    rows = torch.tensor([[1.0, 5, 2, 9, -3]])
    assert kendall_tau(rows, rows.exp()).tolist() == [1.0]
    assert kendall_tau(rows, -rows).tolist() == [-1.0]
    assert kendall_tau(rows, torch.ones(1, 5)).isnan().all()


def output(logits: list[list[float]]) -> Output:
    return Output(torch.ones(len(logits), dtype=torch.bool), torch.tensor(logits).requires_grad_())


STUDENT = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [3.0, 1.0, 2.0]]
TEACHER = [[0.0, 2.0, 9.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [9.0, 0.0, 4.0]]


@pytest.mark.parametrize(("threshold", "teaches"), [(0.0, [0, 3]), (-1.0, [0, 3]), (1.0, [])])
def test_aligned_rows_alone_teach_and_all_labelled_ones_count(threshold, teaches):
    batch = Batch({}, {}, torch.tensor([0, 1, 2, 1]), torch.ones(4, dtype=torch.bool), tuple("abcd"))
    student, teacher = output(STUDENT), output(TEACHER)
    term = AlignedKD(threshold=threshold)(batch, student, teacher)
    term.total.backward()
    assert float(term.count) == 4
    assert student.logits.grad.abs().sum(dim=1).nonzero()[:, 0].tolist() == teaches


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"threshold": float("nan")}, {"temperature": 0.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .* given"):
        AlignedKD(**wrong)
