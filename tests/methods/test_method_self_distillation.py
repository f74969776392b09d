"""Self-distillation: the EMA in closed form, quiet, and saved but never optimised."""

import pytest
import torch

from toy import CLASSES, toy_batch, toy_loader, toy_model
from understudy.methods import SelfDistillation
from understudy.training.fit import Plan, fit


def weight(model):
    return model.head[-1].weight


def test_the_ema_follows_its_closed_form():
    method = SelfDistillation(toy_model(CLASSES, "x"), decay=0.6)
    expected = weight(method.student).detach().clone()
    for method.update in range(8):
        with torch.no_grad():
            weight(method.student).add_(torch.randn(weight(method.student).shape))
        method.after_step()
        decay = min(0.6, 1 - 1 / (method.update + 1))
        expected = decay * expected + (1 - decay) * weight(method.student).detach()
        torch.testing.assert_close(weight(method.ema), expected)


def test_the_ema_copies_the_student_on_the_first_step_exactly():
    method = SelfDistillation(toy_model(CLASSES, "x"))
    torch.nn.init.normal_(weight(method.student))
    method.after_step()
    assert torch.equal(weight(method.ema), weight(method.student))


def test_the_ema_counts_updates_not_batches():
    method = SelfDistillation(toy_model(CLASSES, "x"))
    fit(method, toy_loader(CLASSES), plan=Plan(epochs=1, accumulate=4), seed=0, quiet=True)
    assert torch.equal(weight(method.ema), weight(method.student)), "after the first update"


def test_the_ema_is_quiet_whatever_mode_is_asked_for():
    method = SelfDistillation(toy_model(CLASSES, "x"))
    for mode in (True, False, True):
        method.train(mode)
        assert method.student.training is mode
        assert not any(module.training for module in method.ema.modules())


def test_the_ema_is_saved_but_never_optimised():
    method = SelfDistillation(toy_model(CLASSES, "x"))
    assert {group.player for group in method.groups()} == {"student"}
    assert {key.partition(".")[0] for key in method.state_dict()} == {"student", "ema"}
    sum(term.total for term in method(toy_batch(CLASSES, 8)).values()).backward()
    assert all(p.grad is None for p in method.ema.parameters())


def test_agreement_costs_nothing():
    method = SelfDistillation(toy_model(CLASSES, "x")).eval()
    assert method(toy_batch(CLASSES, 8))["kd"].total == 0


@pytest.mark.parametrize("wrong", [{"weight": 2.0}, {"decay": 1.0}, {"decay": -0.1}, {"temperature": -1.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.* given"):
        SelfDistillation(toy_model(CLASSES, "x"), **wrong)
