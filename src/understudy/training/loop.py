"""Loop: one fit under way. Epochs, validation, log and checkpoints; no method, model or corpus."""

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object, set_seed
from torch import Tensor, nn

from understudy.batches.batch import Batch
from understudy.methods.method import Method
from understudy.process import tracking
from understudy.process.log import LOG
from understudy.process.whole import write_text
from understudy.training import checkpoint
from understudy.training.gradient import Gradient
from understudy.training.optimise import parts_of
from understudy.training.plan import Plan

LATER = {"cooldown", "minutes"}
"""What a plan of an earlier version had not: it is no part of a checkpoint's identity where it is not used."""
Stop = Literal["plateau", "epochs", "minutes"]
"""Why a fit stopped: validation no longer improved, or it came to the end of its plan or of its time."""


class Diverged(ValueError):
    """A loss or a validation score is not finite: these settings lead nowhere."""


@runtime_checkable
class Batches(Protocol):
    """The training batches of this process: `len()` of them in every epoch, in an order that `epoch` decides."""

    def __len__(self) -> int: ...

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from position `start` on."""
        ...


@dataclass(frozen=True)
class Scores:
    """What validation found. `primary` selects; `all` is logged and handed to `Method.after_epoch`."""

    primary: float
    higher_is_better: bool
    all: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """How a fit went. `epochs` holds the lines of log.jsonl; `steps` counts updates.

    selection: "best" = the student carries the weights of `best_epoch`, chosen by validation; "last" = those of the last epoch.
    stopped: why, as the last line of the log says too.
    """

    epochs: list[dict[str, Any]]
    steps: int
    selection: Literal["best", "last"]
    best_epoch: int | None
    best: float | None
    stopped: Stop | None


@dataclass
class Place:
    """How far a fit is: what a checkpoint holds besides tensors and random states.

    totals: term -> [sum, count] over this epoch so far. seconds: spent on this epoch. waited: epochs since the best one.
    cooling: of schedule "plateau", the update at which the rate began to fall, and over how many. reason: why it began to, or why
    the fit is over.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    totals: dict[str, list[float]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_epoch: int | None = None
    waited: int = 0
    cooling: tuple[int, int] | None = None
    reason: Stop | None = None
    over: bool = False


class Loop:
    """One fit under way: epochs, validation, log and checkpoints. The gradient and the optimisers know the rest."""

    def __init__(
        self,
        method: Method,
        ready: nn.Module,
        train: Batches,
        plan: Plan,
        seed: int,
        out: Path | None,
        validate: Callable[[], Scores] | None,
        accelerator: Accelerator,
        save_every: float,
    ) -> None:
        self.method, self.train, self.plan, self.out = method, train, plan, out
        self.validate, self.accelerator, self.save_every = validate, accelerator, save_every
        self.main = accelerator.is_main_process
        self.title = f"{out.parent.name}/{out.name}" if out else "fit"
        self.steps = plan.epochs * math.ceil(len(train) / plan.accumulate)
        self.parts = parts_of(method, plan=plan)
        self.gradient = Gradient(method, ready, accelerator, share=self.share)
        self.place = Place()
        self.best_weights: dict[str, Tensor] = {}
        self.saved, self.asked, self.stop, self.due = time.monotonic(), 0, False, False
        unused = {each.name for each in fields(Plan) if each.name in LATER and getattr(plan, each.name) == each.default}
        self.identity = {f"plan.{name}": value for name, value in asdict(plan).items() if name not in unused}
        self.identity |= {"seed": seed, "number of batches": len(train), "number of processes": accelerator.num_processes}
        self.identity |= {"validation": validate is not None}
        self.identity |= {name: f"{value.dtype} {list(value.shape)}" for name, value in method.state_dict().items()}
        method.seed, method.process = seed, accelerator.process_index
        set_seed(seed + accelerator.process_index)

    def run(self, tell: Callable[[int, str], None]) -> None:
        tracking.begin(self.accelerator, self.title)
        while not self.place.over:
            self.train_epoch(tell)
            self.close_epoch()
            self.pause()
        for tracker in self.accelerator.trackers:
            tracker.finish()

    def train_epoch(self, tell: Callable[[int, str], None]) -> None:
        """The epoch's updates, from where it was left."""
        place = self.place
        began = time.monotonic() - place.seconds
        self.method.train()
        batches = iter(self.train.batches(place.epoch, place.batch))
        while window := [batch.to(self.accelerator.device) for batch in islice(batches, self.plan.accumulate)]:
            self.update(window)
            place.seconds = time.monotonic() - began
            tell(place.step, f"epoch {place.epoch + 1}/{self.plan.epochs}")
            if place.batch < len(self.train):
                self.pause()
        if place.batch != len(self.train):
            raise ValueError(f"train has len() {len(self.train)}, but gave {place.batch} batches in epoch {place.epoch}")

    def update(self, window: list[Batch]) -> None:
        """One update: each part in turn, its gradient and its step."""
        place, moved = self.place, False
        self.method.update, self.method.epoch = place.step, place.epoch
        first = place.epoch * len(self.train) + place.batch
        factor = self.plan.factor(place.step, self.steps, place.cooling)
        for part in self.parts:
            part.optimizer.zero_grad()
            try:
                figures = self.gradient(part.name, window, first=first)
            except FloatingPointError as error:
                advice = "lower the rate, clip more, or look at the inputs of these rows"
                raise Diverged(f"{error} at update {place.step} (epoch {place.epoch}): {advice}") from None
            if figures:
                part.step(factor, self.accelerator.scaler)
                moved = True
            for name, (total, count) in figures.items():
                sums = place.totals.setdefault(name if part.name == "main" else f"{part.name}.{name}", [0.0, 0.0])
                sums[0] += total
                sums[1] += count
        if moved:
            self.method.after_step()
        place.batch += len(window)
        place.step += 1

    def close_epoch(self) -> None:
        """Validate, keep the best weights, and write the epoch's line; its loss is the main part's."""
        place, scores = self.place, None
        if self.validate:
            began = time.monotonic()
            self.method.eval()
            # One process decides, so that all of them stop at the same epoch.
            scores = broadcast_object_list([self.validate()])[0]
            self.select(scores)
            place.seconds += time.monotonic() - began
        terms = {name: total / count if count else None for name, (total, count) in place.totals.items()}
        line = {"epoch": place.epoch, "step": place.step, "seconds": round(place.seconds, 3)}
        loss = sum(value or 0.0 for name, value in terms.items() if "." not in name)
        line |= {"loss": loss, "terms": terms, "valid": scores.all if scores else {}}
        self.method.after_epoch(line["valid"])
        place.log.append(line)
        place.epoch, place.batch, place.seconds, place.totals = place.epoch + 1, 0, 0.0, {}
        self.steer()
        if place.over:
            line["stopped"] = place.reason
        if self.out and self.main:
            with (self.out / LOG).open("a") as file:
                file.write(json.dumps(line) + "\n")
        if self.accelerator.trackers:
            curves = {"loss": line["loss"]} | {f"terms/{name}": value for name, value in terms.items() if value is not None}
            self.accelerator.log(curves | {f"valid/{name}": value for name, value in line["valid"].items()}, step=place.step)

    def steer(self) -> None:
        """Between two epochs: whether the rate begins to fall, and whether the fit is over."""
        place, plan = self.place, self.plan
        falls = plan.schedule == "plateau"
        # The rest that the cool-down needs is kept free of the plan's bounds.
        ahead = 1 + plan.cooldown if falls else 1.0
        reason: Stop | None = place.reason
        if reason is None and self.validate and plan.patience and place.waited >= plan.patience:
            reason = "plateau"
        elif reason is None and plan.minutes is not None:
            # One process decides, so that all of them stop at the same epoch.
            spent = broadcast_object_list([sum(line["seconds"] for line in place.log)])[0]
            reason = "minutes" if spent * ahead >= 60 * plan.minutes else None
        if reason is None and place.epoch * ahead >= plan.epochs:
            reason = "epochs"
        if falls and reason and place.cooling is None:
            left = (plan.epochs - place.epoch) * self.steps // plan.epochs
            place.cooling = (place.step, min(left, math.ceil(plan.cooldown * place.step)))
        place.reason = reason
        cooled = not falls or (place.cooling is not None and place.step >= sum(place.cooling))
        place.over = place.epoch >= plan.epochs or (reason is not None and cooled)

    def select(self, scores: Scores) -> None:
        """Keep the student's weights if these scores are better than the best so far."""
        place, score = self.place, scores.primary
        if not math.isfinite(score):
            raise Diverged(f"the validation score of epoch {place.epoch} is {score}; it must be finite to select by it")
        place.waited += 1
        if place.best is None or (score > place.best if scores.higher_is_better else score < place.best):
            place.best, place.best_epoch, place.waited = score, place.epoch, 0
            self.best_weights = {name: value.clone() for name, value in self.method.student.state_dict().items()}

    def share(self, figures: Tensor) -> list[float]:
        """Figures summed over the processes; with them travels who wants to stop or save, so that all do it together."""
        wishes = [float(self.asked > 0), float(self.main and time.monotonic() - self.saved >= self.save_every)]
        if self.accelerator.num_processes == 1:
            values = [*figures.tolist(), *wishes]
        else:
            whole = self.accelerator.reduce(torch.cat([figures, figures.new_tensor(wishes)]), "sum")
            assert isinstance(whole, Tensor)
            values = whole.tolist()
        *values, self.stop, self.due = values
        return values

    def pause(self) -> None:
        """Between two updates: the only moment at which a checkpoint is whole, and at which Ctrl-C or SIGTERM takes effect."""
        if self.place.batch == 0:
            self.share(torch.zeros(0, device=self.accelerator.device))
        if self.out and (self.stop or self.due):
            self.save(self.out)
        if self.stop:
            if self.asked == signal.SIGTERM:
                signal.raise_signal(signal.SIGTERM)
            raise KeyboardInterrupt

    def save(self, out: Path) -> None:
        states = gather_object([checkpoint.random_state()])
        self.saved = time.monotonic()
        if not self.main:
            return
        scaler = self.accelerator.scaler
        tensors = {f"method.{name}": value for name, value in self.method.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best_weights.items()}
        for part in self.parts:
            tensors |= {f"part.{part.name}.{name}": value for name, value in part.state().items()}
        state = {"identity": self.identity, "place": asdict(self.place), "random": states}
        state |= {"scaler": scaler.state_dict() if scaler else None}
        checkpoint.save(out, f"{self.place.epoch:06d}-{self.place.batch:08d}", state=state, tensors=tensors)

    def resume(self) -> None:
        """Go to where the newest checkpoint was, if there is one, and let the log say the same."""
        if self.out is None:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        found = checkpoint.load(self.out, identity=self.identity)
        if found:
            self.restore(*found)
        if self.main:
            write_text(self.out / LOG, "".join(json.dumps(line) + "\n" for line in self.place.log))

    def restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self.method.load_state_dict(under("method."))
        self.best_weights = {name: value.to(self.accelerator.device) for name, value in under("best.").items()}
        for part in self.parts:
            part.restore(under(f"part.{part.name}."))
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.place = Place(**state["place"])
        if self.place.cooling:
            begun, over = self.place.cooling
            self.place.cooling = (begun, over)
        if self.place.batch == 0:
            self.steer()
        checkpoint.set_random_state(state["random"][self.accelerator.process_index])

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM ask for a checkpoint before it takes effect; the second takes effect at once."""
        if self.out is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: object) -> None:
            signal.signal(number, before[number])
            self.asked = number

        # None is a handler that Python did not install and cannot put back.
        asks = (signal.SIGINT, signal.SIGTERM)
        before: dict[int, Any] = {number: signal.signal(number, ask) or signal.SIG_DFL for number in asks}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def finish(self) -> History:
        """Selected weights into the student, and how it went."""
        place = self.place
        if self.best_weights:
            self.method.student.load_state_dict(self.best_weights)
        self.method.eval()
        selection = "best" if self.best_weights else "last"
        return History(place.log, place.step, selection, place.best_epoch, place.best, place.reason)
