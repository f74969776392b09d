"""DKD: its weighting, its warm-up, and tasks that have no other classes."""

import warnings
from dataclasses import replace

import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch, toy_loader, toy_model
from understudy.methods import DKD
from understudy.objectives.dkd import decoupled
from understudy.tasks import Classification
from understudy.teachers.teacher import Frozen
from understudy.training.fit import Plan, fit


def player(task=CLASSES, kind=DKD, **options):
    return kind(toy_model(task, "x", seed=1), Frozen(toy_model(task, "x", "y", width=7, seed=2)), **options).eval()


def test_labelled_rows_alone_teach_with_the_weight():
    method, batch = player(weight=3.0, beta=8.0, temperature=4.0), toy_batch(CLASSES, 32)
    terms, rows = method(batch), batch.present["x"] & batch.labelled
    logits = (player(batch).need("logits")[rows] for player in (method.student, method.teacher))
    expected, _ = decoupled(*logits, batch.target[rows], beta=8.0, temperature=4.0)
    assert float(terms["dkd"].count) == rows.sum() > 3
    torch.testing.assert_close(terms["dkd"].total, 3 * expected.sum())


def test_all_rows_unlabelled_or_of_one_class():
    batch = toy_batch(CLASSES, 16)
    none = player()(replace(batch, labelled=torch.zeros(16, dtype=torch.bool)))
    assert float(none["dkd"].count) == float(none["dkd"].total.detach()) == 0
    one = player()(replace(batch, target=torch.ones_like(batch.target)))
    assert one["dkd"].total.isfinite()


def test_the_weight_grows_over_the_warm_up():
    method, batch, found = player(warmup=4), toy_batch(CLASSES, 16), []
    for method.update in (0, 1, 4, 9):
        found.append(float(method(batch)["dkd"].total.detach()))
    assert found == pytest.approx([0, found[2] / 4, found[2], found[2]])
    assert found[2] == float(player()(batch)["dkd"].total.detach())


def test_the_weight_is_one_within_an_update_of_several_batches():
    class Watched(DKD):
        """Keeps every weight it was asked for."""

        weights: list[float]

        def pulls(self):
            found = super().pulls()
            self.weights.append(found["dkd"][1])
            return found

    method = player(kind=Watched, warmup=4)
    method.weights = []
    fit(method, toy_loader(CLASSES), plan=Plan(epochs=2, accumulate=2), seed=0, quiet=True)
    asked = 4  # Both batches of an update, each rehearsed once.
    assert method.weights == [grown / 4 for grown in range(4) for _ in range(asked)]


def test_two_classes_warn_that_beta_does_nothing_and_three_do_not():
    with pytest.warns(UserWarning, match="beta 4.0 has no effect with two classes"):
        player(Classification(classes=("a", "b")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        player()


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"beta": -1.0}, {"temperature": 0.0}, {"warmup": -1}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .*given"):
        player(**wrong)


def test_a_number_is_refused_before_a_run_begins():
    with pytest.raises(ValueError, match="a regression has no classes; use kd"):
        DKD.check(NUMBER, {})
