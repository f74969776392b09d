"""LSKD: its weighting, on rows with and without a label, and tasks that have nothing to standardise."""

import pytest
import torch
from torch.nn.functional import kl_div

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods.lskd import LSKD
from understudy.tasks import Choice, Classification, Task
from understudy.teachers.teacher import Frozen


def player(task: Task = CLASSES, **options: float) -> LSKD:
    return LSKD(toy_model(task, "x", seed=1), Frozen(toy_model(task, "x", "y", width=7, seed=2)), **options).eval()


def test_all_rows_are_pulled_with_the_weight():
    method, batch = player(weight=3.0, temperature=4.0), toy_batch(CLASSES, 32)
    batch.labelled[:] = False
    terms, rows = method(batch), batch.present["x"]
    logits = [each(batch).need("logits")[rows] for each in (method.student, method.teacher)]
    scaled = [(x - x.mean(1, keepdim=True)) / x.std(1, correction=0, keepdim=True) / 4 for x in logits]
    ours, theirs = (x.log_softmax(1) for x in scaled)
    assert float(terms["lskd"].count) == rows.sum() > 3
    torch.testing.assert_close(terms["lskd"].total, 3 * 16 * kl_div(ours, theirs, reduction="sum", log_target=True))


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"temperature": 0.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .*given"):
        player(**wrong)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (NUMBER, "a regression has no classes"),
        (Classification(classes=("a", "b")), "2 classes"),
        (Choice(choices=2), "2 classes"),
    ],
)
def test_what_has_nothing_to_standardise_is_refused_before_a_run_begins(task, said):
    with pytest.raises(ValueError, match=f"{said}.*; use kd"):
        LSKD.check(task, {})


def test_three_classes_or_choices_are_enough():
    for task in (CLASSES, Choice(choices=3)):
        LSKD.check(task, {})
