"""Information flow: what leaves its kernels unchanged, PKT as a special case, gradients, shards, and which layers meet."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives import IFD, PKT
from understudy.objectives.ifd import Divergence, Kernel, divergence_of, flow_difference, pairs_by_depth

EVERY = pytest.mark.parametrize(("kernel", "divergence"), [(k, d) for k in get_args(Kernel) for d in get_args(Divergence)])
ROWS = torch.ones(12, dtype=torch.bool)
BATCH = Batch({}, {}, torch.zeros(12), ROWS, tuple("abcdefghijkl"))


def points(width: int, seed: int) -> Tensor:
    return torch.randn(12, width, generator=torch.Generator().manual_seed(seed))


def loss(student: Tensor, teacher: Tensor, kernel: Kernel = "combined", divergence: Divergence = "jeffreys") -> float:
    outputs = (Output(ROWS, logits=torch.zeros(12, 2), embedding=each) for each in (student, teacher))
    return float(IFD(kernel=kernel, divergence=divergence)(BATCH, *outputs).total)


def turned(values: Tensor) -> Tensor:
    return values @ torch.linalg.qr(points(values.shape[1], 5)[: values.shape[1]])[0]


@EVERY
def test_it_is_zero_for_the_same_positive_else_and_jeffreys_is_symmetric(kernel, divergence):
    one, two = points(4, 0), points(7, 1)
    assert loss(one, one, kernel, divergence) == pytest.approx(0, abs=1e-5)
    assert loss(one, two, kernel, divergence) > 0.1
    swapped = loss(two, one, kernel, divergence)
    assert (swapped == pytest.approx(loss(one, two, kernel, divergence), rel=1e-4)) == (divergence == "jeffreys")


def test_what_changes_neither_kernel():
    one, two = points(4, 0), points(7, 1)
    for kernel in ("cosine", "student_t"):
        assert loss(turned(one), two, kernel) == pytest.approx(loss(one, two, kernel), rel=1e-4)
    assert loss(3 * one, two, "cosine") == pytest.approx(loss(one, two, "cosine"), rel=1e-4)
    assert loss(one + 2, two, "student_t") == pytest.approx(loss(one, two, "student_t"), rel=1e-3)
    assert loss(3 * one, two, "student_t") != pytest.approx(loss(one, two, "student_t"), rel=1e-2)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    assert loss(one[order], two[order]) == pytest.approx(loss(one, two), rel=1e-4)


def test_kl_of_cosines_is_pkt():
    student, teacher = Output(ROWS, logits=points(2, 3), embedding=points(4, 0)), Output(ROWS, embedding=points(7, 1))
    one, two = IFD(kernel="cosine", divergence="kl")(BATCH, student, teacher), PKT()(BATCH, student, teacher)
    torch.testing.assert_close(one.total, two.total)


@EVERY
def test_the_gradient_is_that_of_finite_differences(kernel, divergence):
    """Along one direction, in float32."""
    student, teacher, way = points(4, 0), points(7, 1), points(4, 2) / 7
    _, gradient = flow_difference(student, teacher, ROWS, kernel=kernel, divergence=divergence)
    ahead, behind = (loss(student + step * way, teacher, kernel, divergence) for step in (1e-2, -1e-2))
    assert (ahead - behind) / 2e-2 == pytest.approx(float((gradient * way).sum()), rel=2e-2, abs=1e-3)


def test_opposite_and_equal_rows_are_finite():
    student = torch.cat([points(4, 0)[:4], -points(4, 0)[:4], points(4, 0)[:4]]).requires_grad_()
    outputs = Output(ROWS, logits=points(2, 3), embedding=student), Output(ROWS, embedding=points(7, 1))
    IFD()(BATCH, *outputs).total.backward()
    assert student.grad.isfinite().all()
    assert student.grad.any()


def test_probabilities_are_over_the_others_that_count():
    """A row that does not count is no neighbour, and the diagonal none either: both kernels may hold anything there."""
    near, counted = 0.1 + torch.rand(12, 12, generator=torch.Generator().manual_seed(0)), torch.ones(12)
    counted[3] = 0
    near.fill_diagonal_(0)
    other = near.clone()
    other[3], other[:, 3] = 5.0, 7.0
    other[3, 3] = 0
    total, slope = divergence_of(near, other, counted, divergence="jeffreys")
    assert float(total) == pytest.approx(0, abs=1e-5)
    assert not slope[3].any()
    assert not slope[:, 3].any()


def test_the_losses_of_two_halves_are_not_that_of_the_whole():
    student, teacher = points(4, 0), points(7, 1)
    halves = []
    for half in (slice(0, 6), slice(6, 12)):
        rows = torch.ones(6, dtype=torch.bool)
        halves.append(float(flow_difference(student[half], teacher[half], rows, kernel="combined", divergence="jeffreys")[0]))
    assert sum(halves) != pytest.approx(loss(student, teacher), rel=0.02)


def test_layers_are_paired_by_their_share_of_the_depth():
    assert pairs_by_depth(3, 3) == [(0, 0), (1, 1), (2, 2)]
    assert pairs_by_depth(3, 11) == [(0, 3), (1, 6), (2, 10)]
    assert pairs_by_depth(3, 1) == [(0, 0), (1, 0), (2, 0)]
    assert pairs_by_depth(2, 0) == []


def test_a_row_without_the_layer_does_not_count_and_a_branch_without_it_says_nothing():
    layers = [{"x.layer0": points(width, seed).requires_grad_()} for width, seed in ((4, 0), (7, 1))]
    layers[1]["x.layer0"].data[:5] = 0
    outputs = [Output(ROWS, logits=points(2, 3).requires_grad_(), features=each) for each in layers]
    objective = IFD(ours="x.layer0", theirs="x.layer0")
    term = objective(BATCH, *outputs)
    assert float(term.count) == 7
    term.total.backward()
    assert not layers[0]["x.layer0"].grad[:5].any()
    nothing = objective(BATCH, Output(ROWS, logits=outputs[0].logits), outputs[1])
    nothing.total.backward()
    assert float(nothing.count) == float(nothing.total.detach()) == 0


@pytest.mark.parametrize("wrong", [{"kernel": "rbf"}, {"divergence": "squared"}])
def test_an_unknown_kernel_or_divergence_is_refused(wrong):
    with pytest.raises((ValueError, TypeError)):
        IFD(**wrong)
