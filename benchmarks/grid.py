"""How every method chooses its strength: one number, one budget, and a grid that goes on where the best is at its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TRIES = 5
"""Strengths that each method may try."""


@dataclass(frozen=True)
class Scale:
    """A method's settings as one number, its strength: where the search for it starts, the first factor, and what it means."""

    start: float
    factor: float
    options: Callable[[float], dict[str, Any]]


def bracketed(merit: Callable[[float], float], scale: Scale, *, tries: int = TRIES) -> dict[float, float]:
    """Strength -> merit of `tries` strengths: the start, its neighbours, then beyond the best where it is at an end, else beside it."""
    first = (scale.start, scale.start / scale.factor, scale.start * scale.factor)
    found = {strength: merit(strength) for strength in first[:tries]}
    while len(found) < tries:
        order = sorted(found)
        place = order.index(best_of(found))
        if place in (0, len(order) - 1):
            strength = order[place] * (scale.factor if place else 1 / scale.factor)
        else:
            beside = max(order[place - 1], order[place + 1], key=lambda each: found[each])
            strength = (order[place] * beside) ** 0.5
        found[strength] = merit(strength)
    return found


def best_of(merits: Mapping[float, float]) -> float:
    """The strength of most merit; of equals the least."""
    return max(sorted(merits), key=lambda strength: merits[strength])


def at_an_end(merits: Mapping[float, float]) -> str:
    """Which end of what was tried the best is at: "least", "most", or "" where it is between two, or alone."""
    best = best_of(merits)
    if len(merits) == 1:
        return ""
    return "least" if best == min(merits) else "most" if best == max(merits) else ""
