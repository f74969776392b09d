"""VID: the best variance is the residual one, and a fixed variance is a mean squared error."""

import math

import pytest
import torch
from two_players import two_players

from understudy.objectives import VID
from understudy.objectives.vid import FLOOR, Variance, gaussian_cost


def test_the_best_variance_is_that_of_the_residual():
    torch.manual_seed(0)
    student, teacher = torch.randn(64, 3), torch.randn(64, 4) * torch.tensor([0.1, 1.0, 3.0, 10.0])
    objective = VID(3, 4)
    residual = (teacher - objective.mean(student).detach()).square().mean(dim=0)
    with torch.no_grad():
        objective.variance.raw.copy_(residual - FLOOR + (-(FLOOR - residual).expm1()).log())
    term = objective(*two_players(student, teacher))
    term.total.backward()
    torch.testing.assert_close(objective.variance(), residual)
    assert objective.variance.raw.grad.abs().max() < 1e-4
    least = (0.5 * (1 + residual.log())).mean()
    torch.testing.assert_close(term.total / term.count, least)
    assert least > 0
    with torch.no_grad():
        objective.variance.raw.fill_(-20)
    exact = objective(*two_players(student, objective.mean(student)))
    assert exact.total < 0, "small variances make it negative, and that is right"


def test_a_fixed_variance_is_a_mean_squared_error():
    torch.manual_seed(0)
    target, mean = torch.randn(2, 6, 3)
    found = gaussian_cost(target, mean, torch.full((3,), 2.5))
    torch.testing.assert_close(found, (target - mean).square() / 5 + math.log(2.5) / 2)


def test_the_variance_starts_where_told_and_is_never_zero():
    torch.testing.assert_close(VID(3, 4).variance(), torch.full((4,), 5.0))
    torch.testing.assert_close(Variance(2, start=1e4)(), torch.full((2,), 1e4))
    variance = Variance(2, start=1e-3)
    torch.testing.assert_close(variance(), torch.full((2,), 1e-3))
    with torch.no_grad():
        variance.raw.fill_(-1e9)
    assert (variance() >= FLOOR).all()


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_variance_is_refused(variance):
    with pytest.raises(ValueError, match="above"):
        VID(3, 4, variance=variance)
