"""Knots: numbers of fixed width, standardised, with the places of each that divide its train rows evenly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.vector import Vector

INTERVALS = 12
"""Of each number."""


@dataclass(frozen=True, eq=False)
class Knots(Vector):
    """As `Vector`. `knots` [D K]: quantiles of the train values in standardised units, equal ones where values repeat."""

    standard: Standardisation = UNFITTED
    knots: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, INTERVALS + 1)))

    def fit(self, cells: Cells) -> "Knots":
        rows = cells.values[cells.present]
        standard = Standardisation.fit([rows])
        return Knots(standard, np.quantile(standard.apply(rows).astype(np.float64), np.linspace(0, 1, INTERVALS + 1), axis=0).T)

    def state(self) -> dict[str, Any]:
        return super().state() | {"knots": self.knots.tolist()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Knots":
        return cls(Standardisation.restore(state["standard"]), np.array(state["knots"], dtype=np.float64))
