"""What the contract suite cannot know of relational distillation: its gradient, what it is blind to, nearly equal rows."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from understudy.batches.batch import Batch, Output
from understudy.objectives import RKD, rkd

ROWS = 9


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


STUDENT, TEACHER = numbers(ROWS, 4), numbers(ROWS, 6, seed=1)
EVERY = torch.ones(ROWS, dtype=torch.bool)
PARTS = pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0)], ids=["distance", "angle"])


def found(weights: tuple[float, float], student: Tensor, teacher: Tensor = TEACHER, rows: Tensor | None = None):
    rows = torch.ones(len(student), dtype=torch.bool) if rows is None else rows
    return RKD(distance=weights[0], angle=weights[1]).difference(student, teacher, rows)


def plain(weights: tuple[float, float], student: Tensor, teacher: Tensor) -> Tensor:
    """Through autograd in float64, with difference vectors."""
    sides, away = [], ~torch.eye(len(student), dtype=torch.bool)
    for points in (student, teacher.double()):
        arms = points[:, None] - points
        lengths = arms.square().sum(2).where(away, 1.0).sqrt().where(away, 0.0)
        units = arms / lengths.where(away, 1.0)[:, :, None]
        sides.append((lengths / lengths[away].mean(), (units @ units.mT) * (away[:, :, None] & away[:, None, :] & away)))
    (d, a), (e, b) = sides
    others = len(student) - 1
    distance = smooth_l1_loss(d, e, reduction="sum") / others
    return weights[0] * distance + weights[1] * smooth_l1_loss(a, b, reduction="sum") / (others * (others - 1))


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@PARTS
def test_the_gradient_is_that_of_autograd(weights, scale, monkeypatch):
    monkeypatch.setattr(rkd, "CHUNK", 2 * ROWS**2)
    leaf = (STUDENT.double() * scale).requires_grad_()
    expected = plain(weights, leaf, TEACHER)
    expected.backward()
    total, gradient = found(weights, STUDENT * scale)
    torch.testing.assert_close(total.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double() * scale, leaf.grad * scale, rtol=1e-4, atol=1e-5)


@PARTS
def test_rotation_translation_and_scale_change_nothing(weights):
    turn = torch.linalg.qr(numbers(4, 4, seed=2))[0]
    total, _ = found(weights, STUDENT)
    moved, _ = found(weights, 7 * STUDENT @ turn + 3)
    torch.testing.assert_close(moved, total, rtol=1e-4, atol=1e-6)


@PARTS
def test_far_from_the_origin_nearly_equal_rows_keep_their_digits(weights):
    points = 10 + 1e-3 * STUDENT
    leaf = points.double().requires_grad_()
    expected = plain(weights, leaf, TEACHER)
    expected.backward()
    total, gradient = found(weights, points)
    torch.testing.assert_close(total.double(), expected.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient.double(), leaf.grad, rtol=1e-3, atol=1e-3 * float(leaf.grad.abs().max()))


@PARTS
@pytest.mark.parametrize("equal", [2, ROWS])
def test_equal_rows_are_finite(weights, equal):
    points = STUDENT.clone()
    points[:equal] = points[0]
    for total, gradient in (found(weights, points), found(weights, STUDENT, points), found(weights, 0 * points)):
        assert total.isfinite()
        assert total > 0
        assert gradient.isfinite().all()
    total, gradient = found(weights, points, points)
    assert total == gradient.abs().max() == 0


@pytest.mark.parametrize(("weights", "least"), [((1.0, 0.0), 3), ((0.0, 1.0), 3)])
def test_too_few_rows_show_nothing(weights, least):
    """One distance is always the mean one, and an angle takes three rows."""
    for rows in range(least):
        total, gradient = found(weights, STUDENT, rows=torch.arange(ROWS) < rows)
        assert float(total) == pytest.approx(0, abs=1e-6)
        assert gradient.abs().max() < 1e-6
    assert found(weights, STUDENT, rows=torch.arange(ROWS) < least)[0] > 0.01


def test_a_row_alone_counts_as_nothing():
    leaf, one = STUDENT[:1].clone().requires_grad_(), EVERY[:1]
    term = RKD()(Batch({}, {}, torch.zeros(1), one, ("a",)), Output(one, embedding=leaf), Output(one, embedding=TEACHER[:1]))
    term.total.backward()
    assert float(term.total.detach()) == float(leaf.grad.abs().sum()) == 0
    assert float(term.count) == 1


@pytest.mark.parametrize("wrong", [{"distance": -1.0}, {"angle": float("nan")}, {"angle": float("inf")}])
def test_impossible_weights_are_refused(wrong):
    with pytest.raises(ValueError, match="finite and at least 0"):
        RKD(**wrong)
