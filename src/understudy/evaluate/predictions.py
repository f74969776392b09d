"""Predictions: what one model said of a set of rows, in memory and at rest. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.npz import read_arrays
from understudy.process.whole import refuse_changed, summed_file
from understudy.tasks import Task

Array = NDArray[Any]

PREDICTIONS, VALIDATION = "predictions.npz", "validation.npz"
"""Of the test rows, and of the validation rows where there are any."""
ARRAYS, KEPT = {"id", "values", "target", "has_target", "seen"}, "biufU"
"""What a file of predictions holds, with or without `group`, and of which types by NumPy's letters."""
LARGE = 2**26
"""Bytes of values above which a file is not compressed: that would take minutes, and save little of probabilities."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """N rows. `values`: numbers in the target's unit [N], probabilities of classes [N C] or choices [N K], or an embedding a
    branch [N M D], NaN where a row lacks that branch; filler where not `seen`.

    seen: at least one of the model's modalities is present. target: filler where `has_target` is False.
    group: what rows must be resampled together (a speaker, a video); None when every row stands for itself.
    """

    id: Array
    values: Array
    target: Array
    has_target: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    group: Array | None = None

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows: Array) -> "Predictions":
        """These rows (positions or a mask), in this order; all of them are not copied."""
        if rows.dtype == bool and rows.all():
            return self
        group = None if self.group is None else self.group[rows]
        return Predictions(self.id[rows], self.values[rows], self.target[rows], self.has_target[rows], self.seen[rows], group)

    def scored(self, task: Task, rows: Array) -> "Predictions":
        """`take` of rows that are to be scored; ValueError names the first whose prediction is not finite."""
        kept = self.take(rows)
        finite = task.answered(kept.values)
        if not finite.all():
            raise ValueError(
                f"the prediction of row {kept.id[~finite][0]} is not finite, nor are {int((~finite).sum()) - 1} others"
            )
        return kept

    def ordered(self, ids: Array) -> "Predictions":
        """The same rows in the order of `ids`; ValueError unless both name exactly the same rows."""
        place = {name: row for row, name in enumerate(self.id.tolist())}
        if len(ids) != len(self) or len(place) != len(self) or any(name not in place for name in ids.tolist()):
            raise ValueError(f"predictions of other rows: {len(self)} here, {len(ids)} there; compare only what one split scored")
        if np.array_equal(ids, self.id):
            return self
        return self.take(np.array([place[name] for name in ids.tolist()], dtype=np.intp))

    def same_rows(self, other: "Predictions") -> bool:
        """Whether both are of the same ids with the same targets."""
        if set(self.id.tolist()) != set(other.id.tolist()):
            return False
        mine = self.ordered(other.id)
        return np.array_equal(mine.has_target, other.has_target) and np.array_equal(
            mine.target[mine.has_target], other.target[other.has_target]
        )

    def grouped(self, ids: Sequence[str] | Array, groups: Sequence[str | None] | Array) -> "Predictions":
        """With the group of every row, found by id in a corpus's `ids` and `groups`; a row without one stands alone."""
        found = dict(zip(map(str, ids), groups, strict=True))
        own = [(found[name], name) for name in self.id.tolist()]
        return replace(self, group=np.array([f"({name})" if group is None else str(group) for group, name in own]))

    def save(self, path: Path) -> None:
        """A `.npz` without pickled objects, whole or not at all."""
        said = {"values": self.values, "target": self.target, "has_target": self.has_target, "seen": self.seen}
        names = {"id": self.id} if self.group is None else {"id": self.id, "group": self.group}
        arrays: dict[str, Any] = said | {name: column.astype(str) for name, column in names.items()}
        with summed_file(path) as partial:
            (np.savez if self.values.nbytes > LARGE else np.savez_compressed)(partial, **arrays)

    @staticmethod
    def load(path: Path) -> "Predictions":
        """What `save` wrote; ValueError names a file that holds anything else, or was changed."""
        if path.is_file():
            refuse_changed(path)
        arrays = read_arrays(path)
        if missing := ARRAYS - set(arrays):
            raise ValueError(f"{path} holds no predictions: {', '.join(sorted(missing))} missing")
        if unknown := set(arrays) - ARRAYS - {"group"}:
            raise ValueError(f"{path} holds more than predictions: {', '.join(sorted(unknown))}")
        wrong = [name for name, array in arrays.items() if array.shape[:1] != arrays["id"].shape or array.dtype.kind not in KEPT]
        if wrong or arrays["has_target"].dtype != bool or arrays["seen"].dtype != bool:
            raise ValueError(
                f"{path} holds no predictions: {', '.join(wrong) or 'has_target and seen'} of another type or length"
            )
        return Predictions(**arrays)
