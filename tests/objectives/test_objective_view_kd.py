"""View KD: weights of rows and modalities, and any divergence of answers in its place."""

from dataclasses import replace

import pytest
import torch

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.objectives.kd import AnswerKD

ROWS = torch.ones(6, dtype=torch.bool)
BATCH = Batch({}, {}, torch.zeros(6), ROWS, tuple("abcdef"))


def said(seed: int) -> Output:
    draw = torch.Generator().manual_seed(seed)
    return Output(ROWS, features={f"{m}.shown": torch.randn(6, 3, generator=draw).requires_grad_() for m in ("x", "y")})


@pytest.mark.parametrize("of", [objectives.LogitKD(), objectives.BernoulliKD(), objectives.RegressionKD(distance="mse")])
def test_each_modality_weighs_what_it_is_told(of: AnswerKD):
    student, teacher = said(0), said(1)
    weight = torch.rand(6, 2, generator=torch.Generator().manual_seed(2))
    total = objectives.ViewKD(("x", "y"), of)(BATCH, student, teacher, weight).total
    alone = [of.divergence(student.features[f"{m}.shown"], teacher.features[f"{m}.shown"]) for m in ("x", "y")]
    torch.testing.assert_close(total, (torch.stack(alone, dim=1) * weight).sum())
    total.backward()
    assert all(value.grad.any() for value in student.features.values())
    assert all(value.grad is None for value in teacher.features.values())


def test_a_modality_that_a_row_lacks_adds_nothing_and_the_row_still_counts():
    student, teacher = said(0), said(1)
    teacher.features["y.shown"].data[:4] = 0
    objective = objectives.ViewKD(("x", "y"), objectives.LogitKD())
    rows, losses = objective.losses(student, teacher)
    assert rows.all()
    assert (losses[:4, 1] == 0).all()
    assert (losses[4:, 1] > 0).all()
    term = objective(BATCH, student, teacher)
    term.total.backward()
    assert float(term.count) == 6
    assert not student.features["y.shown"].grad[:4].any()


def test_rows_count_by_their_weight():
    student, teacher, times = said(0), said(1), torch.tensor([0.0, 1, 2, 3, 1, 1])
    objective = objectives.ViewKD(("x",), objectives.LogitKD())
    term = objective(replace(BATCH, weight=times), student, teacher)
    torch.testing.assert_close(term.total, (objective.losses(student, teacher)[1][:, 0] * times).sum())
    assert float(term.count) == 8
