"""Cross-fitted teachers: a row is answered by who never saw it; temperatures; computed answers."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from understudy.batches.batch import Batch, Output
from understudy.tasks import Classification, Regression
from understudy.tasks.calibration import temperature_of
from understudy.teachers.crossfit import Calibrated, Computed, CrossFitted
from understudy.teachers.teacher import Teacher

TASK = Classification(classes=("no", "yes"))


class Says(Teacher):
    """The same logits to every row; knows nobody whose id is in `blind`."""

    width, modalities, views = None, ("a",), {}

    def __init__(self, logits, task=TASK, blind=()):
        self.logits, self.task, self.blind = torch.tensor(logits), task, blind

    def __call__(self, batch):
        valid = torch.tensor([key not in self.blind for key in batch.id])
        return Output(valid=valid, logits=self.logits.expand(len(batch.id), -1) * valid[:, None])

    @property
    def identity(self):
        return str(self.logits.tolist())


def batch(*ids):
    return Batch({}, {}, torch.zeros(len(ids)), torch.ones(len(ids), dtype=torch.bool), ids)


def test_a_row_is_answered_by_the_teacher_of_its_fold():
    teacher = CrossFitted([Says([2.0, 0.0]), Says([0.0, 4.0])], {"x": 0, "y": 1})
    found = teacher(batch("x", "y", "other")).need("logits").softmax(dim=1).numpy()
    each = softmax([[2.0, 0.0], [0.0, 4.0]], axis=1)
    assert found[:2] == pytest.approx(each)
    assert found[2] == pytest.approx(each.mean(axis=0))
    assert teacher.identity != CrossFitted(teacher.teachers, {"x": 1, "y": 1}).identity


def test_numbers_are_averaged_and_a_teacher_that_cannot_see_is_not_replaced():
    teacher = CrossFitted([Says([2.0], Regression(), blind=("x",)), Says([4.0], Regression())], {"x": 0})
    found = teacher(batch("x", "other"))
    assert found.valid.tolist() == [False, True]
    assert found.need("logits")[:, 0].tolist() == [0, 3]


def test_the_temperature_is_found_again():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3)) * 2
    target = np.array([random.choice(3, p=p) for p in softmax(logits, axis=1)])
    assert temperature_of(logits * 5, target) == pytest.approx(5, rel=0.1)
    assert temperature_of(logits / 3, target) == pytest.approx(1 / 3, rel=0.1)
    assert temperature_of(logits[:0], target[:0]) == 1
    cooled = Calibrated(Says([2.0, 0.0]), 4.0)(batch("x"))
    assert cooled.need("logits").tolist() == [[0.5, 0]]


def test_computed_answers_are_found_by_id():
    teacher = Computed(["x", "y"], np.array([[1, 2], [3, 4]], np.float32), task=TASK, modalities=["a"])
    found = teacher(batch("y", "z"))
    assert found.valid.tolist() == [True, False]
    assert found.need("logits").tolist() == [[3, 4], [0, 0]]
    assert teacher.views == {}
