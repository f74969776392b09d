"""A corpus of data in memory, in one call: kept in a cache folder by what it holds, where no folder is named."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from understudy.corpus.corpus import Corpus, corpus_at
from understudy.corpus.importers.table import Spec, import_table
from understudy.prepare.cells import Modality
from understudy.prepare.frames import Data, framed
from understudy.process.cache import cache_folder
from understudy.tasks import Task


def corpus(
    data: Data,
    *,
    target: str,
    modalities: Mapping[str, Spec] | None = None,
    task: Task | str | None = None,
    id: str | None = None,
    group: str | None = None,
    split: str | None = None,
    weight: str | None = None,
    out: Path | str | None = None,
) -> Corpus:
    """A corpus of a frame, a dict of columns, a list of rows or a file; see `import_table` for the arguments.

    modalities: guessed from the columns where none is named; `corpus.schema.about["guessed"]` says what and why.
    out: its folder; else one in the user's cache (`cache_folder`), named by content, so that the same data is imported once.

    >>> import understudy as us
    >>> rows = [{"x": i / 9, "note": "warm" if i % 2 else "cold", "y": i % 2} for i in range(10)]
    >>> made = us.corpus(rows, target="y", modalities={"note": "text:note", "number": "vector:x"})
    >>> len(made), sorted(made.modalities)
    (10, ['note', 'number'])
    """
    asked = {"target": target, "modalities": modalities, "task": task, "id": id, "group": group, "split": split}
    asked |= {"weight": weight} if weight else {}

    make = partial(import_table, data, **asked, guess=not modalities)
    return make(out) if out is not None else corpus_at(cache_folder() / "corpora" / digest_of(data, asked), make)


def digest_of(data: Data, asked: Mapping[str, object]) -> str:
    """A name for what a table holds and how it is read."""
    table = framed(data).table
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=plain).encode())
    # Rows are hashed in plain types, since libraries differ in how they keep the same text.
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(name.encode())
        large = pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type)
        plainly = pa.table({name: column.cast(pa.string()) if large else column}).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, plainly.schema.remove_metadata()) as writer:
            writer.write_table(plainly.replace_schema_metadata(None))
        digest.update(sink.getvalue())
    return digest.hexdigest()[:16]


def plain(value: object) -> object:
    """A task or a modality as JSON."""
    if isinstance(value, Task | Modality):
        return value.to_json()
    raise TypeError(f"{value!r} is not a task, a modality, text or number")
