"""What the contract suite cannot know of similarity preserving: what it is blind to, and rows without length."""

import pytest
import torch

from understudy.objectives.similarity import product_difference

STUDENT, TEACHER = (torch.randn(9, width, generator=torch.Generator().manual_seed(width)) for width in (4, 6))
EVERY = torch.ones(9, dtype=torch.bool)


def test_rotation_and_scale_change_nothing_but_a_shift_does():
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0]
    one, two = (product_difference(x, TEACHER, EVERY) for x in (STUDENT, -3 * STUDENT @ turn))
    torch.testing.assert_close(one, two)
    assert (product_difference(STUDENT + 1, TEACHER, EVERY) - one).abs().max() > 0.01


@pytest.mark.parametrize("points", [torch.zeros(9, 4), torch.ones(9, 4)])
def test_rows_without_length_and_equal_rows_are_finite(points):
    leaf = points.clone().requires_grad_()
    loss = product_difference(leaf, TEACHER, EVERY)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert leaf.grad.isfinite().all()
