"""UMI: which branch learns from what, which predictor a row listens to, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, rel_entr, softmax

from toy import CLASSES, NUMBER, toy_batch, toy_experts, toy_model, toy_slots
from toy_method import resumes_exactly
from understudy.batches.batch import Output
from understudy.methods.umi import UMI, pseudo_labels
from understudy.models.experts import LOGITS, POOLED
from understudy.models.slots import BRANCHES, MEAN
from understudy.tasks import MultiLabel, Task
from understudy.teachers.teacher import Frozen


def player(task: Task = CLASSES, **options) -> UMI:
    torch.manual_seed(0)
    return UMI(toy_slots(task, "x", "y", seed=1), Frozen(toy_experts(task, "x", "y", width=7, seed=2)), **options).eval()


def told(task: Task, *logits: torch.Tensor, here: list[list[bool]] | None = None) -> Output:
    """A teacher's answer with a predictor of `x` and one of `y`."""
    there = torch.tensor(here) if here else torch.ones(len(logits), len(logits[0]), dtype=torch.bool)
    features = {m + LOGITS: each for m, each in zip("xy", logits, strict=False)}
    features |= {m + POOLED: each[:, None].float().expand(-1, 3) for m, each in zip("xy", there, strict=False)}
    return Output(there.any(dim=0), torch.stack(logits).mean(dim=0), features=features, source="teacher")


def moved(method: UMI, name: str) -> dict[str, bool]:
    """Whether each branch's layer takes a gradient of this term alone."""
    method.zero_grad()
    method(toy_batch(CLASSES, 24))[name].total.backward()
    layers = method.student.head.branches
    return {b: each.weight.grad is not None and bool(each.weight.grad.any()) for b, each in zip(BRANCHES, layers, strict=True)}


def test_labels_teach_the_first_branch_and_pseudo_labels_the_second():
    method = player()
    assert moved(method, "supervised") == dict(zip(BRANCHES, (True, False), strict=True))
    assert moved(method, "pseudo") == dict(zip(BRANCHES, (False, True), strict=True))
    assert moved(method, "align") == dict.fromkeys(BRANCHES, False)


def test_without_pseudo_labels_labels_teach_both():
    method = player(alpha=0.0)
    assert moved(method, "supervised") == dict.fromkeys(BRANCHES, True)


def test_the_tokens_learn_from_the_common_space_alone_and_are_in_the_optimiser():
    method, batch = player(), toy_batch(CLASSES, 24)
    tokens = method.common.tokens
    assert any(tokens is p for group in method.groups() for p in group.parameters)
    for name, term in method(batch).items():
        method.zero_grad()
        term.total.backward(retain_graph=True)
        assert (tokens.grad is not None and bool(tokens.grad.any())) == (name == "align")
    assert not any("common" in name for name in method.student.state_dict())


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task.kind)
def test_the_terms_are_what_a_loop_in_float64_says(task):
    method, batch = (
        player(task, alpha=2.0, align=0.5, anchors=5) if task is NUMBER else player(task, alpha=2.0, align=0.5),
        toy_batch(task, 24),
    )
    with torch.no_grad():
        terms, student, teacher = method(batch), method.student(batch), method.teacher(batch)
    here = {m: batch.present[m].numpy() for m in "xy"}
    says = {m: teacher.need(m + LOGITS).double().numpy() for m in "xy"}
    second = student.need(BRANCHES[1]).double().numpy()
    tokens = method.common.tokens.detach().double().numpy()
    pseudo, align, rows, known = 0.0, 0.0, 0, 0
    for row in range(24):
        has, y = [m for m in "xy" if here[m][row]], batch.target[row].item()
        if not has:
            continue
        rows += 1
        if task is NUMBER:
            answer = teacher.need("logits")[row].double().numpy()
            if batch.labelled[row]:
                answer = min((says[m][row] for m in has), key=lambda z: abs(z[0] - (y - 0.5) / 2))
            pseudo += ((answer - second[row]) ** 2).sum()
        else:
            answer = softmax(teacher.need("logits")[row].double().numpy())
            if batch.labelled[row]:
                answer = max((softmax(says[m][row]) for m in has), key=lambda p: p[int(y)] / np.linalg.norm(p))
            pseudo += rel_entr(answer, softmax(second[row])).sum()
        if task is CLASSES and not batch.labelled[row]:
            continue
        known += 1
        for m in has:
            away = ((student.need(m + MEAN)[row].double().numpy() - tokens) ** 2).sum(axis=1)
            align += away.min() if task is NUMBER else away[int(y)]
    assert float(terms["pseudo"].count) == rows > 10
    assert float(terms["align"].count) == known > 5
    assert float(terms["pseudo"].total) == pytest.approx(2 * pseudo, rel=1e-5)
    assert float(terms["align"].total) == pytest.approx(0.5 * align, rel=1e-5)


def test_the_mean_over_classes_is_the_sum_with_as_many_times_the_weight():
    batch = toy_batch(CLASSES, 24)
    one, other = player()(batch)["pseudo"], player(reduction="mean", alpha=3.0)(batch)["pseudo"]
    torch.testing.assert_close(one.total, other.total)


def test_a_labelled_row_listens_to_the_predictor_closer_to_the_truth():
    batch = replace(toy_batch(CLASSES, 3), target=torch.tensor([0, 0, 0]), labelled=torch.tensor([True, True, False]))
    right, wrong = torch.tensor([[2.0, 0, 0]]).expand(3, 3), torch.tensor([[0, 2.0, 0]]).expand(3, 3)
    x, y = torch.cat([right[:1], wrong[1:2], right[2:]]), torch.cat([wrong[:1], right[1:2], wrong[2:]])
    teacher = told(CLASSES, x, y)
    found = pseudo_labels(CLASSES, batch, teacher, ["x", "y"])
    assert torch.equal(found.need("logits"), torch.stack([right[0], right[0], teacher.need("logits")[2]]))
    # Where the closer one's modality is absent, the other one is heard.
    lacking = told(CLASSES, x, y, here=[[False, True, True], [True, True, True]])
    assert torch.equal(pseudo_labels(CLASSES, batch, lacking, ["x", "y"]).need("logits")[0], wrong[0])


def test_with_one_modality_it_is_that_modality_s_answer():
    batch = toy_batch(CLASSES, 6)
    batch.labelled[:] = True
    logits = torch.randn(6, 3)
    assert torch.equal(pseudo_labels(CLASSES, batch, told(CLASSES, logits), ["x"]).need("logits"), logits)


def test_of_classes_that_are_apart_the_closer_one_is_heard_too():
    task = MultiLabel(classes=("a", "b", "c"), entries=2)
    batch = replace(
        toy_batch(CLASSES, 2), target=torch.tensor([[1.0, 0, 1], [0, 0, 0]]), labelled=torch.ones(2, dtype=torch.bool)
    )
    x, y = torch.tensor([[2.0, -2, 1], [3, 3, 3]]), torch.tensor([[-2.0, 2, -1], [-3, -3, -3]])
    assert expit(x[0, 0].item()) > 0.5
    assert torch.equal(pseudo_labels(task, batch, told(task, x, y), ["x", "y"]).need("logits"), torch.stack([x[0], y[1]]))


def test_rows_may_come_in_any_order():
    method, batch = player(), toy_batch(CLASSES, 12)
    order = torch.tensor([5, 3, 0, 11, 1, 2, 4, 6, 10, 7, 9, 8])
    key = next(iter(batch.inputs["x"]))
    inputs = {m: {key: {"values": by[key]["values"][order]}} for m, by in batch.inputs.items()}
    turned = replace(
        batch,
        inputs=inputs,
        present={m: here[order] for m, here in batch.present.items()},
        target=batch.target[order],
        labelled=batch.labelled[order],
        id=tuple(batch.id[row] for row in order.tolist()),
    )
    with torch.no_grad():
        torch.testing.assert_close(method.student(batch).need("logits")[order], method.student(turned).need("logits"))
        one, two = method(batch), method(turned)
    for name in one:
        torch.testing.assert_close(one[name].total, two[name].total)


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"align": -1.0}, {"anchors": 0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .*given"):
        player(**wrong)


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task.kind)
def test_a_resumed_run_ends_as_the_uninterrupted_one(task, tmp_path):
    resumes_exactly(lambda: player(task), task, tmp_path)


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        (NUMBER, {"reduction": "mean"}, "reduction 'mean' has no effect"),
        (CLASSES, {"anchors": 5}, "anchors 5 has no effect"),
        (CLASSES, {"align": 0.0, "align_to": "nearest"}, "align_to 'nearest' has no effect"),
    ],
)
def test_options_without_effect_are_warned_of(task, options, said):
    with pytest.warns(UserWarning, match=said):
        player(task, **options)


def test_other_players_are_refused():
    student, teacher = toy_slots(CLASSES, "x"), Frozen(toy_experts(CLASSES, "x", "y"))
    with pytest.raises(ValueError, match="give the student the fusion 'slots', its teacher 'late'"):
        UMI(toy_model(CLASSES, "x"), teacher)
    with pytest.raises(ValueError, match="give the student the fusion 'slots', its teacher 'late'"):
        UMI(student, Frozen(toy_model(CLASSES, "x", "y")))
    UMI(student, Frozen(toy_model(CLASSES, "x", "y")), alpha=0.0)
    with pytest.raises(ValueError, match="a regression has no classes"):
        player(NUMBER, align_to="class")
