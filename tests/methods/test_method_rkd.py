"""RKD: its weighting, rows without a label, and a number as target."""

import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods import RKD
from understudy.objectives import RKD as Relations
from understudy.teachers.teacher import Ensemble, Frozen


def player(task=CLASSES, **options):
    return RKD(toy_model(task, "x", seed=1), Frozen(toy_model(task, "x", "y", width=7, seed=2)), **options).eval()


@pytest.mark.parametrize("task", [CLASSES, NUMBER])
def test_relations_of_all_rows_are_pulled_with_their_weights(task):
    method, batch = player(task, distance=2.0, angle=3.0), toy_batch(task, 32)
    batch.labelled[:] = False
    terms, rows = method(batch), batch.present["x"]
    points = (player(batch).need("embedding")[rows] for player in (method.student, method.teacher))
    expected, _ = Relations(distance=2.0, angle=3.0).difference(*points, torch.ones(int(rows.sum()), dtype=torch.bool))
    assert float(terms["supervised"].count) == 0
    assert float(terms["rkd"].count) == rows.sum() > 3
    torch.testing.assert_close(terms["rkd"].total, expected)


def test_without_weight_the_teacher_is_not_asked():
    assert list(player(distance=0.0, angle=0.0)(toy_batch(CLASSES, 8))) == ["supervised"]


@pytest.mark.parametrize("wrong", [{"distance": -1.0}, {"angle": float("nan")}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match="finite and at least 0"):
        player(**wrong)


def test_a_teacher_without_an_embedding_is_refused():
    ensemble = Ensemble([Frozen(toy_model(CLASSES, "x", seed=n)) for n in range(2)])
    with pytest.raises(ValueError, match=r"gives no embedding.*single teacher"):
        RKD(toy_model(CLASSES, "x"), ensemble)
    assert RKD.embeds()
