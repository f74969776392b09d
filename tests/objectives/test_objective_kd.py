"""What the contract suite cannot know of answer distillation."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from understudy.batches.batch import Batch, Output
from understudy.objectives import BernoulliKD, LogitKD, RegressionKD
from understudy.objectives.kd import answer_kd, bernoulli_divergence, kl_divergence
from understudy.tasks import Choice, Classification, MultiLabel, Regression

logits = st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3)


@settings(max_examples=50)
@given(logits, logits, st.floats(0.5, 8))
def test_kl_is_never_below_zero_and_always_finite(student, teacher, temperature):
    value = kl_divergence(torch.tensor([student]), torch.tensor([teacher]), temperature=temperature)
    assert value.isfinite().all()
    assert value.item() >= -1e-4


@settings(max_examples=50)
@given(logits, logits, st.floats(0.5, 8))
def test_classes_apart_are_never_below_zero_and_always_finite(student, teacher, temperature):
    value = bernoulli_divergence(torch.tensor([student]), torch.tensor([teacher]), temperature=temperature)
    assert value.isfinite().all()
    assert value.item() >= -1e-4


def test_kl_holds_the_teachers_entropy():
    student, teacher = torch.zeros(1, 4), torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    expected = entropy(teacher.double().softmax(-1).numpy()[0], np.full(4, 0.25))
    assert kl_divergence(student, teacher, temperature=1.0).item() == pytest.approx(expected, rel=1e-6)


def test_a_shift_of_a_row_changes_nothing():
    student, teacher = torch.randn(2, 6, 3).unbind()
    shifted = kl_divergence(student + 5, teacher - torch.arange(6.0)[:, None], temperature=2.0)
    torch.testing.assert_close(shifted, kl_divergence(student, teacher, temperature=2.0), rtol=1e-4, atol=1e-5)


def test_a_hot_temperature_compares_centred_logits():
    student, teacher = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind()
    difference = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    hot = kl_divergence(student, teacher, temperature=1e4)
    torch.testing.assert_close(hot, difference.square().sum(1) / (2 * 3), rtol=1e-3, atol=1e-6)


def test_the_task_chooses_what_is_compared():
    classes, number = Classification(classes=("a", "b")), Regression()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(answer_kd(classes, temperature=4.0, distance="l1"), LogitKD)
        assert isinstance(answer_kd(Choice(4), temperature=4.0, distance="l1"), LogitKD)
        several = MultiLabel(classes=("a", "b"), entries=1)
        assert isinstance(answer_kd(several, temperature=4.0, distance="l1"), BernoulliKD)
        assert isinstance(answer_kd(number, temperature=2.0, distance="mse"), RegressionKD)


def test_a_setting_without_effect_warns():
    with pytest.warns(UserWarning, match="temperature 4.0 has no effect"):
        answer_kd(Regression(), temperature=4.0, distance="l1")
    with pytest.warns(UserWarning, match="distance 'mse' has no effect"):
        answer_kd(Classification(classes=("a", "b")), temperature=2.0, distance="mse")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="above 0"):
        LogitKD(temperature=temperature)


def test_answers_of_different_widths_are_refused_by_name():
    valid = torch.ones(2, dtype=torch.bool)
    student = Output(valid=valid, logits=torch.zeros(2, 3), source="student")
    teacher = Output(valid=valid, logits=torch.zeros(2, 4), source="teacher")
    batch = Batch({}, {}, torch.zeros(2), valid, ("a", "b"))
    with pytest.raises(ValueError, match=r"student gives logits \(2, 3\) and teacher \(2, 4\)"):
        LogitKD()(batch, student, teacher)
    with pytest.raises(ValueError, match="teacher gives no 'logits'"):
        LogitKD()(batch, student, Output(valid=valid, source="teacher"))
