"""Content: one digest a row over all its modalities, for exact duplicates and for the fingerprint."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        present = cells[name].present.tolist()
        for digest, here, exact in zip(digests, present, _exact(cells[name]), strict=True):
            if here:
                digest.update(f"\0{name}\0".encode())
                digest.update(exact)
    return [digest.digest() for digest in digests]


def _exact(cells: Cells) -> Iterable[Any]:
    """What is hashed of each row, one after the other. Adding 0 makes -0.0 the 0.0 that it equals."""
    if cells.kind == "vector":
        double = cells.values.dtype == np.float64
        return np.ascontiguousarray(np.add(cells.values, 0, dtype=np.float64 if double else np.float32))
    if cells.kind == "table":
        columns = [column.tolist() for _, column in sorted(cells.values.items())]
        return (json.dumps(row).encode() for row in zip(*columns, strict=True))
    exact = EXACT.get(cells.kind, _array)
    return (b"" if value is None else exact(value) for value in cells.values)


def _array(value: NDArray[Any]) -> bytes:
    return repr(value.shape).encode() + np.ascontiguousarray(value).tobytes()


EXACT: dict[str, Callable[[Any], bytes]] = {
    "text": str.encode,
    "choices": lambda value: json.dumps(value).encode(),
    "video": lambda value: value,
}


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
