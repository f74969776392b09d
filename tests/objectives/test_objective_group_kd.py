"""Group KD: which classes make a group, the pace of its experts, and which columns are pulled."""

import numpy as np
import pytest
import torch

from toy import CLASSES, toy_batch
from understudy.batches.batch import Output
from understudy.objectives.group_kd import GroupKD, groups_by_count, self_paced


def said(seed: int) -> Output:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    return Output(torch.ones(6, dtype=torch.bool), logits, source="player")


def test_groups_hold_every_class_once_and_none_is_empty():
    assert groups_by_count([300, 20, 21, 99, 100, 1]) == {"many": (0, 4), "median": (2, 3), "few": (1, 5)}
    assert groups_by_count([5, 0]) == {"few": (0, 1)}
    with pytest.raises(ValueError, match="many 20, few 20 given"):
        groups_by_count([5], many=20)


def test_an_expert_teaches_in_full_at_first_and_no_more_once_the_student_is_as_good():
    found = [self_paced(student, 0.8, alpha=0.25) for student in np.linspace(0, 1, 101)]
    assert found[:20] == [1.0] * 20
    assert found[20] == pytest.approx(1)
    assert found[50] == pytest.approx(0.5)
    assert found[80:] == [0.0] * 21
    steps = np.diff(found)
    assert (steps <= 0).all()
    assert steps.min() > -0.02
    assert self_paced(0.0, 0.0) == 0


@pytest.mark.parametrize(("student", "expert", "alpha", "what"), [(0.5, 0.5, 1.0, "alpha 1"), (float("nan"), 0.5, 0.3, "nan")])
def test_a_pace_that_cannot_be_is_refused(student, expert, alpha, what):
    with pytest.raises(ValueError, match=what):
        self_paced(student, expert, alpha=alpha)


def test_an_expert_that_is_caught_up_with_moves_only_the_columns_of_the_others():
    batch, student, teacher = toy_batch(CLASSES, 6), said(0), said(1)
    objective = GroupKD([(0, 2), (1,)])
    objective(batch, student, teacher).total.backward()
    slope = student.need("logits").grad
    assert slope is not None
    assert slope[:, [0, 2]].all()
    assert not slope[:, 1].any()
    objective.pace([0.9, 0.1], [0.8, 0.7])
    assert objective(batch, student, teacher).total == 0
    assert objective.state_dict()["weights"].tolist() == [0, 1]


def test_a_constant_added_to_an_experts_answers_changes_nothing():
    batch, student = toy_batch(CLASSES, 6), said(0)
    shifted = student.need("logits").detach() + torch.tensor([3.0, -1.0, 3.0])
    teacher = Output(student.valid, shifted, source="experts")
    assert float(GroupKD([(0, 2), (1,)])(batch, student, teacher).total.detach()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("groups", [[], [(0, 1), ()], [(0, 1), (1, 2)], [(0,), (2,)]])
def test_groups_that_are_no_partition_are_refused(groups):
    with pytest.raises(ValueError, match="every class must be in one group"):
        GroupKD(groups)


def test_answers_over_other_classes_are_refused():
    with pytest.raises(ValueError, match="answers over 3 classes given, but the groups hold 2"):
        GroupKD([(0,), (1,)])(toy_batch(CLASSES, 6), said(0), said(1))
