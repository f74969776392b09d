"""CRD: what the banks hold, whom a row is told apart from, and what happens at the edges; its values: contracts."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import i0, i1
from torch import Tensor
from two_players import two_players

from understudy.objectives import CRD
from understudy.objectives.objective import check_counts

SIZE = 30
IDS = [f"r{row}" for row in range(SIZE)]
CLASSES = np.arange(SIZE) % 3
LABELLED = np.arange(SIZE) != 7


def banked(**options: Any) -> CRD:
    torch.manual_seed(0)
    objective = CRD(4, 5, **{"dimension": 6, "negatives": 20} | options)
    objective.meet(IDS, CLASSES, LABELLED)
    return objective


def players(*rows: int, valid: Tensor | None = None, same: bool = False, seed: int = 0) -> tuple[Any, ...]:
    draw = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(SIZE, width, generator=draw)[list(rows)] for width in (4, 5))
    left, right = (torch.ones_like(left), torch.ones_like(right)) if same else (left, right)
    return two_players(left.requires_grad_(), right.requires_grad_(), valid=valid, ids=tuple(IDS[row] for row in rows))


def banks(objective: CRD) -> list[Tensor]:
    return [objective.left_bank.clone(), objective.right_bank.clone()]


def test_forward_changes_nothing_that_lasts():
    objective = banked()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    one, two = (objective(*players(0, 1, 2)).total for _ in range(2))
    assert torch.equal(one, two), "fit may ask twice about one batch"
    torch.testing.assert_close(objective.state_dict(), before, rtol=0, atol=0, equal_nan=True)


def test_an_update_moves_the_rows_seen_and_keeps_them_on_the_sphere():
    objective = banked(momentum=0.3)
    before = banks(objective)
    batch, left, right = players(0, 1, 2, 4, valid=torch.tensor([True, True, False, True]))
    objective(batch, left, right).total.backward()
    objective.update()
    place = objective.places(batch)
    for old, new, side, output in zip(before, banks(objective), (objective.left, objective.right), (left, right), strict=True):
        seen = side(output.valid, output).detach().double().numpy()
        expected = old.double().numpy()
        for row in (0, 1, 3):
            mixed = 0.3 * expected[place[row]] + 0.7 * seen[row]
            expected[place[row]] = mixed / np.linalg.norm(mixed)
        np.testing.assert_allclose(new, expected, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(new, axis=1), 1, atol=1e-6)


def test_banks_take_no_gradient_and_the_projections_do():
    objective = banked()
    batch, left, right = players(0, 1, 2)
    objective(batch, left, right).total.backward()
    assert not any(bank.requires_grad for bank in (objective.left_bank, objective.right_bank))
    assert {name for name, _ in objective.named_parameters()} == {
        f"{side}.projection.{what}" for side in ("left", "right") for what in ("weight", "bias")
    }
    assert all(p.grad.abs().max() > 0 for p in objective.parameters())
    assert left.embedding.grad.abs().max() > 0
    assert right.embedding.grad.abs().max() > 0


def test_the_normaliser_is_fixed_by_the_first_batch_and_comes_back():
    objective = banked()
    nothing = players(0, 1, valid=torch.zeros(2, dtype=torch.bool))
    objective(*nothing)
    objective.update()
    assert not objective.fixed, "no row counted"
    objective(*players(0, 1, 2))
    objective.update()
    level = objective.level.clone()
    assert level.isfinite().all()
    objective(*players(3, 4, 5, seed=1))
    objective.update()
    assert torch.equal(objective.level, level)
    again = banked()
    again.load_state_dict(objective.state_dict())
    assert again.fixed
    assert torch.equal(again.eval()(*players(1, 2)).total, objective.eval()(*players(1, 2)).total)


def test_mixed_precision_does_not_round_the_normaliser():
    objective, given = banked(), players(0, 1, 2, 4)
    pairs = pairs_of(objective, given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = objective.measured(*pairs)
    assert torch.equal(mixed, objective.measured(*pairs))


def test_steps_and_rows_draw_anew():
    objective = banked(contrast="instances")
    place = torch.arange(SIZE)
    one = objective.draw(place)[1]
    assert torch.equal(objective.draw(place[4:7])[1], one[4:7]), "what a row draws depends on no other row"
    objective.update()
    two = objective.draw(place)[1]
    for other in (two, one.roll(1, 0)):
        assert (one == other).double().mean() < 0.1


def test_negatives_are_of_other_classes_and_the_positive_is_told():
    exact, relax = banked(), banked(positive="relax")
    in_bank = {place: CLASSES[IDS.index(row)] for row, place in exact.place.items() if place >= 0}
    kinds = torch.tensor([in_bank[place] for place in range(SIZE - 1)])
    place = torch.arange(SIZE - 1)
    for objective in (exact, relax):
        for _ in range(5):
            positives, negatives = objective.draw(place)
            assert (kinds[negatives] != kinds[:, None]).all()
            assert (kinds[positives] == kinds).all()
            assert torch.equal(positives, place) == (objective is exact)
            objective.update()
    _, negatives = banked(contrast="instances").draw(torch.arange(SIZE))
    assert (negatives != torch.arange(SIZE)[:, None]).all()


def test_more_negatives_than_there_are_come_more_than_once():
    objective = banked(negatives=16_384)
    _, negatives = objective.draw(torch.arange(SIZE - 1))
    assert negatives.shape[1] == SIZE - 2, "K is at most the bank less one row"
    assert all(len(row.unique()) < len(row) for row in negatives), "20 or 21 rows of other classes for 28 draws"
    assert objective(*players(0, 1)).total.isfinite()


@pytest.mark.parametrize(("negatives", "drawn"), [(20, 20), (16_384, SIZE - 2)])
def test_the_ceiling_is_log_k_of_the_rows_that_count(negatives, drawn):
    term = banked(negatives=negatives).ceiling(*players(0, 1, 7, 8, valid=torch.tensor([True, False, True, True])))
    assert float(term.count) == 2, "one is not valid, one has no label"
    assert float(term.total) == pytest.approx(2 * math.log(drawn))


def test_a_row_without_a_label_is_in_no_bank_of_classes():
    objective = banked()
    assert len(objective.left_bank) == SIZE - 1
    assert float(objective(*players(7, 8)).count) == 1
    term = objective(*players(7))
    term.total.backward()
    assert float(term.count) == float(term.total.detach()) == 0
    assert len(banked(contrast="instances").left_bank) == SIZE


def test_one_class_one_row_equal_features_and_an_absent_side_are_fine():
    objective = banked()
    for batch, left, right in (
        players(0, 3, 6),
        players(5),
        players(0, 1, 2, 3, same=True),
        players(0, 1, 2, valid=torch.tensor([True, False, True])),
    ):
        term = objective(batch, left, right)
        term.total.backward()
        objective.update()
        assert term.total.isfinite()
        assert float(term.count) == left.valid.sum()
        assert left.embedding.grad.isfinite().all()
        assert right.embedding.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in objective.parameters())


def test_rows_that_never_come_stay_as_they_were():
    objective = banked()
    before = banks(objective)
    objective(*players(0, 1))
    objective.update()
    changed = (objective.left_bank != before[0]).any(dim=1)
    assert changed.sum() == 2


def shown(x: Tensor, y: Tensor, *, temperature: float) -> float:
    """The bound of two players on a plane by their directions alone, with the normaliser of the banks that hold them."""
    ids = tuple(str(row) for row in range(len(x)))
    objective = CRD(2, 2, dimension=2, negatives=300, momentum=0.0, contrast="instances", temperature=temperature)
    objective.meet(ids, np.zeros(len(ids)), np.zeros(len(ids), dtype=bool))
    for side in (objective.left, objective.right):
        side.projection.load_state_dict({"weight": torch.eye(2), "bias": torch.zeros(2)})
    given = two_players(x.float(), y.float(), ids=ids)
    objective(*given)
    objective.update()
    objective.level.copy_(objective.eval().measured(*pairs_of(objective, given)).expand(2))
    term = objective(*given)
    return -float(term.total.detach() / term.count)


@pytest.mark.parametrize("kappa", [0.01, 1.0, 5.0, 200.0])
def test_the_best_scores_give_the_mutual_information_less_a_nat(kappa):
    """Of two angles, one even, the other von Mises around it: log p(y|x) / p(y) is the cosine times kappa, and a constant.

    The nat is what K log(1 - h) costs even the best h = r / (r + K), with r = p(y|x) / p(y): -K log(1 + r / K) is about -r.
    """
    known, found = kappa * i1(kappa) / i0(kappa) - math.log(i0(kappa)), []
    for seed in range(4):
        draw = np.random.default_rng(seed)
        angle = draw.uniform(0, 2 * np.pi, 400)
        angles = np.stack([angle, angle + draw.vonmises(0, kappa, 400)])
        found.append(shown(*torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)], axis=2)), temperature=1 / kappa))
    assert np.mean(found) == pytest.approx(known - 1, abs=0.04)
    assert max(found) < known


@pytest.mark.parametrize(("rho", "temperature"), [(0.0, 0.5), (0.6, 0.5), (0.9, 0.2), (0.99, 0.05)])
def test_it_shows_less_than_two_gaussians_share(rho, temperature):
    x, e = torch.randn(2, 400, 2, generator=torch.Generator().manual_seed(0))
    assert shown(x, rho * x + math.sqrt(1 - rho**2) * e, temperature=temperature) <= -math.log(1 - rho**2)


def pairs_of(objective: CRD, given: tuple[Any, ...]) -> tuple[Tensor, ...]:
    batch, left, _ = given
    place = objective.places(batch)
    return objective.left(left.valid, left), objective.right_bank, left.valid, *objective.draw(place)


def test_what_cannot_be_is_refused():
    fresh = CRD(4, 5)
    with pytest.raises(ValueError, match=r"call meet\(\)"):
        fresh(*players(0))
    with pytest.raises(KeyError, match="'x' has no place in the bank of 30 ids"):
        banked()(*two_players(torch.ones(1, 4), torch.ones(1, 5), ids=("x",)))
    with pytest.raises(ValueError, match="the target is a number"):
        fresh.meet(IDS, CLASSES.astype(float), LABELLED)
    with pytest.raises(ValueError, match="29 labelled rows are of 1 class"):
        fresh.meet(IDS, CLASSES * 0, LABELLED)
    with pytest.raises(ValueError, match="0 labelled rows"):
        fresh.meet(IDS, CLASSES, LABELLED & False)
    with pytest.raises(ValueError, match="needs two at least"):
        CRD(4, 5, contrast="instances").meet(["a"], CLASSES[:1], LABELLED[:1])
    with pytest.raises(ValueError, match="1 ids are given twice"):
        fresh.meet(["a", "a"], CLASSES[:2], LABELLED[:2])
    with pytest.raises(ValueError, match="contrast='classes'"):
        CRD(4, 5, contrast="instances", positive="relax")
    for options in ({"negatives": 0}, {"dimension": 0}, {"momentum": 1.0}, {"momentum": float("nan")}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} .* given; it must be"):
            CRD(4, 5, **options)
    with pytest.raises(ValueError, match=r"negatives 2.5 given; it must be a whole number"):
        check_counts(negatives=2.5)
