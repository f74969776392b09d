"""Together: one training spread over processes that were launched together, by torchrun or accelerate launch.

The first of them does all that there is to do and writes every file. The others wait for its word, and train along.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import distributed

from understudy.process import hardware
from understudy.process.launched import several
from understudy.study.job import InTurn
from understudy.study.run import load
from understudy.study.stage import Stage, Stages

T = TypeVar("T")
PATIENCE = timedelta(days=30)
"""How long the others wait for a word: while the first stores answers, compares and writes."""
ENDED = "one of the processes launched together ended before the others; what is finished is kept, and the same call goes on"
_leading = False


@dataclass(frozen=True)
class Asked:
    """A stage to train along in: of the run in this folder, with so many threads."""

    folder: Path
    stage: Stage
    threads: int


Word = Asked | bool
"""The last one says whether all went well."""


def lead(work: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What `work` gives, of the first of several processes; the others train along until it is done.

    They give what `otherwise` gives, or end without a word (SystemExit, 2) where `work` failed: the first says why.
    """
    global _leading
    if _leading:
        return work()
    hardware.meet()
    if distributed.get_rank():
        if not follow():
            raise SystemExit(2)
        return otherwise()
    _leading, well = True, False
    try:
        found = work()
        well = True
        return found
    finally:
        _leading = False
        # Whoever was asked to end as well may be gone.
        with suppress(ChildProcessError):
            told(well)


def follow() -> bool:
    """Train along in one stage after the other; whether all went well. ChildProcessError where the first process is gone."""
    while not isinstance(word := told(), bool):
        torch.set_num_threads(word.threads)
        try:
            stages, fault = Stages.of(load(word.folder)), ""
        except (ValueError, OSError) as error:
            stages, fault = None, str(error)
        if any(faults(fault)) or stages is None:
            continue
        # What goes wrong in a training, or ends it, does so in every process; the first says it.
        with suppress(ValueError, OSError, KeyboardInterrupt):
            stages.take_part(word.stage)
    return word


class Together(InTurn):
    """The engine of the first of several processes: each stage in turn, trained by all of them."""

    def play(self, stage: Stage) -> float:
        if self.stages.ready(stage):
            return self.stages.play(stage)
        told(Asked(self.stages.run.folder.resolve(), stage, torch.get_num_threads()))
        for number, fault in enumerate(faults("")):
            if fault:
                raise ValueError(f"{stage}: process {number} of {several()} cannot train along: {fault}")
        return self.stages.play(stage)


@cache
def waiting() -> distributed.ProcessGroup:
    """By which the processes talk, whatever their devices are."""
    made = distributed.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(made, distributed.ProcessGroup)
    return made


def told(word: Word | None = None) -> Word:
    """The word of the first process, which gives one; the others wait for it."""
    words = [word]
    try:
        distributed.broadcast_object_list(words, src=0, group=waiting())
    except RuntimeError as error:
        raise ChildProcessError(ENDED) from error
    assert words[0] is not None
    return words[0]


def faults(own: str) -> list[str]:
    """Of every process in order why it cannot train along; "" of one that can."""
    found = [""] * distributed.get_world_size()
    distributed.all_gather_object(found, own, group=waiting())
    return found
