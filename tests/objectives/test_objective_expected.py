"""Step 1 by hand: its value, and who takes the gradient."""

import pytest
import torch

from understudy.batches.batch import Batch, Output
from understudy.objectives import ExpectedValue


def given() -> tuple[Batch, Output]:
    every = torch.tensor([True, True, False])
    logits, expected = (
        torch.tensor([[1.0], [-2.0], [9.0]]).requires_grad_(),
        torch.tensor([0.5, 1.0, float("nan")]).requires_grad_(),
    )
    batch = Batch({}, {}, torch.zeros(3), torch.zeros(3, dtype=torch.bool), ("a", "b", "c"))
    return batch, Output(valid=every, logits=logits, features={"expected": expected}, source="teacher")


@pytest.mark.parametrize(("distance", "total"), [("l1", 3.5), ("mse", 9.25), ("smooth_l1", 0.125 + 2.5)])
def test_rows_without_a_label_count(distance, total):
    term = ExpectedValue(distance=distance)(*given())
    assert float(term.count) == 2
    assert float(term.total.detach()) == pytest.approx(total)


@pytest.mark.parametrize("detach", [True, False])
def test_the_expected_value_takes_a_gradient_only_where_asked(detach):
    batch, output = given()
    ExpectedValue(detach=detach)(batch, output).total.backward()
    assert output.logits.grad[:, 0].tolist() == [1, -1, 0]
    found = output.features["expected"].grad
    assert found is None if detach else found.tolist() == [-1, 1, 0]


def test_a_teacher_without_class_prompts_is_named():
    batch, output = given()
    with pytest.raises(ValueError, match="linear gives no 'expected'"):
        ExpectedValue()(batch, Output(valid=output.valid, logits=output.logits, source="linear"))
