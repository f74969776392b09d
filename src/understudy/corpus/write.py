"""Write a corpus: everything is checked before it is written, and the folder appears whole or not at all."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.corpus.accept import ABSENT, Given, accept_cells, accept_groups, accept_ids, accept_targets, accept_weights
from understudy.corpus.arrow import arrow_schema, target_column, to_column
from understudy.corpus.content import contents, fingerprint, id_numbers
from understudy.corpus.corpus import FORMAT, VERSION, Corpus
from understudy.corpus.items import ItemWriter, write_shard
from understudy.corpus.schema import DIGEST, Schema
from understudy.corpus.split import Split
from understudy.prepare.cells import Cells
from understudy.prepare.held import Held
from understudy.prepare.reader import FileError
from understudy.prepare.texts import Texts
from understudy.process.whole import whole_folder

SHARD_BYTES = 2**30
"""About how large a shard may grow; random reads are fastest from one shard."""
STREAMED_BYTES, HEAVY_BYTES = 2**26, 2**29
"""The same of rows that come as a stream, which are held until they are a shard; media would make too many files of the first."""
HEAVY = 2**12
"""Bytes of a row from which on it counts as heavy."""
Splits = Sequence[Split] | Callable[[Corpus], Iterable[Split]]


def write_corpus(
    folder: Path | str,
    schema: Schema,
    *,
    ids: Given,
    targets: Given,
    cells: Mapping[str, Cells],
    groups: Given | None = None,
    weights: Given | None = None,
    splits: Splits = (),
    errors: Sequence[FileError] = (),
) -> Corpus:
    """A new corpus at `folder`, which must not exist yet.

    targets: numbers (NaN or None = unlabelled), indices of classes or choices (None = unlabelled), or of a multilabel task
    [N E 3] (NaN = unlabelled) or a list of (class, soft target, credit) a row (None = unlabelled). weights: how much each row
    counts in training, at least 0; all alike when None. `splits` may be a function
    of the finished rows; its splits then belong to the same all-or-nothing write. errors: media files that were skipped, kept
    in errors.json.
    ValueError names the modality and the row that is wrong.
    """
    if not len(ids):
        raise ValueError("there are no rows; a corpus needs at least one")
    with corpus_writer(folder, schema, splits=splits, errors=errors) as writer:
        silent, columns = writer.accept(ids, targets, cells, groups, weights)
        per_shard = max(1, int(SHARD_BYTES // max(1.0, _row_bytes(cells))))
        for start in range(0, len(ids), per_shard):
            rows = np.arange(start, min(start + per_shard, len(ids)))
            taken = {name: each.take(rows) for name, each in cells.items()} if len(ids) > per_shard else cells
            writer.put([column.slice(start, len(rows)) for column in columns], taken, silent)
            writer.cut()
    return Corpus(folder)


@contextmanager
def corpus_writer(
    folder: Path | str, schema: Schema, *, splits: Splits = (), errors: Sequence[FileError] = ()
) -> Iterator["Writer"]:
    """Takes rows as they come; the corpus is there, whole, when the block has ended. Arguments as of `write_corpus`."""
    with whole_folder(Path(folder)) as unfinished:
        with ThreadPoolExecutor(1) as pool:
            writer = Writer(unfinished, schema, pool)
            yield writer
            writer.finish(errors)
        if errors:
            listed = json.dumps([asdict(each) for each in errors], indent=1)
            (unfinished / "errors.json").write_text(listed + "\n", encoding="utf-8")
        corpus = Corpus(unfinished)
        drawn = list(splits(corpus) if callable(splits) else splits)
        if drawn:
            corpus.save_splits(drawn)


class Writer:
    """Rows on their way into the shards of a folder, of which one is written by `pool` while more rows come."""

    def __init__(self, folder: Path, schema: Schema, pool: Executor) -> None:
        self.folder, self.schema, self.columns, self.pool = folder, schema, arrow_schema(schema), pool
        self.rows, self.shards = 0, list[Future[dict[str, Any]]]()
        self._pending: list[pa.RecordBatch] = []
        self._silent: dict[str, str] = {}
        self._items = {name: ItemWriter(folder, name, each) for name, each in schema.modalities.items() if each.shared}
        self._named = False

    def add(
        self,
        *,
        targets: Given,
        cells: Mapping[str, Cells],
        ids: Given | None = None,
        groups: Given | None = None,
        weights: Given | None = None,
    ) -> None:
        """More rows, called row-1, row-2 ... without ids; a shard is written once it is as large as its rows ask for."""
        silent, columns = self.accept(ids, targets, cells, groups, weights)
        self.put(columns, cells, silent)
        held, rows = sum(batch.nbytes for batch in self._pending), sum(map(len, self._pending))
        if held > (STREAMED_BYTES if held < HEAVY * rows else HEAVY_BYTES):
            self.cut()

    def accept(
        self, ids: Given | None, targets: Given, cells: Mapping[str, Cells], groups: Given | None, weights: Given | None
    ) -> tuple[dict[str, str], list[pa.Array]]:
        """What `accept_cells` says, and the columns of ids, targets, groups and weights."""
        named = numbered_ids(self.rows + 1, len(targets)) if ids is None else accept_ids(ids, self.rows + 1)
        self._named = self._named or ids is not None
        beside = [
            accept_groups(groups, Texts(named), grouped=self.schema.grouped),
            accept_weights(weights, Texts(named), weighted=self.schema.weighted),
        ]
        target = target_column(accept_targets(targets, self.schema.task, Texts(named)), self.schema.task)
        return accept_cells(cells, self.schema, Texts(named)), [named, target, *(each for each in beside if each is not None)]

    def put(self, columns: Sequence[pa.Array], cells: Mapping[str, Cells], silent: Mapping[str, str]) -> None:
        """Rows that were accepted."""
        content = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(DIGEST), len(columns[0]), [None, pa.py_buffer(np.ascontiguousarray(contents(cells)))]
        )
        held = (
            self._items[name].numbers(cells[name]) if each.shared else to_column(cells[name], each)
            for name, each in self.schema.modalities.items()
        )
        arrays = [*columns, content, *held]
        cast = [array.cast(field.type) for array, field in zip(arrays, self.columns, strict=True)]
        self._pending.append(pa.record_batch(cast, self.columns))
        self._silent = {name: self._silent.get(name, said) and said for name, said in silent.items()}
        self.rows += len(content)

    def describe(self, about: Mapping[str, str]) -> None:
        """Facts for people, where they are known only once the rows are read."""
        self.schema = replace(self.schema, about=dict(about))

    def cut(self) -> None:
        """Write the rows that came since the last shard as one."""
        if not self._pending:
            return
        for unfinished in self.shards[-1:]:  # so that no more than one waits in memory
            unfinished.result()
        path = self.folder / f"rows-{len(self.shards)}.arrow"
        self.shards.append(self.pool.submit(write_shard, path, self._pending))
        self._pending = []

    def finish(self, errors: Sequence[FileError] = ()) -> None:
        """Write corpus.json; ValueError where two ids are equal, or a modality says nothing in any row. errors: skipped files."""
        self.cut()
        if not self.rows:
            raise ValueError("there are no rows; a corpus needs at least one")
        for name, said in self._silent.items():
            if said == ABSENT and errors:
                raise ValueError(f"modality {name!r}: no file can be read; the first: {errors[0]}")
            if said:
                raise ValueError(f"modality {name!r} {said}; leave it out")
        shards = [each.result() for each in self.shards]
        read = [partial(column_in, self.folder / shard["file"]) for shard in shards]
        if self._named:
            numbers = np.concatenate([id_numbers(each("id")) for each in read])
            refuse_twins(numbers, lambda: pa.chunked_array([each("id") for each in read]))
        document = {
            "format": FORMAT,
            "version": VERSION,
            "rows": self.rows,
            "fingerprint": fingerprint(self.schema, read),
            "schema": self.schema.to_json(),
            "shards": shards,
        }
        for each in self._items.values():
            each.cut()
        document |= {"items": {name: each.shards for name, each in self._items.items()}} if self._items else {}
        (self.folder / "corpus.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def numbered_ids(first: int, count: int) -> pa.Array:
    """row-FIRST and on."""
    numbers = pa.array(np.arange(first, first + count)).cast(pa.large_string())
    return pc.binary_join_element_wise(pa.scalar("row", pa.large_string()), numbers, pa.scalar("-", pa.large_string()))  # pyright: ignore


def refuse_twins(numbers: NDArray[np.uint64], ids: Callable[[], pa.ChunkedArray]) -> None:
    """ValueError for the first id that stands in two rows. numbers: [N] equal where ids are, nearly only there; sorted here."""
    numbers.sort()
    if not (numbers[1:] == numbers[:-1]).any():
        return
    first: dict[str, int] = {}
    for row, each in enumerate(ids().to_pylist()):
        if first.setdefault(each, row) != row:
            raise ValueError(f"id {each!r} stands in rows {first[each] + 1} and {row + 1}; ids must be unique")


def column_in(path: Path, name: str) -> pa.Array:
    """One column of a shard, read into memory and no other."""
    with pa.OSFile(str(path)) as file:
        schema = pa.ipc.open_file(file).schema
        options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name)])
        return pa.ipc.open_file(file, options=options).get_batch(0).column(name)


def _row_bytes(cells: Mapping[str, Cells]) -> float:
    """Mean bytes of a row, roughly."""
    total = 0
    for each in cells.values():
        if isinstance(each.values, np.ndarray | Held):
            total += each.values.nbytes
        elif each.kind == "table":
            total += 8 * len(each.values) * len(each)
        elif each.kind == "choices":
            total += sum(len(text) for value in each.values if value is not None for text in value)
        else:
            total += sum(0 if value is None else getattr(value, "nbytes", len(value)) for value in each.values)
    return total / len(next(iter(cells.values())))
