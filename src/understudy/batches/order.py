"""The order of an epoch: which rows share a step. A pure function of the rows, the seed and the epoch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]

TOGETHER = 32
"""Steps whose rows are sorted by length together; more would tie the same rows to each other in every epoch."""


@dataclass(frozen=True, eq=False)
class Steps:
    """How an epoch is cut. known: [N] which rows are labelled."""

    known: NDArray[np.bool_]
    batch_size: int
    labelled_only: bool = False

    def __post_init__(self) -> None:
        if self.labelled_only and not self.known.any():
            raise ValueError("labelled_only, but no row is labelled")
        if self.mixed and self.batch_size < 2:
            raise ValueError("batch_size 1 cannot hold a labelled and an unlabelled row; give at least 2")

    @cached_property
    def mixed(self) -> bool:
        return 0 < int(self.known.sum()) < len(self.known)

    @cached_property
    def labelled(self) -> int:
        """Labelled rows in each step of a mixed epoch: half a batch, or the natural share where that is more."""
        there = int(self.known.sum())
        return min(there, max(self.batch_size // 2, self.batch_size * there // len(self.known)))

    @cached_property
    def count(self) -> int:
        """Steps in an epoch."""
        once, room = len(self.known), self.batch_size
        if self.mixed:
            once, room = once - int(self.known.sum()), room - self.labelled
        return -(-once // room)


def in_turn(rows: int, batch_size: int) -> list[Index]:
    """Every row once, in order."""
    return np.array_split(np.arange(rows), -(-rows // batch_size))


def order_steps(steps: Steps, *, seed: int, epoch: int, sizes: Index | None = None) -> list[Index]:
    """Rows of each step. sizes: [N] lengths; rows of like length (of a mixed epoch: unlabelled ones) then share steps."""
    random = np.random.default_rng([seed, epoch, 0])
    once = np.flatnonzero(~steps.known) if steps.mixed else np.arange(len(steps.known))
    parts = np.array_split(random.permutation(once), steps.count)
    if sizes is not None:
        parts = _alike(parts, sizes, random)
    if not steps.mixed:
        return parts
    drawn = _cycle(np.flatnonzero(steps.known), steps, np.random.default_rng([seed, epoch, 1]))
    return list(drawn) if steps.labelled_only else [np.concatenate(pair) for pair in zip(drawn, parts, strict=True)]


def _cycle(rows: Index, steps: Steps, random: np.random.Generator) -> Index:
    """[steps, labelled] rows from shuffled passes, one after the other; no row twice in a step."""
    drawn = np.zeros(0, np.intp)
    while len(drawn) < steps.count * steps.labelled:
        begun = drawn[len(drawn) - len(drawn) % steps.labelled :]
        order = random.permutation(rows)
        again = np.isin(order, begun)
        drawn = np.concatenate([drawn, order[~again], order[again]])
    return drawn[: steps.count * steps.labelled].reshape(steps.count, steps.labelled)


def _alike(parts: list[Index], sizes: Index, random: np.random.Generator) -> list[Index]:
    """The same rows, sorted by length within every TOGETHER steps; the steps are shuffled again."""
    sorted_parts: list[Index] = []
    for start in range(0, len(parts), TOGETHER):
        some = parts[start : start + TOGETHER]
        rows = np.concatenate(some)
        rows = rows[np.argsort(sizes[rows], kind="stable")]
        sorted_parts += np.split(rows, np.cumsum([len(part) for part in some])[:-1])
    return [sorted_parts[step] for step in random.permutation(len(sorted_parts))]
