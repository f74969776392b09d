"""Content: one digest a row over all its modalities, for exact duplicates and for the fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.schema import Schema
from understudy.prepare.cells import Cells

DIGEST = 16
"""Bytes of a row's digest."""


def contents(cells: Mapping[str, Cells]) -> list[bytes]:
    """A digest a row; equal exactly where every modality is absent in both rows or holds the same values."""
    rows = len(next(iter(cells.values())))
    digests = [hashlib.blake2b(digest_size=DIGEST) for _ in range(rows)]
    for name in sorted(cells):
        values = _exact(cells[name])
        for row in np.flatnonzero(cells[name].present).tolist():
            digests[row].update(f"\0{name}\0".encode())
            digests[row].update(values[row])
    return [digest.digest() for digest in digests]


def _exact(cells: Cells) -> Sequence[Any] | NDArray[np.float32]:
    """What is hashed of each row. Adding 0 makes -0.0 the 0.0 that it equals."""
    if cells.kind == "vector":
        return np.add(cells.values, 0, dtype=np.float32)
    if cells.kind == "text":
        return ["" if value is None else value.encode() for value in cells.values]
    if cells.kind == "choices":
        return [b"" if value is None else json.dumps(value).encode() for value in cells.values]
    if cells.kind == "video":
        return [b"" if value is None else value for value in cells.values]
    if cells.kind == "table":
        columns = [column.tolist() for _, column in sorted(cells.values.items())]
        return [json.dumps(row).encode() for row in zip(*columns, strict=True)]
    return [
        b"" if value is None else repr(value.shape).encode() + np.ascontiguousarray(value).tobytes() for value in cells.values
    ]


def fingerprint(
    schema: Schema, ids: Sequence[str], groups: Sequence[str | None] | None, target: NDArray[Any], content: Sequence[bytes]
) -> str:
    """SHA-256 over the task, the modalities and every row, whatever the shards look like."""
    kinds = {name: [modality.kind, modality.width, modality.rate] for name, modality in schema.modalities.items()}
    digest = hashlib.sha256(json.dumps([schema.task.to_json(), kinds], sort_keys=True).encode())
    digest.update(json.dumps([list(ids), None if groups is None else list(groups)]).encode())
    digest.update(np.ascontiguousarray(target).tobytes())
    for each in content:
        digest.update(each)
    return digest.hexdigest()
