"""What the contract suite cannot know of knowledge transfer by neighbourhoods: its gradient, and directions that do not exist."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from understudy.batches.batch import Batch, Output
from understudy.objectives import PKT
from understudy.objectives.pkt import LEAST, neighbour_divergence


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


STUDENT, TEACHER = numbers(9, 4), numbers(9, 6, seed=1)
EVERY = torch.ones(9, dtype=torch.bool)


def plain(student: Tensor, teacher: Tensor) -> Tensor:
    """Through autograd in float64, with one row after the other."""
    total = student.new_zeros(())
    for row in range(len(student)):
        left = torch.arange(len(student)) != row
        p, q = ((cosine_similarity(x[left], x[row], dim=-1) + 1) / 2 + LEAST for x in (teacher.double(), student))
        total = total + (p / p.sum() * (p / p.sum() / (q / q.sum())).log()).sum()
    return total


def test_the_gradient_is_that_of_autograd():
    leaf = STUDENT.double().requires_grad_()
    expected = plain(leaf, TEACHER)
    expected.backward()
    total, gradient = neighbour_divergence(STUDENT, TEACHER, EVERY)
    torch.testing.assert_close(total.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), leaf.grad, rtol=1e-4, atol=1e-6)


def test_rotation_and_the_length_of_each_row_change_nothing():
    turn = torch.linalg.qr(numbers(4, 4, seed=2))[0]
    moved = neighbour_divergence(STUDENT @ turn * numbers(9, 1, seed=3).abs(), TEACHER, EVERY)
    torch.testing.assert_close(moved[0], neighbour_divergence(STUDENT, TEACHER, EVERY)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "points", [torch.zeros(9, 4), torch.ones(9, 4), STUDENT[:1].repeat(9, 1) * torch.tensor([[1.0], [-1], [1]] * 3)]
)
def test_no_direction_one_direction_and_opposite_ones_are_finite(points):
    for given in ((points, TEACHER), (STUDENT, points), (points, points)):
        total, gradient = neighbour_divergence(*given, EVERY)
        assert total.isfinite()
        assert gradient.isfinite().all()
        assert total >= -1e-5
    assert neighbour_divergence(points, points, EVERY)[0] == 0


def test_a_row_alone_counts_as_nothing():
    leaf, one = STUDENT[:1].clone().requires_grad_(), EVERY[:1]
    term = PKT()(Batch({}, {}, torch.zeros(1), one, ("a",)), Output(one, embedding=leaf), Output(one, embedding=TEACHER[:1]))
    term.total.backward()
    assert float(term.total.detach()) == float(leaf.grad.abs().sum()) == 0
