"""What the contract suite cannot know of standardised distillation: what it is blind to, and rows without a scale."""

import pytest
import torch

from understudy.objectives.lskd import LSKD, standardised

STUDENT, TEACHER = 3 * torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))


def test_rows_have_mean_0_and_deviation_1():
    rows = standardised(STUDENT)
    torch.testing.assert_close(rows.mean(dim=1), torch.zeros(7))
    torch.testing.assert_close(rows.std(dim=1, correction=0), torch.ones(7))


def test_size_and_shift_of_a_row_change_nothing_but_its_order_does():
    scale, shift = torch.linspace(0.1, 20, 7)[:, None], torch.linspace(-5, 5, 7)[:, None]
    divergence = LSKD(temperature=2.0).divergence
    one = divergence(STUDENT, TEACHER)
    torch.testing.assert_close(divergence(scale * STUDENT + shift, TEACHER), one, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(divergence(STUDENT, scale * TEACHER + shift), one, rtol=1e-4, atol=1e-5)
    assert (divergence(-STUDENT, TEACHER) - one).abs().min() > 0.01


@pytest.mark.parametrize("level", [0.0, 3.0, -1e4])
def test_rows_of_equal_logits_are_finite(level):
    leaf = torch.full((7, 5), level).requires_grad_()
    loss = LSKD().divergence(leaf, TEACHER)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert leaf.grad.isfinite().all()


def test_two_classes_have_no_gradient():
    leaf = STUDENT[:, :2].clone().requires_grad_()
    LSKD().divergence(leaf, TEACHER[:, :2]).sum().backward()
    assert leaf.grad.abs().max() < 1e-5
