"""InfoNCE: against the mutual information of Gaussians, its ceiling, and who gets a gradient."""

import math

import pytest
import torch
from torch import Tensor
from two_players import two_players

from understudy.objectives import InfoNCE
from understudy.objectives.infonce import infonce


def correlated(rows: int, dimension: int, rho: float, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, e = torch.randn(2, rows, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x, rho * x + math.sqrt(1 - rho**2) * e


def log_ratio(x: Tensor, y: Tensor, rho: float) -> tuple[Tensor, Tensor]:
    """Features whose dot product is log p(y|x) / p(y) less a constant: the best scores there are."""
    away, ones = 1 - rho**2, torch.ones(len(x), 1, dtype=x.dtype)
    own = [-(rho**2) * each.square().sum(dim=1, keepdim=True) / (2 * away) for each in (x, y)]
    return torch.cat([rho * x / away, own[0], ones], dim=1), torch.cat([y, ones, own[1]], dim=1)


def bound(x: Tensor, y: Tensor, rho: float) -> float:
    return -float(infonce(*log_ratio(x, y, rho), torch.ones(len(x), dtype=torch.bool), temperature=1.0).mean())


@pytest.mark.parametrize(("dimension", "rho"), [(1, 0.5), (2, 0.8), (2, 0.9), (3, 0.0)])
def test_the_best_scores_give_the_mutual_information_of_gaussians(dimension, rho):
    known = -dimension / 2 * math.log(1 - rho**2)
    found = sum(bound(*correlated(1000, dimension, rho, seed=seed), rho) for seed in range(8)) / 8
    assert found == pytest.approx(known, abs=0.06)


def test_it_never_shows_more_than_log_b():
    x, y = correlated(64, 20, 0.99)
    assert -10 * math.log(1 - 0.99**2) > 39
    assert math.log(64) - 0.01 < bound(x, y, 0.99) <= math.log(64) + 1e-6
    eye = torch.eye(8)
    assert float(infonce(eye, eye, torch.ones(8, dtype=torch.bool), temperature=0.01).mean()) == pytest.approx(-math.log(8))


def test_the_ceiling_counts_the_rows_that_count():
    some = torch.arange(12) < 7
    term = InfoNCE(3, 4).ceiling(*two_players(torch.randn(12, 3), torch.randn(12, 4), valid=some))
    assert float(term.count) == 7
    assert float(term.total) == pytest.approx(7 * math.log(7))
    none = InfoNCE(3, 4).ceiling(*two_players(torch.randn(2, 3), torch.randn(2, 4), valid=torch.zeros(2, dtype=torch.bool)))
    assert float(none.count) == float(none.total) == 0


def test_one_row_and_equal_features_show_nothing():
    torch.manual_seed(0)
    objective = InfoNCE(3, 4)
    for rows in (1, 6):
        left, right = torch.ones(rows, 3, requires_grad=True), torch.ones(rows, 4, requires_grad=True)
        term = objective(*two_players(left, right))
        term.total.backward()
        assert float(term.total.detach()) == pytest.approx(0, abs=1e-5)
        assert left.grad is not None
        assert left.grad.abs().max() < 1e-5


def test_rows_that_do_not_count_are_no_candidates():
    x, y = correlated(40, 2, 0.9)
    some = torch.arange(40) < 10
    alone = infonce(x[:10], y[:10], some[:10], temperature=1.0)
    torch.testing.assert_close(infonce(x, y, some, temperature=1.0)[:10], alone)


def test_training_finds_what_two_players_share_and_stays_below_it():
    torch.manual_seed(0)
    objective = InfoNCE(4, 4, dimension=4, temperature=0.2)
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.02)
    shares = []
    for step in range(80):
        x, y = correlated(128, 1, 0.95, seed=step)
        noise = torch.randn(2, 128, 3, generator=torch.Generator().manual_seed(step))
        term = objective(*two_players(torch.hstack([x.float(), noise[0]]), torch.hstack([y.float(), noise[1]])))
        optimiser.zero_grad()
        (term.total / term.count).backward()
        optimiser.step()
        shares.append(-float(term.total.detach() / term.count))
    assert 0.4 < sum(shares[-10:]) / 10 < -0.5 * math.log(1 - 0.95**2)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_a_detached_player_takes_no_gradient(left, right):
    torch.manual_seed(0)
    objective = InfoNCE(3, 4, detach_left=left, detach_right=right)
    x, y = torch.randn(6, 3, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    objective(*two_players(x, y)).total.backward()
    assert (x.grad is None) == left
    assert (y.grad is None) == right
    assert all(p.grad is not None for p in objective.parameters())


def test_mixed_precision_does_not_round_the_scores():
    x, y = (each.float() for each in correlated(16, 8, 0.9))
    rows = torch.ones(16, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = infonce(x, y, rows, temperature=0.07)
    assert torch.equal(mixed, infonce(x, y, rows, temperature=0.07))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        InfoNCE(3, 3, temperature=temperature)


@pytest.mark.parametrize("dimension", [0, -1])
def test_an_impossible_dimension_is_refused(dimension):
    with pytest.raises(ValueError, match=f"dimension {dimension} given"):
        InfoNCE(3, 3, dimension=dimension)
