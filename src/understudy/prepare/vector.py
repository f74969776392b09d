"""Vector: numbers of fixed width, standardised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View


@dataclass(frozen=True, eq=False)
class Vector(View):
    """Field `values` [N D]: in train deviations from the train mean, 0 where a single number is missing."""

    standard: Standardisation = UNFITTED

    kind: ClassVar[Kind] = "vector"

    @property
    def width(self) -> int:
        """D."""
        return len(self.standard.mean)

    def fit(self, cells: Cells) -> "Vector":
        return type(self)(Standardisation.fit([cells.values[cells.present]]))

    def prepare(self, cells: Cells) -> FieldArrays:
        if cells.present.all():
            return {"values": self.standard.apply(cells.values)}
        values = np.zeros((len(cells), self.width), dtype=np.float32)
        if cells.present.any():
            values[cells.present] = self.standard.apply(cells.values[cells.present])
        return {"values": values}

    def state(self) -> dict[str, Any]:
        return {"standard": self.standard.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Vector":
        return cls(Standardisation.restore(state["standard"]))
