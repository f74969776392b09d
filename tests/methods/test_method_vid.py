"""VID: its weighting, and what trains beside the student and stays behind."""

import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods import VID
from understudy.teachers.teacher import Frozen


def player(task=CLASSES, **options):
    torch.manual_seed(0)
    return VID(toy_model(task, "x", seed=1), Frozen(toy_model(task, "x", "y", width=7, seed=2)), **options).eval()


@pytest.mark.parametrize("task", [CLASSES, NUMBER])
def test_the_teachers_features_are_predicted_on_all_rows(task):
    method, batch = player(task, weight=3.0, variance=2.0), toy_batch(task, 32)
    batch.labelled[:] = False
    terms, rows = method(batch), batch.present["x"]
    student, teacher = (player(batch).need("embedding")[rows] for player in (method.student, method.teacher))
    mean = method.prediction.mean(student)
    expected = ((teacher - mean).square() / 2 + torch.tensor(2.0).log()) / 2
    assert float(terms["vid"].count) == rows.sum()
    torch.testing.assert_close(terms["vid"].total, 3 * expected.mean(dim=1).sum())


def test_the_prediction_trains_and_does_not_ship():
    method = player()
    assert "prediction" in {group.player for group in method.groups()}
    assert not any("prediction" in key for key in method.student.state_dict())


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"variance": 0.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .* given"):
        player(**wrong)
