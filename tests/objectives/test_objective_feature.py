"""Feature regression: widths may differ, the projection trains, and an exact projection costs nothing."""

import torch

from understudy.batches.batch import Batch, Output
from understudy.objectives import FeatureRegression


def case(student: torch.Tensor, teacher: torch.Tensor) -> tuple[Batch, Output, Output]:
    rows = torch.ones(len(student), dtype=torch.bool)
    batch = Batch({}, {}, torch.zeros(len(student)), rows, tuple(map(str, range(len(student)))))
    return batch, Output(valid=rows, embedding=student), Output(valid=rows, embedding=teacher)


def test_the_exact_projection_costs_nothing():
    student, exact = torch.randn(8, 3), torch.randn(5, 3)
    objective = FeatureRegression(3, 5)
    objective.load_state_dict({"projection.weight": exact})
    assert objective(*case(student, student @ exact.T)).total < 1e-9


def test_the_projection_trains_towards_least_squares():
    student, teacher = torch.randn(32, 3), torch.randn(32, 4)
    objective = FeatureRegression(3, 4)
    objective(*case(student, teacher)).total.backward()
    assert objective.projection.weight.grad.abs().max() > 0.1
    objective.load_state_dict({"projection.weight": torch.linalg.lstsq(student, teacher).solution.T})
    objective.zero_grad()
    objective(*case(student, teacher)).total.backward()
    assert objective.projection.weight.grad.abs().max() < 1e-4


def test_width_does_not_change_the_weight():
    student = torch.randn(8, 3)
    narrow, wide = FeatureRegression(3, 1), FeatureRegression(3, 1000)
    for objective in (narrow, wide):
        torch.nn.init.zeros_(objective.projection.weight)
    torch.testing.assert_close(narrow(*case(student, torch.ones(8, 1))).total, wide(*case(student, torch.ones(8, 1000))).total)
