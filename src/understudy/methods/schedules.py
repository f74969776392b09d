"""Schedules: the factor in [0, 1] of a term's weight, as a function of how far training is or of what validation found."""

import math
from collections.abc import Sequence


def constant(step: int) -> float:
    """Always 1."""
    return 1.0


def ramp(step: int, *, steps: int) -> float:
    """From 0 before the first update in a straight line to 1 after `steps` of them."""
    return min(1.0, step / steps) if steps > 0 else 1.0


def late_ramp(step: int, *, steps: int) -> float:
    """exp(-5 (1 - t)^2), t growing from 0 to 1 over `steps` updates: 0.0067 at first, exactly 1 from there on."""
    return math.exp(-5 * (1 - ramp(step, steps=steps)) ** 2)


def decay(step: int, *, half_life: int) -> float:
    """From 1 down, halved every `half_life` updates (at least 1)."""
    return 0.5 ** (step / half_life)


def gated(scores: Sequence[float], *, patience: int, higher_is_better: bool) -> float:
    """1 until the validation scores so far have not become better for `patience` epochs in a row; from then on 0."""
    best, waited = None, 0
    for score in scores if higher_is_better else (-score for score in scores):
        best, waited = (score, 0) if best is None or score > best else (best, waited + 1)
        if waited >= patience:
            return 0.0
    return 1.0
