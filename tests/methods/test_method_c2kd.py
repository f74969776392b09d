"""C2KD: who learns from whom, which rows are chosen, and what is left when nothing is."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import kl_div

from toy import CLASSES, NUMBER, toy_batch, toy_model
from understudy.methods import C2KD
from understudy.objectives.alignment import kendall_tau
from understudy.objectives.dkd import non_target_divergence
from understudy.tasks import Classification


def player(**options):
    torch.manual_seed(0)
    return C2KD(toy_model(CLASSES, "x", seed=1), toy_model(CLASSES, "x", "y", width=7, seed=2), **options).eval()


def answers(method, batch):
    """Logits of the four on the rows that count everywhere."""
    student, teacher = method.student(batch), method.teacher(batch)
    said = student, teacher, method.student_proxy.of(student), method.teacher_proxy.of(teacher)
    return [each.need("logits") for each in said]


def moved(method, name, batch):
    """Which players' weights have a gradient of the term."""
    method.zero_grad()
    method(batch)[name].total.backward()
    parts = ("student", "teacher", "student_proxy", "teacher_proxy")
    return {p for p in parts if any(w.grad is not None and w.grad.abs().sum() > 0 for w in getattr(method, p).parameters())}


def test_each_term_by_hand():
    method, batch = player(inner=2.0, cross=3.0), toy_batch(CLASSES, 32)
    student, teacher, ours, theirs = answers(method, batch)
    terms, sees = method(batch), batch.present["x"]

    def both(one, other, rows):
        p, q = one[rows].log_softmax(1), other[rows].log_softmax(1)
        return kl_div(p, q, log_target=True, reduction="sum") + kl_div(q, p, log_target=True, reduction="sum")

    torch.testing.assert_close(terms["student_proxy"].total, 2 * both(student, ours, sees))
    torch.testing.assert_close(terms["teacher_proxy"].total, 2 * both(teacher, theirs, sees | batch.present["y"]))
    rows = sees & batch.labelled
    there, back = (non_target_divergence(*pair, batch.target, temperature=1.0) for pair in ((ours, theirs), (theirs, ours)))
    chosen = rows & (kendall_tau(ours, theirs) > 0)
    assert 0 < chosen.sum() < rows.sum()
    torch.testing.assert_close(terms["cross"].total, 3 * (there + back)[chosen].sum())
    assert float(terms["cross"].count) == rows.sum()


def test_proxies_bind_and_the_teaching_side_takes_no_gradient():
    method, batch = player(), toy_batch(CLASSES, 32)
    assert moved(method, "supervised", batch) == {"student"}
    assert moved(method, "teacher", batch) == {"teacher"}
    assert moved(method, "student_proxy", batch) == {"student", "student_proxy"}
    assert moved(method, "teacher_proxy", batch) == {"teacher", "teacher_proxy"}
    assert moved(method, "cross", batch) == {"student", "student_proxy", "teacher", "teacher_proxy"}


def test_at_threshold_one_no_row_teaches_across():
    batch = toy_batch(CLASSES, 32)
    terms = player(threshold=1.0)(batch)
    assert float(terms["cross"].total.detach()) == 0
    others = player(threshold=0.0)(batch)
    assert all(torch.equal(terms[name].total, others[name].total) for name in terms if name != "cross")


def test_no_row_sees_another():
    method, batch = player(), toy_batch(CLASSES, 16)
    turned = replace(
        batch,
        inputs={
            m: {v: {f: x.flip(0) for f, x in fields.items()} for v, fields in views.items()} for m, views in batch.inputs.items()
        },
        present={m: here.flip(0) for m, here in batch.present.items()},
    )
    for one, other in zip(answers(method, batch), answers(method, turned), strict=True):
        torch.testing.assert_close(one, other.flip(0))


def test_what_cannot_be_ranked_and_a_teacher_of_other_classes_are_refused():
    for task, words in ((NUMBER, "a regression has none"), (Classification(classes=("a", "b")), "2 classes leave one")):
        with pytest.raises(ValueError, match=words):
            C2KD.check(task, {})
    with pytest.raises(ValueError, match="one fitted task"):
        C2KD(toy_model(CLASSES, "x"), toy_model(Classification(classes=("a", "b", "d")), "x", "y"))
    assert C2KD.beside() == "trained"


@pytest.mark.parametrize("wrong", [{"inner": -1.0}, {"cross": float("nan")}, {"threshold": 2.0}, {"temperature": 0.0}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} .*given"):
        player(**wrong)
