"""AMID: which loss moves which parameter, when it warns, what it never runs, exact resume, the weak teacher in closed form."""

import math
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.weak_teacher import figures_of
from torch import nn

from toy import CLASSES, SEARCH, toy_batch, toy_loader, toy_model
from toy_method import resumes_exactly
from understudy.methods import AMID
from understudy.methods.amid import check_options
from understudy.objectives.adversary import Adversary
from understudy.objectives.answer_entropy import AnswerEntropy
from understudy.tasks import Task
from understudy.teachers.teacher import Frozen
from understudy.training.fit import Plan, fit

ENTROPIES = ("answers", "answers_gan", "alice", "cgan", "gaussian", "repr_gan")
GAMES = ("answers_gan", "alice", "cgan", "repr_gan")
OF_ANSWERS = ("answers", "answers_gan")
PLAYERS = ("student", "teacher", "auxiliary")


def amid(kind: type[AMID] = AMID, **options: Any) -> AMID:
    """Players over x, x and y, and y."""
    student, auxiliary = toy_model(CLASSES, "x", seed=1), toy_model(CLASSES, "y", width=4, seed=3)
    teacher = toy_model(CLASSES, "x", "y", width=7, seed=2)
    given = Frozen(teacher) if options.get("teacher_start") == "frozen" else teacher
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(4)
        warnings.filterwarnings("ignore", message="beta .* is less than alpha")
        return kind(student, given, auxiliary, **options)


def moved(method: AMID, term: str, part: str = "main", *, of_task: Task = CLASSES) -> set[str]:
    """The parameters that this term alone gives a gradient."""
    method.zero_grad(set_to_none=True)
    method(toy_batch(of_task, 32), part)[term].total.backward()
    return {name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()}


def of(method: AMID, *children: str, head: bool = True) -> set[str]:
    """All parameters of these children; without those of a player's head where the embedding before it is meant."""
    found = {name for name, _ in method.named_parameters() if name.startswith(tuple(f"{child}." for child in children))}
    return found if head else {name for name in found if ".head." not in name}


@pytest.mark.parametrize("game", ENTROPIES)
@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("moves_auxiliary", [False, True])
def test_the_routing_table_parameter_by_parameter(game, detached, moves_auxiliary):
    method = amid(cond_entropy=game, detach_teacher_in_h=detached, mi_moves_auxiliary=moves_auxiliary)
    adversary, maker = of(method, "entropy.discriminator"), of(method, "entropy") - of(method, "entropy.discriminator")
    table = {
        "supervised": of(method, "student"),
        "teacher": of(method, "teacher"),
        "auxiliary": of(method, "auxiliary"),
        "ts": of(method, "student", "teacher", head=False) | of(method, "ts"),
        "ta": of(method, "teacher", *(["auxiliary"] if moves_auxiliary else []), head=False) | of(method, "ta"),
        "entropy": of(method, "student", *([] if detached else ["teacher"]), head=game in OF_ANSWERS) | maker,
    }
    assert set(method(toy_batch(CLASSES, 8))) == {*table, "ts.ceiling", "ta.ceiling", "entropy.bound"}
    for term, expected in table.items():
        assert moved(method, term) == expected, term
    assert bool(adversary) == (game in GAMES)
    assert ("critic" in method.parts()) == bool(adversary)
    if adversary:
        assert set(method(toy_batch(CLASSES, 8), "critic")) == {"discriminator"}
        assert moved(method, "discriminator", "critic") == adversary


@pytest.mark.parametrize("game", GAMES)
def test_each_part_owns_the_parameters_that_it_moves(game):
    method = amid(cond_entropy=game)
    names = {id(p): name for name, p in method.named_parameters()}
    parts = {part: {names[id(p)] for g in method.groups() if g.part == part for p in g.parameters} for part in method.parts()}
    assert method.parts() == ("main", "critic"), "the critic learns from what the main part has heard"
    assert parts["critic"] == of(method, "entropy.discriminator")
    assert parts["main"] == set(names.values()) - parts["critic"]


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"detach_teacher_in_h": False, "beta": 4.0}, True),
        ({"detach_teacher_in_h": False, "beta": 4.1}, False),
        ({"detach_teacher_in_h": False, "beta": 0.0, "cond_entropy": "gaussian"}, True),
        ({"detach_teacher_in_h": False, "beta": 0.0, "cond_entropy": "none"}, False),
        ({"detach_teacher_in_h": False, "beta": 0.0, "gamma": 0.0}, False),
        ({"detach_teacher_in_h": False, "beta": 0.0, "teacher_start": "frozen"}, False),
        ({"beta": 0.0}, False),
        ({}, False),
    ],
)
def test_it_warns_exactly_when_the_entropy_can_make_the_teacher_weak(options, warned):
    teacher = toy_model(CLASSES, "x", "y", seed=2)
    given = Frozen(teacher) if "teacher_start" in options else teacher
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        AMID(toy_model(CLASSES, "x"), given, toy_model(CLASSES, "y"), **options)
    assert [str(w.message).startswith("beta") for w in caught if "has no effect" not in str(w.message)] == [True] * warned


OFF = ({}, {"alpha": 0.0}, {"beta": 0.0}, {"gamma": 0.0}, {"alpha": 0.0, "beta": 0.0, "gamma": 0.0})


@pytest.mark.parametrize("off", [*OFF, {"cond_entropy": "none"}, {"cond_entropy": "none", "gamma": 0.0}])
@pytest.mark.parametrize("others", [{}, {"teacher_start": "frozen"}, {"auxiliary_frozen": True}, {"mi": "crd_bank"}])
def test_what_is_left_as_it_is_never_warns(off, others):
    if "mi" in others and off.get("alpha") == off.get("beta") == 0:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        amid(**off, **others)


@pytest.mark.parametrize(
    ("name", "value", "idle", "of_use"),
    [
        ("momentum", 0.9, {}, {"mi": "crd_bank"}),
        ("mi", "crd_bank", {"alpha": 0.0, "beta": 0.0}, {"alpha": 0.0}),
        ("tau", 0.5, {"alpha": 0.0, "beta": 0.0}, {"beta": 0.0}),
        ("dimension", 8, {"alpha": 0.0, "beta": 0.0}, {}),
        ("mi_moves_auxiliary", True, {"beta": 0.0}, {}),
        ("mi_moves_auxiliary", True, {"auxiliary_frozen": True}, {"alpha": 0.0}),
        ("cond_entropy", "cgan", {"gamma": 0.0}, {}),
        ("gamma", 0.1, {"cond_entropy": "none"}, {}),
        ("temperature", 1.0, {"gamma": 0.0}, {"cond_entropy": "answers_gan"}),
        ("temperature", 1.0, {"cond_entropy": "gaussian"}, {}),
        ("generator_steps", 5, {}, {"cond_entropy": "answers_gan"}),
        ("generator_steps", 5, {"cond_entropy": "gaussian"}, {"cond_entropy": "alice"}),
        ("generator_steps", 5, {"cond_entropy": "none"}, {"cond_entropy": "cgan"}),
        ("generator_steps", 5, {"gamma": 0.0}, {"cond_entropy": "repr_gan"}),
        ("detach_teacher_in_h", False, {"gamma": 0.0}, {}),
        ("detach_teacher_in_h", False, {"cond_entropy": "none"}, {"cond_entropy": "gaussian"}),
        ("detach_teacher_in_h", False, {"teacher_start": "frozen"}, {"teacher_start": "trained"}),
    ],
)
def test_an_option_without_effect_warns_and_else_it_does_not(name, value, idle, of_use):
    with pytest.warns(UserWarning, match=f"{name} {value!r} has no effect: "):
        amid(**{name: value}, **idle)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* has no effect")
        amid(**{name: value}, **of_use)


@pytest.mark.parametrize("options", [{"gamma": 0.0}, {"cond_entropy": "none"}])
def test_without_the_entropy_neither_generator_nor_discriminator_exists(options, monkeypatch):
    def never(*given: Any) -> None:
        raise AssertionError("was run")

    for kind in (Adversary, AnswerEntropy):
        for name in ("critic", "forward", "seen") if kind is Adversary else ("forward",):
            monkeypatch.setattr(kind, name, never)
    method, batch = amid(**options), toy_batch(CLASSES, 8)
    assert "entropy" not in method(batch)
    assert method.parts() == ("main",)
    assert not of(method, "entropy")


def test_the_three_terms_need_no_label_and_count_the_rows_that_both_see():
    batch = toy_batch(CLASSES, 32)
    batch = replace(batch, labelled=torch.zeros_like(batch.labelled))
    method = amid(cond_entropy="answers_gan").eval()
    counts = {name: int(term.count) for part in method.parts() for name, term in method(batch, part).items()}
    x, y = int(batch.present["x"].sum()), int(batch.present["y"].sum())
    own = dict.fromkeys(("supervised", "teacher", "auxiliary"), 0)
    assert counts == own | dict.fromkeys(("ts", "ts.ceiling", "entropy", "entropy.bound", "discriminator"), x) | dict.fromkeys(
        ("ta", "ta.ceiling"), y
    )


@pytest.mark.parametrize("game", ENTROPIES)
def test_one_row_and_an_auxiliary_modality_that_is_nowhere_are_finite(game):
    one = toy_batch(CLASSES, 1, seed=2)
    blind = toy_batch(CLASSES, 8).keep("x")
    for batch in (one, blind):
        method = amid(cond_entropy=game)
        for part in method.parts():
            terms = method(batch, part)
            torch.stack([term.total for term in terms.values()]).sum().backward()
            assert all(term.total.isfinite() for term in terms.values())
        assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
    assert method(blind)["ta"].count == 0
    assert method(blind)["ts"].count > 0


def test_terms_carry_their_weights_and_a_weight_of_zero_leaves_a_term_out():
    batch = toy_batch(CLASSES, 16)
    one, two = (amid(alpha=a, beta=b, gamma=c).eval()(batch) for a, b, c in ((1.0, 1.0, 1.0), (2.0, 0.0, 0.25)))
    for name, factor in (("ts", 2.0), ("entropy", 0.25), ("supervised", 1.0)):
        assert two[name].total.item() == pytest.approx(factor * one[name].total.item(), rel=1e-5)
    assert set(one) - set(two) == {"ta", "ta.ceiling"}
    assert "ts" not in amid(alpha=0.0)(batch)


@pytest.mark.parametrize("mi", ["infonce", "crd_bank"])
def test_what_is_shown_stays_below_a_ceiling_that_no_weight_moves_and_that_takes_no_gradient(mi):
    method, batch = amid(mi=mi, alpha=3.0), toy_batch(CLASSES, 32)
    method.meet(list(batch.id), np.zeros(32, int), np.zeros(32, bool))
    terms, (x, y) = method(batch), (float(batch.present[name].sum()) for name in "xy")
    for name, weight, rows in (("ts", 3.0, x), ("ta", 0.15, y)):
        ceiling = terms[f"{name}.ceiling"]
        assert not ceiling.total.requires_grad
        assert float(ceiling.total / ceiling.count) == pytest.approx(math.log(rows if mi == "infonce" else 31))
        assert -float(terms[name].total.detach()) / weight < float(ceiling.total)


def test_frozen_players_take_no_term_and_no_part_in_training():
    method = amid(teacher_start="frozen", auxiliary_frozen=True).train()
    assert set(method(toy_batch(CLASSES, 8))) == {
        "supervised",
        "ts",
        "ts.ceiling",
        "ta",
        "ta.ceiling",
        "entropy",
        "entropy.bound",
    }
    assert not of(method, "teacher", "auxiliary")
    assert not any(name.startswith(("teacher", "auxiliary")) for name in method.state_dict())
    assert set(method.views()) == {"x", "y"}


def test_the_discriminator_rests_between_its_steps():
    method, batch = amid(cond_entropy="alice", generator_steps=3), toy_batch(CLASSES, 16)
    told = []
    for method.update in range(6):
        told.append(method(batch, "critic")["discriminator"].count.item() > 0)
    assert told == [True, False, False, True, False, False]


@pytest.mark.parametrize("game", GAMES)
def test_the_critic_hears_what_the_main_part_heard_and_asks_no_one_again(game, monkeypatch):
    """The loss and its gradient are those of players that are asked anew."""
    method, batch = amid(cond_entropy=game).eval(), toy_batch(CLASSES, 16)
    alone = method(batch, "critic")["discriminator"].total
    method(batch)
    asked = []
    monkeypatch.setattr(method, "say", lambda *given: asked.append(given))
    assert torch.equal(method(batch, "critic")["discriminator"].total, alone)
    assert not asked
    monkeypatch.undo()
    method.after_step()
    assert not method.heard, "nothing of a step outlives it"
    other = toy_batch(CLASSES, 16, seed=5)
    assert not torch.equal(method(other, "critic")["discriminator"].total, alone), "another batch was not heard before"


def test_every_second_update_moves_the_discriminator_however_many_batches_it_takes():
    class Watched(AMID):
        """Keeps the discriminator of every update."""

        seen: list[torch.Tensor]

        def after_step(self) -> None:
            super().after_step()
            self.seen.append(next(self.entropy.discriminator.parameters()).detach().clone())

    for accumulate in (1, 2):
        method = amid(Watched, cond_entropy="answers_gan", generator_steps=2)
        method.seen = [next(method.entropy.discriminator.parameters()).detach().clone()]
        fit(method, toy_loader(CLASSES), plan=Plan(epochs=accumulate, rate=0.01, accumulate=accumulate), seed=0, quiet=True)
        moves = [not torch.equal(one, two) for one, two in pairwise(method.seen)]
        assert moves == [True, False, True, False]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0}, "alpha -1"),
        ({"gamma": float("nan")}, "gamma nan"),
        ({"generator_steps": 0}, "generator_steps 0"),
        ({"tau": 0.0}, "temperature 0"),
        ({"temperature": 0.0}, "temperature 0"),
        ({"momentum": 7.0}, r"momentum 7.0 given; it must be in \[0, 1\)"),
        ({"dimension": 0}, "dimension 0"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        amid(**options)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("generator_steps", 2.5, "it must be a whole number, at least 1"),
        ("mi", "crd", "choose from infonce, crd_bank"),
        ("cond_entropy", "gan", "choose from answers, answers_gan, alice, cgan, repr_gan, gaussian, none"),
        ("teacher_start", "cold", "choose from fresh, trained, frozen"),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, words):
    """Set afterwards, since in tests the constructor's own annotations would refuse it first."""
    method = amid()
    setattr(method, name, value)
    with pytest.raises(ValueError, match=f"{name} {value!r} given; {words}"):
        check_options(method)


def test_players_that_do_not_fit_are_refused():
    student, teacher = toy_model(CLASSES, "x"), toy_model(CLASSES, "x", "y")
    with pytest.raises(ValueError, match="a Model trains"):
        AMID(student, teacher, toy_model(CLASSES, "y"), teacher_start="frozen")
    with pytest.raises(ValueError, match="one fitted task"):
        AMID(student, teacher, toy_model(replace(CLASSES, classes=("a", "b")), "y"))


RESUMED = ({}, {"cond_entropy": "answers_gan"}, {"cond_entropy": "cgan", "mi": "crd_bank", "generator_steps": 3})


@pytest.mark.parametrize("options", RESUMED)
def test_a_resumed_run_ends_as_the_uninterrupted_one(options, tmp_path):
    resumes_exactly(lambda: amid(**options), CLASSES, tmp_path)


def test_what_ships_is_a_plain_student():
    method = amid()
    assert list(method.student.state_dict()) == list(toy_model(CLASSES, "x").state_dict())
    assert not any(isinstance(module, nn.Module) and module is method.teacher for module in method.student.modules())


def climbed(weights: tuple[float, float, float], *, seed: int = 0) -> dict[str, float]:
    """The card's hill climbing over linear teachers, from one start: what the objective itself prefers."""
    draw = np.random.default_rng(seed)
    alpha, beta, gamma = weights

    def worth(found: dict[str, float]) -> float:
        return alpha * found["ts"] + beta * found["ta"] - gamma * found["entropy"]

    w, step = draw.normal(size=(3, 4)), 0.5
    here = figures_of(w)
    for _ in range(3000):
        proposed = w + step * draw.normal(size=w.shape)
        there = figures_of(proposed)
        if worth(there) > worth(here):
            w, here = proposed, there
        else:
            step = max(0.998 * step, 1e-3)
    return here


@pytest.mark.parametrize(
    ("weights", "ts", "ta", "entropy", "ty"),
    [
        ((1, 0, 0), 2.872, 0.790, -3.612, 0.283),
        ((1, 0, 1), 2.872, 0.790, -3.612, 0.283),
        ((1, 1, 0), 2.311, 2.311, -2.190, 0.990),
        ((1, 1, 1), 2.843, 0.895, -3.586, 0.293),
        ((1, 1.5, 0.5), 2.31, 2.31, -2.20, 0.991),
        ((1, 2, 1), 2.31, 2.31, -2.20, 0.991),
    ],
)
def test_the_objective_prefers_a_weak_teacher_unless_beta_is_large_enough(weights, ts, ta, entropy, ty):
    assert climbed(weights) == pytest.approx({"ts": ts, "ta": ta, "entropy": entropy, "ty": ty}, abs=0.01)


@pytest.mark.parametrize("mi", ["infonce", "crd_bank"])
def test_each_branch_of_a_retrieval_student_learns_by_every_term(mi):
    student, auxiliary = (toy_model(SEARCH, "x", "y", seed=seed, branches=("x", "y")) for seed in (1, 3))
    method, batch = AMID(student, toy_model(SEARCH, "x", "y", width=7, seed=2), auxiliary, mi=mi), toy_batch(SEARCH, 32)
    method.meet(list(batch.id), np.zeros(32, int), np.zeros(32, bool))
    rows = sum(int(batch.present[name].sum()) for name in "xy")
    assert rows > 32, "a row counts once in each branch that has it"
    of_student = [(term, "student") for term in ("supervised", "ts", "entropy")]
    for term, player in (*of_student, ("auxiliary", "auxiliary"), ("ts", "teacher"), ("ta", "teacher")):
        assert all(of(method, f"{player}.encoders.{name}") <= moved(method, term, of_task=SEARCH) for name in "xy"), term
    assert {int(method(batch)[term].count) for term in ("ts", "ta", "ts.ceiling", "ta.ceiling", "entropy", "entropy.bound")} == {
        rows
    }
    assert not moved(method, "ta", of_task=SEARCH) & of(method, "auxiliary")


def test_banks_take_no_gradient_stay_on_the_sphere_and_move_only_between_steps():
    loader = toy_loader(CLASSES)
    method = amid(mi="crd_bank").train()
    ids = [row for batch in loader.of for row in batch.id]
    method.meet(ids, np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=bool))
    before = {name: value.clone() for name, value in method.named_buffers() if name.endswith("_bank")}
    assert len(before) == 4
    sum(term.total for term in method(loader.of[0]).values()).backward()
    assert not any(value.requires_grad for value in method.buffers())
    assert all(torch.equal(value, before[name]) for name, value in method.named_buffers() if name in before)
    method.after_step()
    for name, bank in method.named_buffers():
        if name in before:
            moved_rows = (bank != before[name]).any(dim=1)
            assert 0 < moved_rows.sum() <= len(loader.of[0])
            torch.testing.assert_close(bank.norm(dim=1), torch.ones(len(ids)))
