"""Step 1 by hand: its value, who takes the gradient, the map from expectation to number, and the guard against harm."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives import ExpectedValue
from understudy.objectives.expected import ClassStructure
from understudy.tasks import Regression

TASK = Regression(mean=0.5, scale=2.0)


def given(*, labelled: tuple[bool, ...] = (False, False, False)) -> tuple[Batch, Output]:
    every = torch.tensor([True, True, False])
    logits, expected = (
        torch.tensor([[1.0], [-2.0], [9.0]]).requires_grad_(),
        torch.tensor([0.5, 1.0, float("nan")]).requires_grad_(),
    )
    batch = Batch({}, {}, torch.tensor([2.5, -3.5, 0.0]), torch.tensor(labelled), ("a", "b", "c"))
    return batch, Output(valid=every, logits=logits, features={"expected": expected}, source="teacher")


def loss(objective: ExpectedValue, number: Tensor, expected: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    rows = torch.ones(len(number), dtype=torch.bool)
    batch = Batch({}, {}, target, labelled, tuple(map(str, range(len(rows)))))
    return objective(batch, Output(valid=rows, logits=number[:, None], features={"expected": expected})).total


@pytest.mark.parametrize(("distance", "total"), [("l1", 3.5), ("mse", 9.25), ("smooth_l1", 0.125 + 2.5)])
def test_rows_without_a_label_count(distance, total):
    term = ExpectedValue(TASK, distance=distance, guarded=False)(*given())
    assert float(term.count) == 2
    assert float(term.total.detach()) == pytest.approx(total)


@pytest.mark.parametrize("detach", [True, False])
def test_the_expected_value_takes_a_gradient_only_where_asked(detach):
    objective, (batch, output) = ExpectedValue(TASK, detach=detach, guarded=False), given()
    objective(batch, output).total.backward()
    assert output.logits.grad[:, 0].tolist() == [1, -1, 0]
    found = output.features["expected"].grad
    assert found is None if detach else found.tolist() == [-1, 1, 0]
    assert all(p.grad is None for p in objective.parameters()), "the map is fitted on labels alone"


def test_the_map_is_fitted_on_labels_and_moves_nothing_else():
    objective, (batch, output) = ExpectedValue(TASK), given(labelled=(True, True, True))
    term = objective.fit(batch, output)
    # Standardised targets are 1 and -2.
    assert float(term.total.detach()) == pytest.approx(0.5 + 3.0)
    assert float(term.count) == 2
    term.total.backward()
    assert objective.log_slope.grad == 0.5 * -1 + 1.0, "the second one lies above its label, the first below"
    assert objective.offset.grad == 0
    assert output.features["expected"].grad is None


def test_classes_that_are_too_sure_are_brought_to_scale():
    """What the classes expect is 3 times the truth plus 2: the map learns 1 / 3 and - 2 / 3, and stays monotone."""
    torch.manual_seed(0)
    objective, z = ExpectedValue(replace(TASK, mean=0.0, scale=1.0)), torch.randn(512)
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.05)
    batch = Batch({}, {}, z, torch.ones(512, dtype=torch.bool), tuple(map(str, range(512))))
    output = Output(valid=batch.labelled, logits=z[:, None], features={"expected": 3 * z + 2})
    for _ in range(200):
        optimiser.zero_grad()
        objective.fit(batch, output).total.backward()
        optimiser.step()
    assert objective.log_slope.exp().item() == pytest.approx(1 / 3, abs=0.03)
    assert objective.offset.item() == pytest.approx(-2 / 3, abs=0.05)


def test_a_guarded_step_never_pulls_a_labelled_row_away_from_its_label():
    torch.manual_seed(0)
    objective, task = ExpectedValue(replace(TASK, mean=0.0, scale=1.0)), replace(TASK, mean=0.0, scale=1.0)
    number, expected, target = torch.randn(3, 400)
    number.requires_grad_()
    loss(objective, number, expected, target, torch.ones(400, dtype=torch.bool)).backward()
    assert number.grad is not None
    slope = torch.sign(number.detach() - target)
    assert ((number.grad == 0) | (number.grad == slope)).all()
    assert 0.2 < (number.grad != 0).float().mean() < 0.8
    away = task.loss(number.detach()[:, None], target) <= task.loss(expected[:, None], target)
    assert (number.grad[away] == 0).all(), "where the classes know less they are silent"


def test_rows_without_a_label_are_pulled_as_far_as_the_classes_are_right_on_the_labelled_ones():
    number, target, labelled = torch.zeros(6), torch.ones(6), torch.tensor([True, True, True, True, False, False])
    expected = torch.tensor([0.9, 0.8, 0.7, -1.0, 0.5, 0.5])
    objective = ExpectedValue(replace(TASK, mean=0.0, scale=1.0))
    assert float(loss(objective, number, expected, target, labelled)) == pytest.approx(0.9 + 0.8 + 0.7 + 0.75 * (0.5 + 0.5))
    assert float(loss(objective, number, expected, target, ~torch.ones(6, dtype=torch.bool))) == 0, "nobody vouches for them"


def test_a_teacher_without_class_prompts_is_named():
    batch, output = given()
    with pytest.raises(ValueError, match="linear gives no 'expected'"):
        ExpectedValue(TASK)(batch, Output(valid=output.valid, logits=output.logits, source="linear"))


def test_the_structure_of_the_classes_teaches_the_embedding():
    torch.manual_seed(0)
    logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]]).requires_grad_()
    embedding, every = torch.randn(4, 3).requires_grad_(), torch.ones(4, dtype=torch.bool)
    batch = Batch({}, {}, torch.zeros(4), every, ("a", "b", "c", "d"))
    objective = ClassStructure(temperature=0.5)
    optimiser = torch.optim.Adam([embedding], lr=0.1)
    first = last = math.nan
    for step in range(100):
        optimiser.zero_grad()
        term = objective(batch, Output(valid=every, logits=logits, embedding=embedding))
        term.total.backward()
        optimiser.step()
        first, last = (float(term.total.detach()) if step == 0 else first), float(term.total.detach())
    assert logits.grad is None
    assert last < 0.05 * first
    near = torch.nn.functional.cosine_similarity(embedding[:, None], embedding[None], dim=2)
    assert near[0, 1] > 0.9 > near[0, 2]
