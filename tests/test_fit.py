"""fit: exact gradients, the plan, selection, the log, and what it refuses."""

import io
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor, nn

from toy import NUMBER, ToyLoader, toy_batch, toy_loader, toy_model
from understudy.batch import Batch, Output
from understudy.fit import Plan, Scores, fit
from understudy.methods import KD
from understudy.methods.method import Group, Method, Terms
from understudy.objectives import Supervised
from understudy.objectives.objective import Term, over
from understudy.teachers import Frozen

FLAT = Plan(epochs=1, rate=0.01, warmup=0.0, schedule="constant", clip=None)


class Alone(Method):
    """One student, the task's loss over labelled rows and a pull over all rows: two terms with unequal counts."""

    def __init__(self, *, dropout: bool = False) -> None:
        super().__init__()
        self.student = toy_model(NUMBER, "x", "y")
        if not dropout:
            for module in self.student.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        self.supervised = Supervised(NUMBER)
        self.gradients: list[dict[str, Tensor]] = []
        self.heard: list[dict[str, float]] = []
        self.answers: list[Tensor] = []

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        answer = self.play("student", batch)
        self.answers.append(answer.need("logits").detach().clone())
        pull = over(answer.valid, answer.need("logits")[:, 0].square()).times(0.1)
        return {"supervised": self.supervised(batch, answer), "pull": pull}

    def after_step(self) -> None:
        named = self.student.named_parameters()
        self.gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})

    def after_epoch(self, scores: dict[str, float]) -> None:
        self.heard.append(scores)


def weights(method: Method) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.student.state_dict().items()}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def joined(batches: list[Batch]) -> Batch:
    first = batches[0]
    return Batch(
        inputs={
            m: {v: {f: torch.cat([b.inputs[m][v][f] for b in batches]) for f in fields} for v, fields in views.items()}
            for m, views in first.inputs.items()
        },
        present={m: torch.cat([b.present[m] for b in batches]) for m in first.present},
        target=torch.cat([b.target for b in batches]),
        labelled=torch.cat([b.labelled for b in batches]),
        id=tuple(row for b in batches for row in b.id),
    )


def unlabelled(batch: Batch) -> Batch:
    return replace(batch, labelled=torch.zeros_like(batch.labelled))


def blind(batch: Batch) -> Batch:
    return replace(unlabelled(batch), present={m: torch.zeros_like(here) for m, here in batch.present.items()})


# --- plan ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"accumulate": 0},
        {"rate": -1.0},
        {"rate": math.nan},
        {"pretrained_rate": math.inf},
        {"weight_decay": -0.1},
        {"warmup": 1.5},
        {"schedule": "cosin"},
        {"clip": 0.0},
        {"patience": 0},
    ],
)
def test_a_plan_says_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=f"plan.{next(iter(wrong))} is .*; allowed: "):
        Plan(**{"epochs": 3, **wrong})


def test_the_rate_rises_and_falls_as_the_closed_form_says():
    plan = Plan(epochs=1, warmup=0.2, schedule="linear")
    assert [round(plan.factor(step, 10), 6) for step in range(10)] == [0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    cosine = Plan(epochs=1, warmup=0.0, schedule="cosine")
    assert [cosine.factor(step, 4) for step in range(4)] == pytest.approx([(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)])
    assert Plan(epochs=1, warmup=0.0, schedule="constant").factor(9, 10) == 1.0
    assert Plan(epochs=1, warmup=1.0).factor(9, 10) == 1.0


# --- gradient ---


def by_hand(batches: list[Batch], plan: Plan) -> dict[str, Tensor]:
    """The loop that anyone would write, in its simplest form."""
    method, steps = Alone(), plan.epochs * len(batches)
    groups = list(method.student.parameters())
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=plan.weight_decay, foreach=False)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: plan.factor(step, steps))
    method.train()
    for _ in range(plan.epochs):
        for batch in batches:
            optimizer.zero_grad()
            sum(term.total / term.count for term in method(batch).values()).backward()
            if plan.clip:
                nn.utils.clip_grad_norm_(groups, plan.clip)
            optimizer.step()
            schedule.step()
    return weights(method)


def test_a_fit_is_the_loop_written_by_hand():
    plan, method = Plan(epochs=3, rate=0.01, clip=0.3, warmup=0.3), Alone()
    history = fit(method, toy_loader(NUMBER, batches=5), plan=plan, seed=0)
    torch.testing.assert_close(weights(method), by_hand(toy_loader(NUMBER, batches=5).of, plan), rtol=1e-5, atol=1e-6)
    assert (history.steps, history.selection, history.best_epoch, len(history.epochs)) == (15, "last", None, 3)
    assert not method.training


def test_accumulation_equals_the_large_batch():
    small = [toy_batch(NUMBER, rows, seed=rows) for rows in (3, 9, 1, 6)]
    small[1] = unlabelled(small[1])
    many, once = Alone(), Alone()
    fit(many, ToyLoader(small), plan=replace(FLAT, accumulate=4), seed=0)
    fit(once, ToyLoader([joined(small)]), plan=FLAT, seed=0)
    assert len(many.gradients) == len(once.gradients) == 1
    torch.testing.assert_close(many.gradients[0], once.gradients[0], rtol=1e-6, atol=1e-6)
    means = [b.labelled.float().sum() for b in small]
    assert len({float(m) for m in means}) > 1, "the counts must be unequal for the test to tell a mean of means"


def test_the_last_window_of_an_epoch_may_be_short():
    method = Alone()
    history = fit(method, toy_loader(NUMBER, batches=5), plan=replace(FLAT, epochs=2, accumulate=2), seed=0)
    assert history.steps == len(method.gradients) == 6


def test_each_batch_draws_its_own_dropout_and_the_rehearsal_the_same():
    method = Alone(dropout=True)
    fit(method, ToyLoader([toy_batch(NUMBER, 8)] * 2), plan=replace(FLAT, epochs=2, accumulate=2), seed=0)
    one, two, again_one, again_two, next_one, *_ = method.answers
    assert torch.equal(one, again_one)
    assert torch.equal(two, again_two)
    assert not torch.equal(one, two)
    assert not torch.equal(one, next_one)


def test_the_same_seed_trains_the_same_weights_whatever_ran_before():
    def run(seed: int) -> dict[str, Tensor]:
        method = Alone(dropout=True)
        fit(method, toy_loader(NUMBER), plan=FLAT, seed=seed)
        return weights(method)

    first = run(0)
    torch.rand(7)
    assert same(first, run(0))
    assert not same(first, run(1))


def test_an_update_in_which_nothing_counts_moves_nothing():
    method, batches = Alone(), toy_loader(NUMBER, batches=3).of
    before = weights(method)
    history = fit(method, ToyLoader([blind(b) for b in batches]), plan=replace(FLAT, weight_decay=0.5), seed=0)
    assert same(weights(method), before)
    assert not method.gradients
    assert history.epochs[0]["terms"] == {}
    mixed, plain = Alone(), Alone()
    fit(mixed, ToyLoader([batches[0], blind(batches[1]), batches[2]]), plan=FLAT, seed=0)
    fit(plain, ToyLoader([batches[0], batches[2]]), plan=FLAT, seed=0)
    assert same(weights(mixed), weights(plain))


def test_a_term_that_counts_nothing_leaves_the_others_alone():
    method = Alone()
    history = fit(method, ToyLoader([unlabelled(toy_batch(NUMBER, 8))]), plan=FLAT, seed=0)
    assert history.epochs[0]["terms"]["supervised"] is None
    assert history.epochs[0]["terms"]["pull"] > 0
    assert all(value.isfinite().all() for value in weights(method).values())


# --- optimisers ---


class Two(Alone):
    """A critic beside the student; its loss can be made huge."""

    def __init__(self, *, scale: float = 1.0, part: str = "main") -> None:
        super().__init__()
        self.critic, self.scale, self.part = nn.Linear(1, 1), scale, part
        nn.init.ones_(self.critic.weight)

    def parts(self) -> tuple[str, ...]:
        return ("main",) if self.part == "main" else (self.part, "main")

    def groups(self) -> list[Group]:
        return [
            Group("critic", list(self.critic.parameters()), part=self.part),
            Group("student", list(self.student.parameters())),
        ]

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        critic = {"critic": Term(self.critic(torch.ones(1, 1)).sum() * self.scale, torch.tensor(1.0))}
        if self.part == "main":
            return super().forward(batch) | critic
        return critic if part == self.part else super().forward(batch)


def test_players_are_clipped_apart():
    calm, wild = Two(), Two(scale=1e6)
    for method in (calm, wild):
        fit(method, toy_loader(NUMBER), plan=replace(FLAT, clip=0.1), seed=0)
    assert same(weights(calm), weights(wild))
    norm = math.sqrt(sum(float(g.square().sum()) for g in wild.gradients[0].values()))
    assert norm == pytest.approx(0.1, rel=1e-4)


def test_parts_have_their_own_optimisers_and_names_in_the_log():
    alone, beside = Alone(), Two(part="critic")
    fit(alone, toy_loader(NUMBER), plan=FLAT, seed=0)
    history = fit(beside, toy_loader(NUMBER), plan=FLAT, seed=0)
    assert same(weights(alone), weights(beside))
    assert beside.critic.weight.item() < 1
    assert list(history.epochs[0]["terms"]) == ["critic.critic", "supervised", "pull"]


def test_pretrained_parameters_move_at_their_own_rate():
    method = Alone()
    method.student.encoders["x"].fine_tuned = True
    before = weights(method)
    fit(method, toy_loader(NUMBER, batches=1), plan=replace(FLAT, pretrained_rate=1e-4, weight_decay=0.0), seed=0)
    step = {name: float((value - before[name]).abs().max()) for name, value in weights(method).items()}
    assert step["encoders.x.layers.1.weight"] == pytest.approx(1e-4, rel=1e-2)  # Adam's first step is the rate itself.
    assert step["encoders.y.layers.1.weight"] == pytest.approx(1e-2, rel=1e-2)


class Groups(Alone):
    """Groups as the test wants them."""

    def __init__(self, change: Callable[[list[Group]], list[Group]]) -> None:
        super().__init__()
        self.change = change

    def groups(self) -> list[Group]:
        return self.change(super().groups())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda groups: groups + groups, "in more than one group"),
        (lambda groups: [replace(groups[0], parameters=groups[0].parameters[1:])], "trains but is in no group"),
        (lambda groups: [*groups, Group("other", [nn.Parameter(torch.ones(1))])], "in a group but not in the method"),
        (lambda groups: [replace(groups[0], part="critic")], "is for part 'critic'; the method's parts are"),
        (lambda groups: [], "trains but is in no group"),
    ],
)
def test_groups_that_do_not_fit_are_named(change: Callable[[list[Group]], list[Group]], message: str):
    with pytest.raises(ValueError, match=message):
        fit(Groups(change), toy_loader(NUMBER), plan=FLAT, seed=0)


def test_a_part_without_parameters_is_named():
    method = Two(part="critic")
    method.critic.requires_grad_(False)
    method.groups = lambda: [Group("student", list(method.student.parameters()))]
    with pytest.raises(ValueError, match="part 'critic' of the method moves no parameter"):
        fit(method, toy_loader(NUMBER), plan=FLAT, seed=0)


# --- what goes wrong ---


class Breaks(Alone):
    """Gives `value` for a term in batch 5."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        terms = super().forward(batch)
        return terms | {"pull": terms["pull"].times(self.value if self.step == 5 else 1.0)}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_that_is_not_finite_stops_before_it_does_harm(value: float, accumulate: int):
    method = Breaks(value)
    with pytest.raises(ValueError, match=rf"term 'pull' .* is (nan|inf) at update {5 // accumulate} \(epoch 1\): lower the rate"):
        fit(method, toy_loader(NUMBER), plan=replace(FLAT, epochs=2, accumulate=accumulate), seed=0)
    assert all(value.isfinite().all() for value in weights(method).values())


def test_batches_that_do_not_add_up_are_refused():
    class Short(ToyLoader):
        def __len__(self) -> int:
            return len(self.of) + 1

    with pytest.raises(ValueError, match=r"train has len\(\) 5, but gave 4 batches"):
        fit(Alone(), Short(toy_loader(NUMBER).of), plan=FLAT, seed=0)
    with pytest.raises(ValueError, match="no training batch"):
        fit(Alone(), ToyLoader([]), plan=FLAT, seed=0)


def test_a_method_without_terms_is_refused():
    method = Alone()
    method.forward = lambda batch, part="main": {}
    with pytest.raises(ValueError, match="no term for part 'main'"):
        fit(method, toy_loader(NUMBER), plan=FLAT, seed=0)


# --- selection, log ---


def scripted(method: Method, scores: list[float], seen: list[dict[str, Tensor]], *, higher: bool = True) -> Callable[[], Scores]:
    def validate() -> Scores:
        assert not method.training
        seen.append(weights(method))
        score = scores[len(seen) - 1]
        return Scores(score, higher, {"accuracy": score})

    return validate


@pytest.mark.parametrize(("higher", "sign"), [(True, 1), (False, -1)])
def test_the_best_epoch_is_kept_and_patience_stops(higher: bool, sign: int):
    method, seen = Alone(), []
    validate = scripted(method, [sign * s for s in (0.1, 0.5, 0.5, 0.4, 0.9)], seen, higher=higher)
    history = fit(method, toy_loader(NUMBER), plan=replace(FLAT, epochs=9, patience=2), seed=0, validate=validate)
    assert (history.selection, history.best_epoch, history.best) == ("best", 1, sign * 0.5)
    assert len(history.epochs) == 4
    assert same(weights(method), seen[1])
    assert not same(seen[1], seen[3])
    assert method.heard == [{"accuracy": sign * s} for s in (0.1, 0.5, 0.5, 0.4)]


def test_without_patience_all_epochs_are_trained_and_the_best_is_kept():
    method, seen = Alone(), []
    history = fit(
        method, toy_loader(NUMBER), plan=replace(FLAT, epochs=3), seed=0, validate=scripted(method, [3, 2, 1], seen, higher=True)
    )
    assert len(history.epochs) == 3
    assert same(weights(method), seen[0])


def test_patience_without_validation_warns():
    with pytest.warns(UserWarning, match="patience=2 has no effect"):
        fit(Alone(), toy_loader(NUMBER), plan=replace(FLAT, patience=2), seed=0)


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="validation score of epoch 0 is nan"):
        fit(Alone(), toy_loader(NUMBER), plan=FLAT, seed=0, validate=lambda: Scores(math.nan, True))


def test_the_log_holds_exact_means_over_rows(tmp_path: Path):
    method = Alone()
    small = [toy_batch(NUMBER, rows, seed=rows) for rows in (3, 9)]
    plan = replace(FLAT, rate=0.0)
    history = fit(
        method, ToyLoader(small), plan=plan, seed=0, out=tmp_path, validate=lambda: Scores(2.0, True, {"accuracy": 2.0})
    )
    (line,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line] == history.epochs
    assert list(line) == ["epoch", "step", "seconds", "loss", "terms", "valid"]
    whole = {name: (term.total / term.count).item() for name, term in method(joined(small)).items()}
    assert line["terms"] == pytest.approx(whole, rel=1e-5)
    assert line["loss"] == pytest.approx(sum(whole.values()), rel=1e-5)
    assert (line["epoch"], line["step"], line["valid"]) == (0, 2, {"accuracy": 2.0})


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]):
    fit(Alone(), toy_loader(NUMBER), plan=FLAT, seed=0)
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for quiet in (False, True):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        fit(Alone(), toy_loader(NUMBER), plan=FLAT, seed=0, quiet=quiet)
        assert ("epoch 1/1" in terminal.getvalue()) is not quiet


# --- resume ---


class Interrupted(Alone):
    """Presses Ctrl-C after update `at`."""

    at = -1

    def after_step(self) -> None:
        super().after_step()
        if len(self.gradients) == self.at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("at", [1, 4, 7])
def test_ctrl_c_saves_and_the_run_goes_on(tmp_path: Path, at: int):
    plan, method = Plan(epochs=3), Interrupted(dropout=True)
    whole = Alone(dropout=True)
    history = fit(whole, toy_loader(NUMBER), plan=plan, seed=0, out=tmp_path / "whole")
    method.at, before = at, signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(method, toy_loader(NUMBER), plan=plan, seed=0, out=tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is before
    assert len(list((tmp_path / "run" / "checkpoint").iterdir())) == 1
    again = Alone(dropout=True)
    resumed = fit(again, toy_loader(NUMBER), plan=plan, seed=0, out=tmp_path / "run")
    assert len(again.gradients) < len(whole.gradients)
    assert same(weights(again), weights(whole))
    assert [line | {"seconds": 0} for line in resumed.epochs] == [line | {"seconds": 0} for line in history.epochs]
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log == resumed.epochs


def test_another_run_on_the_same_folder_is_refused(tmp_path: Path):
    plan = Plan(epochs=1)

    def run(method: Method, plan: Plan, seed: int, batches: int = 4) -> None:
        fit(method, toy_loader(NUMBER, batches=batches), plan=plan, seed=seed, out=tmp_path, save_every=0.0)

    run(Alone(), plan, 0)
    run(Alone(), plan, 0)
    larger = Alone()
    larger.student = toy_model(NUMBER, "x", "y", width=9)
    for arguments, name in (
        ((Alone(), replace(plan, rate=0.5), 0), "plan.rate was 0.001, now it is 0.5"),
        ((Alone(), plan, 1), "seed was 0, now it is 1"),
        ((Alone(), plan, 0, 5), "number of batches was 4"),
        ((Two(), plan, 0), "critic.weight was None"),
        ((larger, plan, 0), "student.encoders.x.layers.1.weight was"),
    ):
        with pytest.raises(ValueError, match=f"checkpoint of another run: its {name}"):
            run(*arguments)


def test_a_frozen_teacher_is_in_no_checkpoint(tmp_path: Path):
    method = KD(toy_model(NUMBER, "x"), Frozen(toy_model(NUMBER, "x", "y", width=7, seed=2)), feature=0.5)
    fit(method, toy_loader(NUMBER), plan=FLAT, seed=0, out=tmp_path, save_every=0.0)
    (tensors,) = (tmp_path / "checkpoint").glob("*/tensors.safetensors")
    kept = {name.split(".")[1] for name in load_file(tensors) if name.startswith("method.")}
    assert kept == {"student", "feature_regression"}
    assert sum(name.endswith("exp_avg") for name in load_file(tensors)) == len(list(method.parameters()))


# --- hardware ---


@pytest.fixture
def fresh_accelerate():
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


def test_bfloat16_trains_and_leaves_the_method_as_it_was(fresh_accelerate: None):
    method, kinds = Alone(), []
    method.student.head[-1].register_forward_hook(lambda module, given, answer: kinds.append(answer.dtype))
    fit(method, toy_loader(NUMBER), plan=FLAT, seed=0, accelerator=Accelerator(cpu=True, mixed_precision="bf16"))
    assert set(kinds) == {torch.bfloat16}
    assert {p.dtype for p in method.parameters()} == {torch.float32}
    answer: Output = method.play("student", toy_batch(NUMBER, 3))
    assert answer.need("logits").dtype == torch.float32
    kinds.clear()
    method(toy_batch(NUMBER, 3))
    assert kinds == [torch.float32]


def test_tensorboard_gets_the_curves(tmp_path: Path, fresh_accelerate: None):
    pytest.importorskip("tensorboard")
    accelerator = Accelerator(cpu=True, log_with="tensorboard", project_dir=tmp_path)
    fit(Alone(), toy_loader(NUMBER), plan=FLAT, seed=0, out=tmp_path / "plain" / "seed-0", accelerator=accelerator)
    (events,) = (tmp_path / "plain" / "seed-0").glob("events*")
    assert b"terms/supervised" in events.read_bytes()
