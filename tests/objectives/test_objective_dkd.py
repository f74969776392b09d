"""What the contract suite cannot know of decoupled distillation: its identity, its gradient, what the target may not touch."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import kl_div

from understudy.batches.batch import Batch, Output
from understudy.objectives import DKD, NonTargetKD
from understudy.objectives.dkd import decoupled, non_target_divergence
from understudy.objectives.kd import kl_divergence


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


STUDENT, TEACHER, TARGET = *(3 * numbers(2, 7, 5)), torch.tensor([0, 1, 2, 3, 4, 0, 2])


def parts(student: Tensor, teacher: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return tuple(decoupled(student, teacher, target, beta=b, temperature=1.0)[0] for b in (0.0, 1.0))  # type: ignore[return-value]


def test_the_parts_make_up_the_whole_divergence():
    binary, both = parts(STUDENT, TEACHER, TARGET)
    muted = 1 - TEACHER.softmax(1).gather(1, TARGET[:, None])[:, 0]
    torch.testing.assert_close(binary + muted * (both - binary), kl_divergence(STUDENT, TEACHER, temperature=1.0))
    torch.testing.assert_close(both - binary, non_target_divergence(STUDENT, TEACHER, TARGET, temperature=1.0))


def plain(student: Tensor, teacher: Tensor, target: Tensor, *, beta: float, temperature: float) -> Tensor:
    """Through autograd, without the classes that are left out."""
    p, q = (x.div(temperature).softmax(1) for x in (teacher, student))
    left = torch.ones_like(p, dtype=torch.bool).scatter(1, target[:, None], False)
    (a, m), (b, n) = ((x.gather(1, target[:, None]), x[left].view(len(x), -1)) for x in (p, q))
    binary = kl_div(torch.cat([b, 1 - b], 1).log(), torch.cat([a, 1 - a], 1), reduction="none").sum(1)
    rest = kl_div((n / n.sum(1, keepdim=True)).log(), m / m.sum(1, keepdim=True), reduction="none").sum(1)
    return temperature**2 * (binary + beta * rest)


@pytest.mark.parametrize(("beta", "temperature"), [(0.0, 1.0), (4.0, 2.0), (8.0, 0.5)])
def test_the_gradient_is_that_of_autograd(beta, temperature):
    student = STUDENT.double().requires_grad_()
    expected = plain(student, TEACHER.double(), TARGET, beta=beta, temperature=temperature)
    expected.sum().backward()
    loss, gradient = decoupled(STUDENT, TEACHER, TARGET, beta=beta, temperature=temperature)
    torch.testing.assert_close(loss.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), student.grad, rtol=1e-4, atol=1e-5)


def test_the_weight_of_the_term_reaches_the_gradient():
    leaf, valid = STUDENT.clone().requires_grad_(), torch.ones(7, dtype=torch.bool)
    batch = Batch({}, {}, TARGET, valid, tuple("abcdefg"))
    DKD()(batch, Output(valid, leaf), Output(valid, TEACHER)).times(0.25).total.backward()
    _, gradient = decoupled(STUDENT, TEACHER, TARGET, beta=4.0, temperature=2.0)
    torch.testing.assert_close(leaf.grad, gradient / 4)


def test_the_target_logit_has_no_part_in_the_others():
    moved = STUDENT.scatter_add(1, TARGET[:, None], 50 * numbers(7, 1, seed=1))
    given = (non_target_divergence(x, TEACHER, TARGET, temperature=2.0) for x in (STUDENT, moved))
    assert torch.equal(*given)


def test_two_classes_have_no_others():
    student, teacher, target = STUDENT[:, :2], TEACHER[:, :2], TARGET % 2
    assert non_target_divergence(student, teacher, target, temperature=1.0).abs().max() == 0
    loss, gradient = decoupled(student, teacher, target, beta=8.0, temperature=1.0)
    torch.testing.assert_close(loss, kl_divergence(student, teacher, temperature=1.0), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient, student.softmax(1) - teacher.softmax(1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 200.0, 1e5])
def test_extreme_and_equal_logits_are_finite_and_not_below_zero(scale):
    loss, gradient = decoupled(STUDENT * scale, TEACHER * scale, TARGET, beta=4.0, temperature=0.5)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert (loss >= -1e-3).all()


@pytest.mark.parametrize("kind", [DKD, NonTargetKD])
def test_labels_alone_are_taught_about(kind):
    valid = torch.ones(7, dtype=torch.bool)
    batch = Batch({}, {}, TARGET, valid, tuple("abcdefg"))
    one_class = replace(batch, target=torch.full_like(TARGET, 3))
    leaf = STUDENT.clone().requires_grad_()
    assert float(kind()(one_class, Output(valid, leaf), Output(valid, TEACHER)).count) == 7
    term = kind()(replace(batch, labelled=~valid), Output(valid, leaf), Output(valid, TEACHER))
    term.total.backward()
    assert float(term.count) == float(term.total.detach()) == float(leaf.grad.abs().sum()) == 0


@pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"beta": float("inf")}, {"temperature": 0.0}, {"temperature": float("nan")}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .* given|{next(iter(wrong))} .*,"):
        DKD(**wrong)
    if "temperature" in wrong:
        with pytest.raises(ValueError, match="above 0"):
            NonTargetKD(**wrong)
