"""Unimodal: distances that know neither scale nor width, 0 at equality, and rows without the modality."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from understudy.batches.batch import Batch, Output
from understudy.objectives import Unimodal
from understudy.objectives.objective import levelled
from understudy.objectives.unimodal import check_distance, vector_distance

EVERY = pytest.mark.parametrize("distance", ["l1", "l2", "cosine", "infonce"])
YES = torch.ones(6, dtype=torch.bool)


def batch(rows: int) -> Batch:
    return Batch({}, {}, torch.zeros(rows), torch.zeros(rows, dtype=torch.bool), tuple(map(str, range(rows))))


def vectors(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@EVERY
def test_the_scale_of_either_side_changes_nothing(distance):
    ours, theirs, settings = vectors(6, 5), vectors(6, 5, seed=1), {"distance": distance, "temperature": 0.1}
    one = vector_distance(ours, theirs, YES, **settings)
    torch.testing.assert_close(vector_distance(ours * 7, theirs * torch.rand(6, 1), YES, **settings), one)


@pytest.mark.parametrize("distance", ["l1", "l2", "cosine"])
@pytest.mark.parametrize("width", [3, 700])
def test_it_is_zero_where_both_point_the_same_way_and_bounded_whatever_the_width(distance, width):
    ours = vectors(6, width)
    settings = {"distance": distance, "temperature": 0.1}
    assert vector_distance(ours, 3 * ours, YES, **settings).abs().max() < 1e-5
    opposite = vector_distance(ours, -ours, YES, **settings)
    assert (opposite <= {"l1": 2, "l2": 4, "cosine": 2}[distance] + 1e-4).all()
    assert (opposite > 1).all()


def test_l2_and_cosine_are_those_of_scipy():
    ours, theirs = vectors(6, 9), vectors(6, 9, seed=1)
    expected = [cosine(u, v) for u, v in zip(ours.double().numpy(), theirs.double().numpy(), strict=True)]
    for distance, factor in (("cosine", 1), ("l2", 2)):
        found = vector_distance(ours, theirs, YES, distance=distance, temperature=1.0)
        np.testing.assert_allclose(found, np.array(expected) * factor, rtol=1e-5)
    assert levelled(ours).square().mean(dim=1).numpy() == pytest.approx(np.ones(6), rel=1e-5)


def test_infonce_is_least_where_each_is_nearest_to_its_own():
    ours = torch.eye(6)
    settings = {"distance": "infonce", "temperature": 0.05}
    right = vector_distance(ours, ours, YES, **settings)
    assert right.numpy() == pytest.approx(np.full(6, -np.log(6)), abs=1e-4)
    assert (vector_distance(ours, ours.roll(1, 0), YES, **settings) > 5).all()


def test_a_row_without_the_modality_or_without_weight_moves_nothing():
    objective, embedding = Unimodal("image.pooled", 4, 3), vectors(5, 4).requires_grad_()
    theirs = vectors(5, 3, seed=1)
    theirs[1] = 0
    student = Output(valid=torch.tensor([True, True, False, True, True]), embedding=embedding)
    teacher = Output(valid=torch.tensor([True, True, True, False, True]), features={"image.pooled": theirs})
    term = objective(batch(5), student, teacher, torch.tensor([0.5, 9.0, 9.0, 9.0, 0.0]))
    assert float(term.count) == 2
    whole = objective(batch(5), student, teacher)
    assert float(whole.count) == 2
    term.total.backward()
    assert embedding.grad is not None
    assert (embedding.grad[1:] == 0).all()
    assert (embedding.grad[0] != 0).any()


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match=r"temperature 0\.0"):
        Unimodal("image.pooled", 4, 3, distance="infonce", temperature=0.0)
    with pytest.raises(ValueError, match="l3"):
        check_distance("l3", 0.1)


def test_a_teacher_that_does_not_say_the_feature_is_named():
    with pytest.raises(ValueError, match=r"image\.pooled"):
        Unimodal("image.pooled", 4, 3)(batch(6), Output(YES, embedding=vectors(6, 4)), Output(YES, source="bert"))
