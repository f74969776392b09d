"""Write a corpus: everything is checked first, and the folder appears whole or not at all."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.accept import accept_cells, accept_ids, accept_targets
from understudy.corpus.arrow import arrow_schema, target_column, to_column
from understudy.corpus.content import DIGEST, contents, fingerprint
from understudy.corpus.corpus import FORMAT, VERSION, Corpus
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.prepare.cells import Cells
from understudy.prepare.held import Held
from understudy.prepare.reader import FileError
from understudy.process.whole import sha256, whole_folder

SHARD_BYTES = 2**30
"""About how large a shard may grow; random reads are fastest from one shard."""

Column = Sequence[Any] | NDArray[Any]
"""One value a row; what may stand in it is checked, not only typed."""


def write_corpus(
    folder: Path | str,
    schema: Schema,
    *,
    ids: Column,
    targets: Column,
    cells: Mapping[str, Cells],
    groups: Column | None = None,
    splits: Sequence[Split] | Callable[[Corpus], Iterable[Split]] = (),
    errors: Sequence[FileError] = (),
) -> Corpus:
    """A new corpus at `folder`, which must not exist yet.

    targets: numbers (NaN or None = unlabelled), indices of classes or choices (None = unlabelled), or of a multilabel task
    [N E 3] (NaN = unlabelled) or a list of (class, soft target, credit) a row (None = unlabelled). `splits` may be a function
    of the finished rows; its splits then belong to the same all-or-nothing write. errors: media files that were skipped, kept
    in errors.json.
    ValueError names the modality and the row that is wrong.
    """
    ids, groups = accept_ids(ids, groups, grouped=schema.grouped)
    target = accept_targets(targets, schema.task, ids)
    cells = accept_cells(cells, schema, ids)
    content = contents(cells)
    with whole_folder(Path(folder)) as partial:
        shards = _write_shards(partial, schema, ids=ids, groups=groups, target=target, cells=cells, content=content)
        document = {
            "format": FORMAT,
            "version": VERSION,
            "rows": len(ids),
            "fingerprint": fingerprint(schema, ids, groups, target, content),
            "schema": schema.to_json(),
            "shards": shards,
        }
        (partial / "corpus.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        if errors:
            (partial / "errors.json").write_text(json.dumps([asdict(each) for each in errors], indent=1) + "\n", encoding="utf-8")
        corpus = Corpus(partial)
        for split in splits(corpus) if callable(splits) else splits:
            corpus.save_split(split)
    return Corpus(folder)


def _write_shards(
    folder: Path,
    schema: Schema,
    *,
    ids: Sequence[str],
    groups: Sequence[str | None] | None,
    target: NDArray[Any],
    cells: Mapping[str, Cells],
    content: Sequence[bytes],
) -> list[dict[str, Any]]:
    """The rows in shards of about SHARD_BYTES; what corpus.json says of each."""
    per_shard = max(1, int(SHARD_BYTES // max(1.0, _row_bytes(cells))))
    columns = arrow_schema(schema)
    shards = []
    for start in range(0, len(ids), per_shard):
        rows = np.arange(start, min(start + per_shard, len(ids)))
        part = slice(start, start + len(rows))
        arrays = [pa.array(ids[part]), target_column(target[part], schema.task)]
        arrays += [] if groups is None else [pa.array(groups[part], pa.large_string())]
        arrays += [pa.array(content[part], pa.binary(DIGEST))]
        arrays += [to_column(cells[name].take(rows), modality) for name, modality in schema.modalities.items()]
        name = f"rows-{len(shards)}.arrow"
        write_shard(folder / name, pa.record_batch([a.cast(f.type) for a, f in zip(arrays, columns, strict=True)], columns))
        shards.append({"file": name, "rows": len(rows), "bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)})
    return shards


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


def write_shard(path: Path, batch: pa.RecordBatch) -> None:
    """One record batch, uncompressed, so that reading it is mapping it."""
    with path.open("wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
