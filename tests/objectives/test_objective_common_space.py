"""CommonSpace: where its tokens and vectors are drawn to, and what it refuses."""

import pytest
import torch

from toy import CLASSES, NUMBER, toy_batch
from understudy.batches.batch import Output
from understudy.objectives import CommonSpace


def said(rows: int, **vectors: torch.Tensor) -> Output:
    return Output(valid=torch.ones(rows, dtype=torch.bool), features=vectors, source="student")


def test_vectors_and_tokens_of_a_class_meet():
    torch.manual_seed(0)
    objective, batch = CommonSpace(["x", "y"], 4, CLASSES), toy_batch(CLASSES, 12)
    vectors = {name: torch.randn(12, 4).requires_grad_() for name in "xy"}
    optimiser = torch.optim.SGD([*vectors.values(), objective.tokens], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        objective(batch, said(12, **vectors)).total.backward()
        optimiser.step()
    assert float(objective(batch, said(12, **vectors)).total.detach()) < 1e-3
    classes = batch.target[batch.labelled].unique()
    for c in classes:
        rows = batch.labelled & (batch.target == c)
        torch.testing.assert_close(vectors["x"][rows], objective.tokens[c].expand(int(rows.sum()), -1), atol=0.03, rtol=0)


def test_a_row_counts_what_it_has():
    torch.manual_seed(0)
    objective, batch = CommonSpace(["x", "y"], 4, NUMBER, by="nearest", tokens=3), toy_batch(NUMBER, 6)
    x = torch.randn(6, 4)
    both, alone = (objective(batch, said(6, x=x, y=y)) for y in (x, torch.zeros(6, 4)))
    torch.testing.assert_close(both.total, 2 * alone.total)
    assert float(both.count) == float(alone.count) == 6


def test_a_number_has_no_class_to_be_drawn_to():
    with pytest.raises(ValueError, match="a regression has no classes; use 'nearest'"):
        CommonSpace(["x"], 4, NUMBER)
