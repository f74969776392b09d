"""Consistency: which side is moved, and the entropy beside it."""

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from toy import CLASSES, toy_batch
from understudy.batches.batch import Output
from understudy.objectives.consistency import Consistency, entropy
from understudy.tasks import MultiLabel

APART = MultiLabel(classes=("a", "b", "c"), entries=2)


def said(seed: int) -> Output:
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    return Output(torch.arange(8) < 6, logits, source="player")


def test_of_classes_that_are_apart_it_is_of_each():
    one, other = said(0), said(1)
    p, q = (expit(each.need("logits").detach().double().numpy()[:6]) for each in (one, other))
    found = Consistency(APART)(toy_batch(CLASSES, 8), one, other).total
    assert float(found) == pytest.approx(((p - q) ** 2).mean(axis=1).sum(), rel=1e-5)


@pytest.mark.parametrize("detach", [True, False])
def test_the_other_side_is_moved_where_it_is_not_only_a_target(detach):
    one, other = said(0), said(1)
    Consistency(CLASSES, detach=detach)(toy_batch(CLASSES, 8), one, other).total.backward()
    assert one.need("logits").grad.any()
    assert (other.need("logits").grad is None) == detach


def test_entropy_is_that_of_the_answers_and_takes_no_gradient():
    batch, one = toy_batch(CLASSES, 8), said(0)
    logits = one.need("logits").detach().double().numpy()[:6]
    p, q = softmax(logits, axis=1), expit(logits)
    found, apart = entropy(CLASSES, batch, one), entropy(APART, batch, one)
    assert float(found.total) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
    assert float(apart.total) == pytest.approx(-(q * np.log(q) + (1 - q) * np.log(1 - q)).sum(), rel=1e-5)
    assert float(found.count) == 6
    assert not found.total.requires_grad
