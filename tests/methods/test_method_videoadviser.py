"""VideoAdviser: what each step moves and what it leaves alone, both modes, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, l1_loss

from contracts.test_methods import train
from toy import CLASSES, NUMBER, SEARCH, toy_batch, toy_loader, toy_model, toy_prompted
from understudy.methods import CATALOGUE, KD, Supervised, VideoAdviser
from understudy.methods.videoadviser import Lead
from understudy.models.model import Model
from understudy.players.options import whole_options
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store


def joint(teacher: Model | None = None, **options: Any) -> VideoAdviser:
    return VideoAdviser(toy_model(NUMBER, "x", seed=1), teacher or toy_prompted(NUMBER, "x", "y", seed=2), **options)


def means(terms: dict) -> dict[str, float]:
    return {name: (term.total / term.count).item() for name, term in terms.items()}


def weights(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pulled(method: VideoAdviser, term: str) -> dict[str, bool]:
    """Player -> whether this term alone gives it a gradient."""
    method.zero_grad(set_to_none=True)
    method(toy_batch(NUMBER, 16))[term].total.backward()
    players = {"student": method.student, "teacher": method.teacher}
    return {name: any(p.grad is not None and p.grad.any() for p in player.parameters()) for name, player in players.items()}


def test_the_loss_is_the_cards_sum_each_term_over_its_own_rows():
    method, batch = joint(w1=0.5, w2=0.25, w3=2.0, w4=3.0).eval(), toy_batch(NUMBER, 32)
    student, teacher = method.student(batch), method.teacher(batch)
    sees, x = batch.present["x"] | batch.present["y"], batch.present["x"]
    target = (batch.target - NUMBER.mean) / NUMBER.scale
    r_s, r_t, e = student.logits[:, 0], teacher.logits[:, 0], teacher.features["expected"]
    known = batch.labelled & sees
    index = batch.target.clamp(-1, 1).round().long() + 1
    nearer = ((e - target).abs() < (r_t - target).abs())[known].float()
    trusted = torch.full_like(e, nearer.mean().item())
    trusted[known] = nearer
    expected = {
        "supervised": l1_loss(r_s[batch.labelled & x], target[batch.labelled & x]),
        "teacher": 0.5 * l1_loss(r_t[known], target[known]),
        "classes": 0.25 * cross_entropy(teacher.features["classes"][known], index[known]),
        "step1": 2.0 * ((r_t - e).abs() * trusted)[sees].mean(),
        "calibration": 2.0 * l1_loss(e[known], target[known]),
        "step2": 3.0 * l1_loss(r_s[x], r_t[x]),
    }
    assert x.sum() < sees.sum() < 32
    assert known.sum() < sees.sum()
    assert means(method(batch)) == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-5)


def test_both_steps_need_no_label():
    batch = replace(toy_batch(NUMBER, 16), labelled=torch.zeros(16, dtype=torch.bool))
    terms = joint()(batch)
    assert {name for name, term in terms.items() if term.count > 0} == {"step1", "step2"}
    assert not terms["step1"].total.any(), "of the batch's rows none vouches for the classes"
    assert joint(step1_guarded=False)(batch)["step1"].total > 0


def test_all_weights_zero_asks_no_teacher():
    method = joint(w1=0.0, w2=0.0, w3=0.0, w4=0.0)
    assert set(method(toy_batch(NUMBER, 8))) == {"supervised"}


def test_without_step_2_a_teacher_that_trains_along_leaves_the_student_as_it_is_bit_for_bit():
    plain = train(Supervised(toy_model(NUMBER, "x", seed=1)), NUMBER)
    method = joint(w4=0.0)
    before = weights(method.teacher)
    assert same(train(method, NUMBER), plain)
    assert not same(weights(method.teacher), before)


def test_a_detached_step_2_leaves_the_teacher_as_it_would_be_without_a_student():
    with_student, without = joint(), joint(w4=0.0)
    train(with_student, NUMBER)
    train(without, NUMBER)
    assert same(weights(with_student.teacher), weights(without.teacher))


@pytest.mark.parametrize("detach", [True, False])
def test_step_2_reaches_the_teacher_only_where_asked(detach):
    assert pulled(joint(step2_detach=detach), "step2") == {"student": True, "teacher": not detach}


@pytest.mark.parametrize("detach", [True, False])
def test_step_1_gives_no_gradient_through_the_expected_value_where_detached(detach):
    # The number itself is read from the classes, so they are reached either way: ask about `expected` alone.
    method, batch = joint(step1_detach=detach), toy_batch(NUMBER, 16)
    output = method.teacher(batch)
    e = output.features["expected"].detach().clone().requires_grad_()
    held = replace(output, features={**output.features, "expected": e})
    method.inside.terms["step1"](batch, held).total.backward()
    assert (e.grad is not None) == (not detach)
    assert pulled(method, "step1") == {"student": False, "teacher": True}


def test_two_phases(tmp_path):
    """Phase 1 trains the teacher alone; in phase 2 it is frozen, and a store of it teaches the same."""
    teacher = toy_prompted(NUMBER, "x", "y", seed=2)
    lead = VideoAdviser.lead(teacher, **whole_options("videoadviser", {"w3": 0.5}))
    assert isinstance(lead, Lead)
    assert lead.student is teacher
    assert set(lead(toy_batch(NUMBER, 8))) == {"teacher", "classes", "step1", "calibration"}
    before = weights(teacher)
    train(lead, NUMBER)
    trained = weights(teacher)
    assert not same(trained, before)
    live = VideoAdviser(toy_model(NUMBER, "x", seed=1), Frozen(teacher), mode="two_phase")
    first = train(live, NUMBER)
    assert same(weights(teacher), trained)
    assert {group.player for group in live.groups()} == {"student"}
    store = write_store(tmp_path / "store", Frozen(teacher), toy_loader(NUMBER, batches=6), corpus="abc")
    stored = VideoAdviser(toy_model(NUMBER, "x", seed=1), Stored(store), mode="two_phase")
    assert set(stored.views()) == {"x"}
    second = train(stored, NUMBER)
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def test_the_lead_of_the_joint_teacher_is_its_own_part_of_the_loss():
    method, batch = joint(), toy_batch(NUMBER, 16)
    lead = VideoAdviser.lead(method.teacher, **whole_options("videoadviser", {"mode": "joint", "w4": 7.0}))
    assert lead is not None
    both, alone = means(method.eval()(batch)), means(lead.eval()(batch))
    assert alone == {name: both[name] for name in ("teacher", "classes", "step1", "calibration")}


def test_a_teacher_without_step_1_is_led_by_its_labels():
    assert VideoAdviser.lead(toy_model(NUMBER, "x"), **whole_options("videoadviser", {"w2": 0.0, "w3": 0.0})) is None
    assert KD.lead(toy_model(NUMBER, "x")) is None


def test_frozen_towers_take_no_gradient():
    teacher = toy_prompted(NUMBER, "x", "y", seed=2)
    teacher.encoders["x"].requires_grad_(False)
    method = joint(teacher)
    before = weights(teacher)
    train(method, NUMBER)
    moved = {name for name, value in weights(teacher).items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("encoders.x") for name in moved)
    assert any(name.startswith("head") for name in moved)
    assert not {id(p) for p in teacher.encoders["x"].parameters()} & {id(p) for g in method.groups() for p in g.parameters}


def test_classes_have_no_step_1_and_step_2_is_kl():
    teacher = toy_model(CLASSES, "x", "y", width=7, seed=2)
    method = VideoAdviser(toy_model(CLASSES, "x", seed=1), teacher, w2=0.0, w3=0.0).eval()
    batch = toy_batch(CLASSES, 16)
    sees = batch.present["x"]
    ours, theirs = (player(batch).logits[sees].log_softmax(1) for player in (method.student, teacher))
    expected = kl_div(ours, theirs, log_target=True, reduction="batchmean").item()
    assert means(method(batch))["step2"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("classes", "target", "count"), [(2, [-1.0, 0.0, 0.5], 2), (3, [-1.0, 0.0, 0.5], 3), (7, [-3.0, 0.0, 9.0], 3)]
)
def test_a_neutral_row_has_no_class_of_two(classes, target, count):
    method = joint(toy_prompted(NUMBER, "x", "y", classes=classes, seed=2))
    batch = toy_batch(NUMBER, 3)
    batch.present["x"][:] = True
    batch = replace(batch, target=torch.tensor(target), labelled=torch.ones(3, dtype=torch.bool))
    assert method(batch)["classes"].count == count


def test_a_margin_has_the_signs_as_classes_and_learns_what_it_means():
    method = joint(toy_prompted(NUMBER, "x", "y", classes=2, anchors="margin", seed=2))
    assert method.inside.terms["classes"].anchors.tolist() == [-1, 1]
    method.zero_grad(set_to_none=True)
    method(toy_batch(NUMBER, 16))["calibration"].total.backward()
    moved = {name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"inside.terms.step1.log_slope", "inside.terms.step1.offset"}


def test_step_1_of_retrieval_moves_the_teachers_embedding_alone():
    student = toy_model(SEARCH, "x", "y", seed=1, branches=("x", "y"))
    method = VideoAdviser(student, toy_model(SEARCH, "x", "y", width=7, seed=2))
    VideoAdviser.check(SEARCH, {}, **whole_options("videoadviser", {}))
    batch = toy_batch(SEARCH, 16)
    assert set(method(batch)) == {"supervised", "teacher", "step1", "step2"}
    method.zero_grad(set_to_none=True)
    method(batch)["step1"].total.backward()
    moved = {name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved
    assert all(name.startswith("teacher.") and ".head." not in name for name in moved)
    assert isinstance(VideoAdviser.lead(toy_model(SEARCH, "x", "y"), **whole_options("videoadviser", {})), Lead)


@pytest.mark.parametrize(
    ("task", "head", "options", "message"),
    [
        (NUMBER, {}, {}, r"step 1 \(w2=1.0, w3=1.0\) needs a teacher head with class prompts.*or w2=0 w3=0"),
        (CLASSES, {"classes": 3}, {"w2": 0.0}, "a number as target, not classification"),
    ],
)
def test_what_cannot_be_is_said_before_a_run(task, head, options, message):
    check = CATALOGUE["videoadviser"].check
    with pytest.raises(ValueError, match=message):
        check(task, head, **whole_options("videoadviser", options))
    check(task, head, **whole_options("videoadviser", {"w2": 0.0, "w3": 0.0}))
    check(NUMBER, {"classes": 2}, **whole_options("videoadviser", {}))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"w3": -1.0}, "w3 -1.0.* at least 0"),
        ({"w1": float("nan")}, "w1 nan"),
        ({"mode": "two_phase"}, "'two_phase' with Model: joint takes a Model"),
        ({"class_rule": "bin", "teacher": toy_prompted(NUMBER, "x", classes=2)}, "odd number"),
        ({"teacher": toy_model(NUMBER, "x")}, "no class prompts for a number"),
        ({"teacher": toy_prompted(replace(NUMBER, mean=0.6), "x")}, "one fitted task"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        joint(**wrong)


def test_a_setting_without_effect_warns():
    with pytest.warns(UserWarning, match="step2_detach=False has no effect in two_phase"):
        VideoAdviser(toy_model(NUMBER, "x"), Frozen(toy_model(NUMBER, "x")), mode="two_phase", step2_detach=False)
