"""Cells to Arrow columns and back. What is read stays memory-mapped until rows are gathered."""

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.corpus.schema import DIGEST, Schema
from understudy.prepare.boxes import CORNERS
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.texts import array_of
from understudy.tasks import Task

Rows = NDArray[np.intp]
Gather = Callable[[Rows], Any]
"""Row positions inside one shard -> `Cells.values` of those rows."""


def column_type(modality: Modality) -> pa.DataType:
    """The Arrow type of a modality at rest; offsets are 64 bit, so that no shard is too long for them."""
    number = pa.float64() if modality.double else pa.float32()
    if modality.kind == "vector":
        return pa.list_(number, modality.width)
    if modality.kind in ("sequence", "regions"):
        return pa.large_list(pa.list_(number, step_width(modality)))
    if modality.kind == "choices":
        return pa.list_(pa.large_string(), modality.width)
    if modality.kind == "table":
        kinds = {"number": pa.float64(), "category": pa.large_string()}
        return pa.struct([pa.field(name, kinds[kind]) for name, kind in modality.columns.items()])
    kinds = {"text": pa.large_string(), "image": pa.large_binary(), "video": pa.large_binary()}
    return kinds.get(modality.kind, pa.large_list(pa.float32()))


def held_type(modality: Modality) -> pa.DataType:
    """Of a row's cell: the modality itself, or the number of an item that rows share."""
    return pa.uint32() if modality.shared else column_type(modality)


def step_width(modality: Modality) -> int:
    """Numbers of one step of a sequence, or of one region with its box."""
    return modality.width + (CORNERS if modality.kind == "regions" else 0)


def target_type(task: Task) -> pa.DataType:
    """A class index, a number, or a target of several numbers one after the other."""
    if task.filler.ndim:
        return pa.list_(pa.float32(), task.filler.size)
    return pa.int64() if task.discrete else pa.float64()


def target_column(target: NDArray[Any], task: Task) -> pa.Array:
    """Targets as an Arrow array; NaN is null."""
    known = np.asarray(np.isfinite(target).reshape(len(target), -1).all(axis=1))
    plain = task.filled(target, known)
    if task.filler.ndim:
        return _fixed(plain, task.filler.size, pa.array(~known))
    return pa.array(plain.astype(np.int64 if task.discrete else np.float64), mask=~known)


def targets_of(column: pa.Array, task: Task) -> NDArray[Any]:
    """What `target_column` made, with filler where null."""
    if not task.filler.ndim:
        return column.fill_null(0).to_numpy(zero_copy_only=False)
    return column.values.to_numpy(zero_copy_only=True).reshape(-1, *task.filler.shape)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of every shard."""
    columns = [pa.field("id", pa.large_string(), nullable=False), pa.field("target", target_type(schema.task))]
    columns += [pa.field("group", pa.large_string())] if schema.grouped else []
    columns += [pa.field("weight", pa.float64(), nullable=False)] if schema.weighted else []
    columns += [pa.field("content", pa.binary(DIGEST), nullable=False)]
    return pa.schema(columns + [pa.field(f"in.{name}", held_type(modality)) for name, modality in schema.modalities.items()])


def to_column(cells: Cells, modality: Modality) -> pa.Array:
    """One modality as an Arrow array; rows that are not present are null, whatever filler they hold."""
    if modality.kind == "vector":
        values = np.where(cells.present[:, None], cells.values, np.float32(0)).astype(modality.dtype)
        return _fixed(values, modality.width, None if cells.present.all() else _absent(cells))
    if modality.kind == "table":
        children = [_table_column(cells.values[name], kind) for name, kind in modality.columns.items()]
        return pa.StructArray.from_arrays(children, fields=list(column_type(modality)), mask=_absent(cells))
    if modality.kind == "text":
        return _texts(cells)
    values = [value if here else None for value, here in zip(cells.values, cells.present, strict=True)]
    if modality.kind in ("choices", "video"):
        return pa.array(values, column_type(modality))
    if modality.kind == "image":
        return pa.array([None if value is None else encode_png(value) for value in values], pa.large_binary())
    steps = [np.zeros((0, step_width(modality)), modality.dtype) if value is None else value for value in values]
    if modality.kind == "audio":
        steps = [step.reshape(-1) for step in steps]
    offsets = pa.array(np.concatenate([[0], np.cumsum([len(step) for step in steps])]), pa.int64())
    flat = np.concatenate(steps).astype(modality.dtype)
    child = pa.array(flat) if modality.kind == "audio" else _fixed(flat, step_width(modality))
    return pa.LargeListArray.from_arrays(offsets, child, type=column_type(modality), mask=_absent(cells))


def _texts(cells: Cells) -> pa.Array:
    array = array_of(cells.values)
    return array if cells.present.all() else pc.if_else(pa.array(cells.present), array, pa.scalar(None, array.type))  # pyright: ignore


def _absent(cells: Cells) -> pa.Array:
    return pa.array(~cells.present)


def _fixed(values: NDArray[np.floating[Any]], width: int, mask: pa.Array | None = None) -> pa.Array:
    flat = pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(flat.type, width), mask=mask)


def _table_column(values: NDArray[Any], kind: str) -> pa.Array:
    return pa.array(values.astype(np.float64)) if kind == "number" else pa.array(values.tolist(), pa.large_string())


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """PNG bytes, lossless, of [H W C] with 1 or 3 channels."""
    from PIL import Image

    sink = BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(sink, "PNG")
    return sink.getvalue()


def decode_png(content: bytes) -> NDArray[np.uint8]:
    """[H W C] of what `encode_png` wrote."""
    from PIL import Image

    image = np.array(Image.open(BytesIO(content), formats=["PNG"]))
    return image[:, :, None] if image.ndim == 2 else image


def gatherer(column: pa.Array, modality: Modality) -> Gather:
    """How rows of this column (one shard's) become the values of Cells; vectors are one NumPy fancy index."""
    if modality.kind == "vector":
        return partial(np.take, column.values.to_numpy(zero_copy_only=True).reshape(-1, modality.width), axis=0)
    # Lying offsets must raise here rather than read beyond the mapped file.
    column.validate(full=True)
    if modality.kind == "table":
        children = {name: column.field(name) for name in modality.columns}
        return lambda rows: {name: _take_cells(child, rows) for name, child in children.items()}
    if modality.kind == "choices":
        return partial(_take_choices, column)
    if modality.kind in ("text", "image", "video"):
        return partial(_take_objects, column, modality.kind == "image")
    offsets = column.offsets.to_numpy()
    child = column.values if modality.kind == "audio" else column.values.values
    steps = child.to_numpy(zero_copy_only=True)
    if modality.kind != "audio":
        steps = steps.reshape(-1, step_width(modality))
    return partial(_take_steps, steps, offsets, presence(column))


def placed(kind: str, parts: Sequence[tuple[Rows, Any]]) -> Any:
    """The values of rows that several shards gave, each with the places where they belong."""
    count = sum(len(places) for places, _ in parts)
    if kind == "table":
        return {name: placed("vector", [(places, values[name]) for places, values in parts]) for name in parts[0][1]}
    if kind == "vector":
        whole = np.empty((count, *parts[0][1].shape[1:]), parts[0][1].dtype)
        for places, values in parts:
            whole[places] = values
        return whole
    listed: list[Any] = [None] * count
    for places, values in parts:
        for place, value in zip(places.tolist(), values, strict=True):
            listed[place] = value
    return listed


def _characters(column: pa.Array) -> Rows:
    return pc.fill_null(pc.utf8_length(column), 0).to_numpy(zero_copy_only=False).astype(np.intp)  # pyright: ignore


def _longest_choice(column: pa.Array) -> Rows:
    several = _characters(column.values.slice(column.offset * column.type.list_size, len(column) * column.type.list_size))
    return np.where(presence(column), several.reshape(len(column), -1).max(axis=1), 0)


def _steps_of(column: pa.Array) -> Rows:
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.intp)  # pyright: ignore


LENGTHS: dict[str, Callable[[pa.Array], Rows]] = {
    "text": _characters,
    "choices": _longest_choice,
    "sequence": _steps_of,
    "regions": _steps_of,
    "audio": _steps_of,
}
"""How long each row of a column is, 0 where absent, of the kinds whose rows have a length."""


def presence(column: pa.Array) -> NDArray[np.bool_]:
    """True where a row is not null."""
    return column.is_valid().to_numpy(zero_copy_only=False)


def _take_cells(child: pa.Array, rows: Rows) -> NDArray[Any]:
    if pa.types.is_float64(child.type):
        return child.to_numpy(zero_copy_only=False)[rows]
    values = np.empty(len(rows), object)
    values[:] = child.take(pa.array(rows)).to_pylist()
    return values


def _take_objects(column: pa.Array, image: bool, rows: Rows) -> list[Any]:
    values = column.take(pa.array(rows)).to_pylist()
    return [None if value is None else decode_png(value) for value in values] if image else values


def _take_choices(column: pa.Array, rows: Rows) -> list[Any]:
    return [None if value is None else tuple(value) for value in column.take(pa.array(rows)).to_pylist()]


def _take_steps(steps: NDArray[np.float32], offsets: NDArray[np.int64], present: NDArray[np.bool_], rows: Rows) -> list[Any]:
    return [steps[offsets[row] : offsets[row + 1]] if present[row] else None for row in rows]
