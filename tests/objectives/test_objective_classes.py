"""From a number to its class: the tables of the sentiment formats, ties, two classes, and what is refused."""

import numpy as np
import pytest
import torch

from understudy.batches.batch import Batch, Output
from understudy.objectives import ClassCrossEntropy
from understudy.objectives.classes import binned_class, nearest_class
from understudy.tasks.metrics import binned, rounded

SEVEN = torch.arange(-3.0, 4.0)


def given(target, classes: int) -> tuple[Batch, Output]:
    rows = len(target)
    every = torch.ones(rows, dtype=torch.bool)
    logits = torch.randn(rows, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    batch = Batch({}, {}, torch.tensor(target), every, tuple(map(str, range(rows))))
    return batch, Output(valid=every, features={"classes": logits}, source="the teacher")


@pytest.mark.parametrize(
    ("value", "wanted"), [(0.3, 0), (0.5, 0), (0.51, 1), (1.5, 2), (2.5, 2), (-2.5, -2), (-0.5, 0), (5.0, 3), (-9.0, -3)]
)
def test_rounding_as_the_table_of_the_formats(value, wanted):
    assert nearest_class(torch.tensor([value]), SEVEN)[0].item() - 3 == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(-2, -2), (-2.01, -3), (-1, -1), (-0.01, -1), (0, 0), (0.01, 1), (1, 1), (1.01, 2), (2, 2), (2.01, 3), (9, 3), (0.3, 1)],
)
def test_bins_as_the_table_of_the_formats(value, wanted):
    assert binned_class(torch.tensor([float(value)]), SEVEN)[0].item() - 3 == wanted


def test_prompts_and_acc7_agree_on_every_fifth_of_a_point():
    values = np.round(np.arange(-40, 41) / 10, 1)
    tensor = torch.tensor(values, dtype=torch.float32)
    assert np.array_equal(nearest_class(tensor, SEVEN)[0].numpy() - 3, rounded(values, 3))
    assert np.array_equal(binned_class(tensor, SEVEN)[0].numpy() - 3, binned(values))


def test_two_classes_are_signs_and_zero_counts_nowhere():
    objective, (batch, output) = ClassCrossEntropy((-3.0, 3.0)), given([-0.2, 0.0, 2.0], 2)
    term = objective(batch, output)
    term.total.backward()
    log = output.features["classes"].detach().log_softmax(dim=1)
    assert float(term.count) == 2
    assert float(term.total.detach()) == pytest.approx(float(-log[0, 0] - log[2, 1]))
    assert (output.features["classes"].grad[1] == 0).all()


def test_other_scales():
    five = torch.linspace(-1, 1, 5)
    assert nearest_class(torch.tensor([0.25, 0.26, -0.25, 0.75, -1.0]), five)[0].tolist() == [2, 3, 2, 4, 0]
    uneven = torch.tensor([0.0, 1.0, 10.0])
    assert nearest_class(torch.tensor([0.4, 5.4, 5.6]), uneven)[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("anchors", "rule", "message"),
    [
        ((1.0,), "round", "two or more"),
        ((1.0, 0.0), "round", "must ascend"),
        ((0.0, 1.0, 3.0), "bin", "evenly spaced"),
        ((-3.0, 3.0), "bin", "odd number"),
    ],
)
def test_impossible_settings_are_refused(anchors, rule, message):
    with pytest.raises(ValueError, match=message):
        ClassCrossEntropy(anchors, rule=rule)


def test_prompts_that_do_not_match_the_anchors_are_named():
    with pytest.raises(ValueError, match="the teacher gives 4 classes"):
        ClassCrossEntropy((-3.0, 3.0))(*given([1.0], 4))
