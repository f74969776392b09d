"""Plan: how long and how fast a fit trains, never what."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

Schedule = Literal["constant", "linear", "cosine", "plateau"]


@dataclass(frozen=True)
class Plan:
    """The settings of one fit; ValueError for a value that cannot be meant.

    epochs: passes over the training batches, at most. batch_size: rows in a batch of one process; an update sees
    `batch_size * accumulate * processes` rows. rate, pretrained_rate: peak learning rates of new and of pretrained parameters.
    weight_decay: AdamW's, decoupled. warmup: share of all updates (0 to 1) over which the rates rise linearly to their peak.
    schedule: how they fall to 0 afterwards; "plateau" keeps the peak until `patience` runs out, and falls as a cosine over
    `cooldown` times the updates until then (warm-up, stable, decay: Hu et al., arXiv 2404.06395; when to decay is ours).
    clip: largest gradient norm of each player; None = not clipped. accumulate: batches in one update. patience: epochs without a
    better validation score before the fit stops, or cools down; None = all epochs. minutes: of training, at most; with "plateau"
    the cool-down begins in time to end then, else it stops; None = as long as it takes.
    """

    epochs: int
    batch_size: int = 64
    rate: float = 1e-3
    pretrained_rate: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    schedule: Schedule = "cosine"
    clip: float | None = 1.0
    accumulate: int = 1
    patience: int | None = None
    cooldown: float = 0.25
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("rate", "pretrained_rate", "weight_decay"):
            value = getattr(self, name)
            check(math.isfinite(value) and value >= 0, name, value, "a finite number, 0 or more")
        check(0 <= self.warmup <= 1, "warmup", self.warmup, "a share of the updates, 0 to 1")
        check(self.schedule in get_args(Schedule), "schedule", self.schedule, ", ".join(get_args(Schedule)))
        check(self.clip is None or self.clip > 0, "clip", self.clip, "a norm above 0, or None for no clipping")
        check(self.patience is None or self.patience >= 1, "patience", self.patience, "1 or more epochs, or None for all")
        check(0 < self.cooldown <= 1, "cooldown", self.cooldown, "a share of the updates before it, above 0, at most 1")
        check(self.minutes is None or self.minutes > 0, "minutes", self.minutes, "more than 0, or None for no bound in time")

    def factor(self, step: int, steps: int, cooling: tuple[int, int] | None = None) -> float:
        """Share of the peak rate (0 to 1) at update `step` of `steps`, counted from 0.

        cooling: of schedule "plateau", the update at which the rate begins to fall and how many it falls over, once known.
        """
        rise = round(self.warmup * steps)
        if step < rise:
            return (step + 1) / rise
        if self.schedule == "constant" or (self.schedule == "plateau" and cooling is None):
            return 1.0
        begun, over = cooling or (rise, steps - rise)
        done = (step - begun) / max(1, over)
        return 1.0 - done if self.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))


def check(fine: bool, name: str, given: object, allowed: str) -> None:
    """ValueError unless the setting is fine."""
    if not fine:
        raise ValueError(f"plan.{name} is {given!r}; allowed: {allowed}")
