"""What a corpus accepts: ids, groups, targets and cells, checked before anything is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.corpus.schema import Schema
from understudy.prepare.boxes import check_regions
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.texts import Texts
from understudy.tasks import MultiLabel, Task
from understudy.tasks.entries import entries_of

Given = Sequence[Any] | NDArray[Any] | pa.Array


def accept_ids(ids: Given, first_row: int = 1) -> pa.Array:
    """Ids as strings that are not empty; whether two are equal is seen once all are there. first_row: the first one's."""
    found = strings(ids)
    wrong = found is None or found.null_count or pc.any(pc.equal(pc.binary_length(found), 0)).as_py()  # pyright: ignore
    if found is None or wrong:
        listed = ids if found is None else found.to_pylist()
        row, each = next((row, each) for row, each in enumerate(listed) if not isinstance(each, str) or not each)
        raise ValueError(f"id {each!r} in row {first_row + row}: ids are strings that are not empty")
    return found


def accept_groups(groups: Given | None, ids: Sequence[str], *, grouped: bool) -> pa.Array | None:
    """Groups as strings, null = a group of its own."""
    if grouped != (groups is not None):
        raise ValueError(f"the schema says grouped={grouped}, but groups were {'not ' if groups is None else ''}given")
    if groups is None:
        return None
    if len(groups) != len(ids):
        raise ValueError(f"{len(ids)} ids but {len(groups)} groups")
    found = strings(groups)
    if found is None:
        row, each = next((row, each) for row, each in enumerate(groups) if each is not None and not isinstance(each, str))
        raise ValueError(f"group {each!r} of row {ids[row]!r}: groups are strings or None")
    return found


def accept_weights(weights: Given | None, ids: Sequence[str], *, weighted: bool) -> pa.Array | None:
    """How much each row counts in training: finite numbers, at least 0."""
    if weighted != (weights is not None):
        raise ValueError(f"the schema says weighted={weighted}, but weights were {'not ' if weights is None else ''}given")
    if weights is None:
        return None
    if len(weights) != len(ids):
        raise ValueError(f"{len(ids)} ids but {len(weights)} weights")
    found = np.asarray(weights, np.float64)
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"weight {found[row]} of row {ids[row]!r}: expected a finite number, at least 0 (1 for a row like any other)"
        )
    return pa.array(found)


def strings(values: Given) -> pa.Array | None:
    """Strings and nulls as Arrow holds them; None where anything else is among them."""
    try:
        return pa.array(values, pa.large_string())
    except (pa.ArrowException, TypeError):
        return None


def accept_targets(targets: Sequence[Any] | NDArray[Any], task: Task, ids: Sequence[str]) -> NDArray[Any]:
    """Targets as float64 [N] (multilabel: float32 [N E 3]), NaN = unlabelled; those that are there pass the task's check."""
    if len(targets) != len(ids):
        raise ValueError(f"{len(ids)} ids but {len(targets)} targets")
    found = entries_of(targets, task.entries, ids) if isinstance(task, MultiLabel) else _numbers(targets, task, ids)
    known = np.flatnonzero(~np.isnan(found).reshape(len(ids), -1).all(axis=1))
    there = found[known].astype(np.int64) if task.discrete else found[known]
    try:
        task.check(there)
    except ValueError as error:
        wrong = next(place for place in range(len(there)) if _refused(task, there[place : place + 1]))
        raise ValueError(f"row {ids[known[wrong]]!r}: {error}") from None
    return found


def _numbers(targets: Sequence[Any] | NDArray[Any], task: Task, ids: Sequence[str]) -> NDArray[np.float64]:
    """One number a row, a whole one where it is an index."""
    found, listed = np.full(len(ids), np.nan), targets
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "iuf":
        found, listed = targets.astype(np.float64), ()
    for row, each in enumerate(listed):
        if each is None:
            continue
        if isinstance(each, (bool, np.bool_)) or not isinstance(each, (int, float, np.integer, np.floating)):
            raise ValueError(f"target {each!r} of row {ids[row]!r}: expected a number (a class index for classification) or None")
        found[row] = each
    broken = ~np.isnan(found) & (found != np.floor(found))
    if task.discrete and broken.any():
        row = int(np.argmax(broken))
        raise ValueError(f"target {found[row]} of row {ids[row]!r}: an index is a whole number")
    return found


def _refused(task: Task, target: NDArray[Any]) -> bool:
    try:
        task.check(target)
    except ValueError:
        return True
    return False


def accept_cells(cells: Mapping[str, Cells], schema: Schema, ids: Sequence[str]) -> dict[str, str]:
    """Of each modality what it lacks where these rows say nothing of it, else ""; ValueError names the modality and the row."""
    if set(cells) != set(schema.modalities):
        raise ValueError(f"the schema has modalities {', '.join(schema.modalities)}; cells were given for {', '.join(cells)}")
    silent: dict[str, str] = {}
    for name, modality in schema.modalities.items():
        each = cells[name]
        if each.kind != modality.kind:
            raise ValueError(f"modality {name!r}: the schema says {modality.kind}, the cells are {each.kind}")
        if len(each) != len(ids):
            raise ValueError(f"modality {name!r}: {len(each)} cells for {len(ids)} rows")
        silent[name] = ABSENT if not each.present.any() else CHECKS.get(modality.kind, _ragged)(name, modality, each, ids) or ""
    return silent


ABSENT, UNKNOWN, MISSING = "is absent in every row", "is NaN in every row", "has nothing but missing cells"


def _vector(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> str | None:
    if cells.values.shape != (len(ids), modality.width):
        raise ValueError(f"modality {name!r}: values of shape {cells.values.shape}, expected {(len(ids), modality.width)}")
    # A sum of finite numbers may be infinite, and one of others never is finite.
    if not np.isfinite(np.sum(cells.values, dtype=np.float64)):
        infinite = np.isinf(cells.values).any(axis=1) & cells.present
        if infinite.any():
            raise ValueError(f"modality {name!r}, row {ids[int(np.argmax(infinite))]!r}: a feature is infinite")
        return UNKNOWN if np.isnan(cells.values[cells.present]).all() else None
    return None


def _table(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> str | None:
    if set(cells.values) != set(modality.columns):
        raise ValueError(f"modality {name!r}: columns {', '.join(cells.values)}, expected {', '.join(modality.columns)}")
    empty = True
    for column, kind in modality.columns.items():
        values = cells.values[column]
        if len(values) != len(ids):
            raise ValueError(f"modality {name!r}, column {column!r}: {len(values)} values for {len(ids)} rows")
        if kind == "category":
            bad: Any = ()
            if not set(map(type, values.tolist())) <= {str, type(None)}:
                bad = [row for row in np.flatnonzero(cells.present) if not isinstance(values[row], str | None)]
            missing = np.array([value is None for value in values.tolist()])
            said = "a category is not a string"
        else:
            numbers = values.astype(np.float64, copy=False)
            bad = np.flatnonzero(np.isinf(numbers) & cells.present)
            missing = np.isnan(numbers)
            said = "a number is infinite"
        if len(bad):
            raise ValueError(f"modality {name!r}, column {column!r}, row {ids[int(bad[0])]!r}: {said}")
        empty = empty and bool(missing[cells.present].all())
    return MISSING if empty else None


def _text(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> None:
    if isinstance(cells.values, Texts):
        return
    for row in np.flatnonzero(cells.present).tolist():
        if not isinstance(cells.values[row], str):
            raise ValueError(f"modality {name!r}, row {ids[row]!r}: expected a string, {type(cells.values[row]).__name__} given")


def _choices(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> None:
    for row in np.flatnonzero(cells.present).tolist():
        value, where = cells.values[row], f"modality {name!r}, row {ids[row]!r}"
        if not isinstance(value, tuple) or len(value) != modality.width:
            raise ValueError(f"{where}: expected a tuple of {modality.width} choices, {value!r} given")
        for place, text in enumerate(value):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{where}: choice {place} is {text!r}; expected a text that says something")


def _regions(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> None:
    for row in np.flatnonzero(cells.present).tolist():
        try:
            check_regions(cells.values[row], modality.width)
        except (ValueError, AttributeError) as error:
            raise ValueError(f"modality {name!r}, row {ids[row]!r}: {error}") from None


def _video(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> None:
    for row in np.flatnonzero(cells.present).tolist():
        if not isinstance(cells.values[row], bytes) or not cells.values[row]:
            what = "no bytes" if isinstance(cells.values[row], bytes) else type(cells.values[row]).__name__
            raise ValueError(f"modality {name!r}, row {ids[row]!r}: expected the bytes of a video file, {what} given")


def _ragged(name: str, modality: Modality, cells: Cells, ids: Sequence[str]) -> str | None:
    kind, dims = modality.kind, {"sequence": 2, "image": 3, "audio": 1}[modality.kind]
    for row in np.flatnonzero(cells.present).tolist():
        value, where = cells.values[row], f"modality {name!r}, row {ids[row]!r}"
        if not isinstance(value, np.ndarray) or value.ndim != dims:
            raise ValueError(f"{where}: expected an array with {dims} axes for {kind}")
        if 0 in value.shape:
            raise ValueError(f"{where}: an empty {kind}; make the cell absent instead")
        if kind == "sequence" and value.shape[1] != modality.width:
            raise ValueError(f"{where}: steps of width {value.shape[1]}, expected {modality.width}")
        if kind == "image" and (value.dtype != np.uint8 or value.shape[2] not in (1, 3)):
            raise ValueError(f"{where}: {value.dtype} {value.shape}, expected uint8 [H W C] with 1 or 3 channels")
        if kind != "image" and (np.isinf(value).any() or (kind == "audio" and np.isnan(value).any())):
            raise ValueError(f"{where}: {kind} holds a number that is not finite")
    if kind == "sequence" and all(np.isnan(cells.values[row]).all() for row in np.flatnonzero(cells.present)):
        return UNKNOWN
    return None


CHECKS: dict[str, Callable[[str, Modality, Cells, Sequence[str]], str | None]] = {
    "vector": _vector,
    "table": _table,
    "text": _text,
    "choices": _choices,
    "regions": _regions,
    "video": _video,
}
