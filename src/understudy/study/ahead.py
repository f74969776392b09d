"""Ahead: what a run would train, and how long that takes at most, before it starts."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Unpack

from understudy.batches.batch import Batch
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Given, Split, opened_split
from understudy.methods import Supervised
from understudy.players.cast import drawn, player_of
from understudy.process.hardware import accelerator, on
from understudy.study.distill import asked_of
from understudy.study.job import engines_of, estimate_of
from understudy.study.run import Run
from understudy.study.settings import Asked, Settings
from understudy.study.stage import Stages
from understudy.study.trial import everybody_with_first
from understudy.study.tuning import trainings_of
from understudy.training.fit import fit

WARM, TIMED = 2, 4
"""Batches that are trained on before the clock runs, and while it does."""


@dataclass(frozen=True)
class Line:
    """A system: how many trainings, what it reads, updates of one at most, and seconds an update."""

    system: str
    trainings: int
    reads: Sequence[str]
    epochs: int
    updates: int
    seconds: float

    @property
    def minutes(self) -> float:
        """Of all its trainings, one after the other."""
        return self.trainings * self.updates * self.seconds / 60


@dataclass(frozen=True)
class Ahead:
    """rows: of each part. lines: the systems. at_once: trainings side by side. early: whether most end before the last epoch."""

    split: str
    rows: dict[str, int]
    lines: tuple[Line, ...]
    at_once: int
    early: bool

    @property
    def minutes(self) -> float:
        """Of the whole run, at most."""
        return sum(line.minutes for line in self.lines) / self.at_once

    def __str__(self) -> str:
        width = max(len(line.system) for line in self.lines)
        rows = ", ".join(f"{many} {part}" for part, many in self.rows.items())
        table = [f"{'system':{width}s}  trainings  updates of one  ms an update  minutes at most  reads"]
        for line in self.lines:
            numbers = f"{line.trainings:9d}  {line.updates:14,d}  {1000 * line.seconds:12.1f}  {line.minutes:15.1f}"
            table.append(f"{line.system:{width}s}  {numbers}  {'+'.join(line.reads)}")
        early = "; most trainings end sooner, when validation no longer improves" if self.early else ""
        beside = f", {self.at_once} at once" if self.at_once > 1 else ""
        return "\n".join([f"split {self.split}: {rows}", *table, f"at most {self.minutes:.1f} minutes{beside}{early}"])


def ahead(corpus: Given, *, split: Split | str = "", **asked: Unpack[Asked]) -> Ahead:
    """What `us.distill` with these arguments would train. A few batches are, to time them; nothing is written.

    ValueError and KeyError as of `distill`.
    """
    opened, chosen = opened_split(corpus, split, target=asked.pop("target", ""))
    settings, machine = asked_of(opened, chosen, asked)
    with on(machine.get("device", ""), threads=machine.get("threads", 0)):
        engines = engines_of(machine)
        opened = settings.judged(opened)
        whole = settings.checked(opened)
        rows = whole.rows(opened)
        counts = {part: len(getattr(rows, part)) for part in ("train", "labelled", "valid", "test")}
        trainings, whole = estimate_of(whole, opened, at_once=engines.jobs).left, everybody_with_first(whole, opened)
        timed, searched = dict[str, tuple[int, float]](), trainings_of(whole) if whole.search else {}
        lines = []
        for system, many in trainings.items():
            name = player_of(system)
            player = whole.players(opened)[name]
            timed[name] = timed.get(name) or measured(opened, rows, whole, name)
            (batches, seconds), plan = timed[name], player.planned
            epochs = searched.get(system, (many, plan.epochs))[1]
            lines.append(Line(system, many, player.modalities, epochs, epochs * batches // plan.accumulate, seconds))
        early = len(rows.valid) > 0 and whole.student.planned.patience is not None
    return Ahead(chosen.name, counts, tuple(lines), engines.jobs, early)


def measured(corpus: Corpus, split: Split, settings: Settings, player: str) -> tuple[int, float]:
    """Batches of an epoch, and seconds of one, of a player that trains on labels."""
    players = settings.players(corpus)
    method = Supervised(drawn(player, players, corpus, split, space=settings.space).build(0))
    plan = players[player].planned
    stages, device = Stages(Run(Path(), {}), corpus, split, settings), accelerator(settings.precision)
    loader = stages.loader(method.views(), split, plan, device, seed=0, labelled_only=True)
    short = replace(plan, epochs=1, patience=None, schedule="cosine", accumulate=1)
    fit(method, First(loader, WARM), plan=short, seed=0, accelerator=device, quiet=True)
    some, began = First(loader, TIMED), time.monotonic()
    fit(method, some, plan=short, seed=0, accelerator=device, quiet=True)
    return len(loader), (time.monotonic() - began) / len(some)


@dataclass(frozen=True)
class First:
    """The first batches of a loader's epoch."""

    loader: Loader
    most: int

    def __len__(self) -> int:
        return min(self.most, len(self.loader))

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return islice(self.loader.batches(epoch, start), len(self))
