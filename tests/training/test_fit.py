"""fit: selection, the log, Ctrl-C, hardware, and what it refuses."""

import io
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor

from toy import NUMBER, ToyLoader, toy_batch, toy_loader, toy_model
from toy_method import FLAT, Alone, Two, joined, same, weights
from understudy.batches.batch import Batch, Output
from understudy.methods import KD
from understudy.methods.method import Method, Terms
from understudy.objectives.objective import Term
from understudy.teachers.teacher import Frozen
from understudy.training.fit import Plan, Scores, fit

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


class Idle(Alone):
    """Says figures that nothing learns from."""

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        return {name: Term(term.total.detach(), term.count) for name, term in super().forward(batch, part).items()}


def test_terms_that_take_no_gradient_are_no_training():
    with pytest.raises(RuntimeError, match="no term takes a gradient"):
        fit(Idle(), toy_loader(NUMBER), plan=FLAT, seed=0)


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


def test_at_a_plateau_the_rate_falls_before_the_fit_stops(tmp_path: Path):
    """Best in epoch 1, patience of 2 epochs: after 4 epochs of 4 updates, 16, it falls to 0 over half as many, 8."""
    method, rates = Alone(), []
    plan = replace(FLAT, epochs=30, patience=2, schedule="plateau", cooldown=0.5, warmup=0.0)
    scores = [0.1, 0.5, *[0.4] * 28]
    history = fit(
        method, toy_loader(NUMBER), plan=plan, seed=0, out=tmp_path, validate=scripted(method, scores, rates, higher=True)
    )
    assert (history.stopped, len(history.epochs), history.steps) == ("plateau", 6, 24)
    assert [line.get("stopped") for line in history.epochs] == [None] * 5 + ["plateau"]
    assert plan.factor(15, 120) == 1.0
    assert [plan.factor(step, 120, (16, 8)) for step in (16, 20, 24)] == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize(("patience", "stopped"), [(None, "epochs"), (50, "epochs"), (1, "plateau")])
def test_a_plan_of_the_plateau_cools_down_within_its_bound(patience: int | None, stopped: str):
    method = Alone()
    plan = replace(FLAT, epochs=10, patience=patience, schedule="plateau", cooldown=0.25)
    validate = scripted(method, [float(epoch if patience != 1 else 0) for epoch in range(10)], [], higher=True)
    history = fit(method, toy_loader(NUMBER), plan=plan, seed=0, validate=validate)
    assert history.stopped == stopped
    assert (len(history.epochs) == 10) == (stopped == "epochs")


def test_a_bound_in_time_stops(tmp_path: Path):
    history = fit(Alone(), toy_loader(NUMBER), plan=replace(FLAT, epochs=10**4, minutes=1e-4), seed=0)
    assert history.stopped == "minutes"
    assert len(history.epochs) < 1000


def test_without_patience_all_epochs_are_trained_and_the_best_is_kept():
    method, seen = Alone(), []
    history = fit(
        method,
        toy_loader(NUMBER),
        plan=replace(FLAT, epochs=3),
        seed=0,
        validate=scripted(method, [3.0, 2.0, 1.0], seen, higher=True),
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
    assert list(line) == ["epoch", "step", "seconds", "loss", "terms", "valid", "stopped"]
    assert line["stopped"] == "epochs"
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
    """Presses Ctrl-C, or is told to end by another signal, after update `at`."""

    at, signal = -1, signal.SIGINT

    def after_step(self) -> None:
        super().after_step()
        if len(self.gradients) == self.at:
            os.kill(os.getpid(), self.signal)


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


def test_sigterm_saves_and_then_goes_to_whom_it_was_for(tmp_path: Path):
    def told(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    method, before = Interrupted(), signal.signal(signal.SIGTERM, told)
    method.at, method.signal = 4, signal.SIGTERM
    try:
        with pytest.raises(SystemExit) as ended:
            fit(method, toy_loader(NUMBER), plan=Plan(epochs=3), seed=0, out=tmp_path)
        assert signal.getsignal(signal.SIGTERM) is told
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert len(list((tmp_path / "checkpoint").iterdir())) == 1
    assert len(method.gradients) == 4


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


def test_a_method_knows_its_epoch(tmp_path):
    class Counts(Alone):
        def forward(self, batch: Batch, part: str = "main") -> Terms:
            epochs.append(self.epoch)
            return super().forward(batch, part)

    epochs: list[int] = []
    fit(Counts(), toy_loader(NUMBER, batches=2), plan=replace(FLAT, epochs=3), seed=0, quiet=True)
    assert epochs == [0, 0, 1, 1, 2, 2]
