"""Sequence: steps of numbers, standardised and padded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.ragged import pad
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View

ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Sequence(View):
    """Fields `values` [N T D], as in `Vector` at each step, and `mask` [N T].

    max_steps: later steps of a row are cut off.
    """

    max_steps: int = 512
    standard: Standardisation = UNFITTED

    kind: ClassVar[Kind] = "sequence"

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"max_steps={self.max_steps}: expected at least 1")

    @property
    def width(self) -> int:
        """D."""
        return len(self.standard.mean)

    def fit(self, cells: Cells) -> "Sequence":
        rows = np.flatnonzero(cells.present)
        several = (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
        chunks = (np.concatenate([cells.values[row][: self.max_steps] for row in some]) for some in several)
        return type(self)(self.max_steps, Standardisation.fit(chunks))

    def prepare(self, cells: Cells) -> FieldArrays:
        rows = [
            self.standard.apply(values[: self.max_steps]) if here else None
            for values, here in zip(cells.values, cells.present, strict=True)
        ]
        values, mask = pad(rows, step=(self.width,))
        return {"values": values, "mask": mask}

    def truncated(self, cells: Cells) -> int:
        return sum(len(cells.values[row]) > self.max_steps for row in np.flatnonzero(cells.present))

    def state(self) -> dict[str, Any]:
        return {"max_steps": self.max_steps, "standard": self.standard.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Sequence":
        return cls(state["max_steps"], Standardisation.restore(state["standard"]))
