"""PKT: its weighting and rows without a label."""

import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods import PKT
from understudy.objectives.pkt import neighbour_divergence
from understudy.teachers.teacher import Frozen


def player(task=CLASSES, **options):
    return PKT(toy_model(task, "x", seed=1), Frozen(toy_model(task, "x", "y", width=7, seed=2)), **options).eval()


@pytest.mark.parametrize("task", [CLASSES, NUMBER])
def test_neighbourhoods_of_all_rows_are_pulled_with_their_weight(task):
    method, batch = player(task, weight=3.0), toy_batch(task, 32)
    batch.labelled[:] = False
    terms, rows = method(batch), batch.present["x"]
    points = (player(batch).need("embedding")[rows] for player in (method.student, method.teacher))
    expected, _ = neighbour_divergence(*points, torch.ones(int(rows.sum()), dtype=torch.bool))
    assert float(terms["pkt"].count) == rows.sum() > 3
    torch.testing.assert_close(terms["pkt"].total, 3 * expected)


def test_without_weight_the_teacher_is_not_asked():
    assert list(player(weight=0.0)(toy_batch(CLASSES, 8))) == ["supervised"]


def test_an_impossible_weight_is_refused():
    with pytest.raises(ValueError, match=r"weight -1\.0 given"):
        player(weight=-1.0)
