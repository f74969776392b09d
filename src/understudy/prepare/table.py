"""Table: named columns of numbers and categories."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import Cells, Kind
from understudy.prepare.standardisation import UNFITTED, Standardisation
from understudy.prepare.view import FieldArrays, View


@dataclass(frozen=True, eq=False)
class Table(View):
    """Fields `numbers` [N Dn] standardised and `missing` [N Dn] where there are numbers; `categories` [N Dc] where there are any.

    Category id 0 is one that is missing or was not in the train split; the others count from 1 in sorted order.
    """

    numbers: tuple[str, ...] = ()
    standard: Standardisation = UNFITTED
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    kind: ClassVar[Kind] = "table"

    def fit(self, cells: Cells) -> "Table":
        here = {name: column[cells.present] for name, column in cells.values.items()}
        numbers = tuple(name for name, column in here.items() if column.dtype != object)
        standard = Standardisation.fit([np.stack([here[name] for name in numbers], axis=1)]) if numbers else UNFITTED
        known = {name: tuple(sorted(set(column) - {None})) for name, column in here.items() if column.dtype == object}
        return type(self)(numbers, standard, known)

    def prepare(self, cells: Cells) -> FieldArrays:
        fields: FieldArrays = {}
        if self.numbers:
            raw = np.stack([self._column(cells, name) for name in self.numbers], axis=1)
            missing = np.isnan(raw) & cells.present[:, None]
            fields = {"numbers": np.where(cells.present[:, None], self.standard.apply(raw), np.float32(0)), "missing": missing}
        if self.categories:
            ids = [self._ids(name, self._column(cells, name)) for name in self.categories]
            fields["categories"] = np.where(cells.present[:, None], np.stack(ids, axis=1), 0)
        return fields

    def _column(self, cells: Cells, name: str) -> NDArray[Any]:
        if name not in cells.values:
            raise ValueError(f"no column {name!r}; the table has: {', '.join(cells.values) or 'none'}")
        return cells.values[name]

    def _ids(self, name: str, values: NDArray[Any]) -> NDArray[np.int64]:
        known = {category: i for i, category in enumerate(self.categories[name], start=1)}
        return np.array([known.get(value, 0) for value in values], dtype=np.int64)

    def state(self) -> dict[str, Any]:
        known = [[name, list(categories)] for name, categories in self.categories.items()]
        return {"numbers": list(self.numbers), "standard": self.standard.state(), "categories": known}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "Table":
        known = {name: tuple(categories) for name, categories in state["categories"]}
        return cls(tuple(state["numbers"]), Standardisation.restore(state["standard"]), known)
