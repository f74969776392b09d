"""The plain control: one term, the task's loss, and nothing of rows without labels."""

import torch
from torch.nn.functional import cross_entropy

from toy import CLASSES, toy_batch, toy_model
from understudy.methods import Supervised


def test_is_the_tasks_loss_on_labelled_rows():
    method, batch = Supervised(toy_model(CLASSES, "x")).eval(), toy_batch(CLASSES, 16)
    terms = method(batch)
    rows = batch.labelled & batch.present["x"]
    expected = cross_entropy(method.student(batch).logits[rows], batch.target[rows])
    assert list(terms) == ["supervised"]
    torch.testing.assert_close(terms["supervised"].total / terms["supervised"].count, expected)


def test_a_batch_must_hold_the_students_views_only():
    method = Supervised(toy_model(CLASSES, "x"))
    assert list(method.views()) == ["x"]
    assert list(method.views()["x"]) == [method.student.views["x"].key]
