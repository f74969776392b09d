"""CRD: where its negatives come from, and that its memory moves with the steps alone."""

import numpy as np
import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods import CRD
from understudy.teachers.teacher import Frozen

IDS = [f"r{row}" for row in range(40)]
TARGET, ALL = np.arange(40) % 3, np.ones(40, dtype=bool)


def player(task=CLASSES, **options):
    torch.manual_seed(0)
    teacher = Frozen(toy_model(task, "x", "y", width=7, seed=2))
    return CRD(toy_model(task, "x", seed=1), teacher, negatives=9, dimension=8, **options)


@pytest.mark.parametrize(
    ("task", "labelled", "expected"), [(CLASSES, 40, "classes"), (CLASSES, 39, "instances"), (NUMBER, 40, "instances")]
)
def test_negatives_are_of_other_classes_where_every_row_has_one(task, labelled, expected):
    method = player(task)
    method.meet(IDS, TARGET if task.discrete else TARGET.astype(float), np.arange(40) < labelled)
    assert method.memory.contrast == expected
    term = method(toy_batch(task, 32))["crd"]
    assert float(term.count) == toy_batch(task, 32).present["x"].sum()


def test_labelled_rows_alone_are_contrasted_by_class_where_that_is_asked_for():
    method, batch = player(contrast="classes"), toy_batch(CLASSES, 32)
    method.meet(IDS, TARGET, np.arange(40) < 10)
    assert float(method(batch)["crd"].count) == batch.present["x"][:10].sum()


def test_the_memory_moves_after_a_step_and_never_in_forward():
    method, batch = player(), toy_batch(CLASSES, 8)
    method.train().meet(IDS, TARGET, ALL)
    before = method.memory.left_bank.clone()
    method(batch)["crd"].total.backward()
    assert torch.equal(method.memory.left_bank, before)
    method.after_step()
    assert (method.memory.left_bank != before).any(dim=1).sum() == batch.present["x"].sum()
    assert method.memory.left_bank.grad is None


def test_rows_that_were_never_met_and_classes_of_a_number_are_refused():
    with pytest.raises(ValueError, match=r"call meet\(\)"):
        player()(toy_batch(CLASSES, 8))
    with pytest.raises(ValueError, match="contrast='classes' needs classes"):
        CRD.check(NUMBER, {}, contrast="classes")
    with pytest.raises(ValueError, match="same class"):
        player(positive="relax")


@pytest.mark.parametrize("wrong", [{"weight": -1.0}, {"tau": 0.0}, {"momentum": 1.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match="given"):
        player(**wrong)
