"""Regions: the boxes of a picture and the features of each, standardised and padded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from understudy.prepare.boxes import CORNERS
from understudy.prepare.cells import Cells, Kind
from understudy.prepare.ragged import pad
from understudy.prepare.sequence import ROWS_AT_ONCE
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View


@dataclass(frozen=True, eq=False)
class Regions(View):
    """Fields `values` [N R D], as in `Vector` at each region, `boxes` [N R 4] (x1 y1 x2 y2 in [0, 1]) and `mask` [N R].

    max_regions: later regions of a row are left out; the first is by custom the whole picture.
    """

    max_regions: int = 100
    standard: Standardisation = UNFITTED

    kind: ClassVar[Kind] = "regions"

    def __post_init__(self) -> None:
        if self.max_regions < 1:
            raise ValueError(f"max_regions={self.max_regions}: expected at least 1")

    @property
    def width(self) -> int:
        """D."""
        return len(self.standard.mean)

    def fit(self, cells: Cells) -> "Regions":
        rows = np.flatnonzero(cells.present)
        several = (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
        chunks = (np.concatenate([cells.values[row][: self.max_regions, CORNERS:] for row in some]) for some in several)
        return type(self)(self.max_regions, Standardisation.fit(chunks))

    def prepare(self, cells: Cells) -> FieldArrays:
        kept = [value[: self.max_regions] if here else None for value, here in zip(cells.values, cells.present, strict=True)]
        features = [None if each is None else self.standard.apply(each[:, CORNERS:]) for each in kept]
        values, mask = pad(features, step=(self.width,))
        boxes, _ = pad([None if each is None else each[:, :CORNERS] for each in kept], step=(CORNERS,))
        return {"values": values, "boxes": boxes, "mask": mask}

    def truncated(self, cells: Cells) -> int:
        return sum(len(cells.values[row]) > self.max_regions for row in np.flatnonzero(cells.present))

    def state(self) -> dict[str, Any]:
        return {"max_regions": self.max_regions, "standard": self.standard.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Regions":
        return cls(state["max_regions"], Standardisation.restore(state["standard"]))
