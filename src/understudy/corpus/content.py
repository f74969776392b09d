"""Content: one digest a row over all its modalities, for exact duplicates and for the fingerprint.

A row's numbers and texts are a sequence of 32-bit words, hashed by MULTILINEAR (Lemire & Kaser 2014, "Strongly universal string
hashing is fast"): four sums of keys times words, modulo 2^64, of each its upper half. So whole columns are hashed at once, and
rows that differ have one digest with a probability of 2^-128. Long texts, media and sequences enter by their BLAKE2b digest.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from understudy.corpus.arrow import targets_of
from understudy.corpus.numbered import numbered
from understudy.corpus.schema import DIGEST, Schema
from understudy.prepare.cells import Cells
from understudy.prepare.texts import Texts, array_of

LANES = 4
"""Sums a row, 32 bits of a digest each."""
LONG = 512
"""Bytes of a text beyond which its digest is hashed."""
STEP = 16
"""Bytes to which shorter ones are filled up, those of one size being hashed together; what is filled up says nothing."""
AT_ONCE = 2**14
"""Rows whose words are in memory at a time."""
Words = NDArray[np.uint32]
Sums = NDArray[np.uint64]


@lru_cache(maxsize=64)
def keys(name: str, count: int) -> Sums:
    """`[count LANES]` keys of a modality's words."""
    stream = hashlib.shake_256(f"understudy content\0{name}".encode()).digest(8 * LANES * count)
    return np.frombuffer(stream, "<u8").reshape(count, LANES).astype(np.uint64)


def contents(cells: Mapping[str, Cells]) -> NDArray[np.uint8]:
    """Digests `[N DIGEST]`; equal exactly where every modality is absent in both rows or holds the same values."""
    found = np.zeros((len(next(iter(cells.values()))), LANES), np.uint64)
    for name in sorted(cells):
        here = cells[name].present
        found[here] += keys(name, 1)[0]
        for rows, sums in summed(cells[name], name):
            found[rows] += sums * here[rows, None]
    return (found >> np.uint64(32)).astype("<u4").view(np.uint8)


def summed(cells: Cells, name: str) -> Iterator[tuple[Any, Sums]]:
    """Rows, and the sums of their words; the first key says that a row is there."""
    if cells.kind == "text":
        yield from of_texts(array_of(cells.values), name)
        return
    for start in range(0, len(cells), AT_ONCE):
        rows = slice(start, min(start + AT_ONCE, len(cells)))
        words = WORDS.get(cells.kind, of_digests)(cells, rows)
        yield rows, products(words, keys(name, words.shape[1] + 1)[1:])


def products(words: Words, by: Sums) -> Sums:
    """`[n LANES]` sums of keys times words."""
    return words.astype(np.uint64) @ by


def of_vectors(cells: Cells, rows: slice) -> Words:
    """Adding 0 makes -0.0 the 0.0 that it equals."""
    kind = np.float64 if cells.values.dtype == np.float64 else np.float32
    return np.ascontiguousarray(np.add(cells.values[rows], 0, dtype=kind)).view("<u4")


def of_tables(cells: Cells, rows: slice) -> Words:
    """Columns in the order of their names: numbers, and the digest of each category."""
    columns = []
    for _, values in sorted(cells.values.items()):
        some = values[rows]
        if some.dtype == object:
            array = pa.array(some, pa.large_string())
            known = np.concatenate([digests([each.encode() for each in array.unique().drop_null().to_pylist()]), [[0] * LANES]])
            columns.append(known[numbered(array)].astype("<u4"))
        else:
            plain = np.add(some, 0, dtype=np.float64)
            plain[np.isnan(plain)] = np.nan
            columns.append(plain[:, None].view("<u4"))
    return np.concatenate(columns, axis=1)


def of_digests(cells: Cells, rows: slice) -> Words:
    """Of kinds whose rows are of any length."""
    exact = EXACT.get(cells.kind, _array)
    values = (cells.values[row] for row in range(rows.start, rows.stop))
    return digests([b"" if value is None else exact(value) for value in values])


WORDS: dict[str, Callable[[Cells, slice], Words]] = {"vector": of_vectors, "table": of_tables}


def digests(contents: Sequence[bytes | memoryview]) -> Words:
    """The BLAKE2b digest of each as words."""
    found = b"".join(hashlib.blake2b(each, digest_size=DIGEST).digest() for each in contents)
    return np.frombuffer(found, "<u4").reshape(-1, LANES)


def _array(value: NDArray[Any]) -> bytes:
    return repr(value.shape).encode() + np.ascontiguousarray(value).tobytes()


EXACT: dict[str, Callable[[Any], bytes]] = {"choices": lambda value: json.dumps(value).encode(), "video": lambda value: value}


def of_texts(array: pa.Array, name: str) -> Iterator[tuple[NDArray[np.intp], Sums]]:
    """Of strings: their length in bytes, then their UTF-8."""
    _, where, held = array.buffers()
    ends = np.frombuffer(where, "<i8")[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(held or b"", np.uint8)[ends[0] : ends[-1]]
    starts, lengths = ends[:-1] - ends[0], np.diff(ends)
    by, padded = keys(name, 2 + LONG // 4), np.concatenate([content, np.zeros(LONG, np.uint8)])
    long = np.flatnonzero(lengths > LONG)
    if len(long):
        bounds = zip(starts[long].tolist(), lengths[long].tolist(), strict=True)
        words = digests([content[start : start + length].data for start, length in bounds])
        yield long, products(words, by[2 : 2 + LANES]) + lengths[long, None].astype(np.uint64) * by[1]
    size = np.where(lengths > LONG, 0, -(-np.maximum(lengths, 1) // STEP) * STEP)
    for width in np.flatnonzero(np.bincount(size)[1:]) + 1:
        alike = np.flatnonzero(size == width)
        # Only the last STEP bytes may lie behind a text's end.
        windows, places = sliding_window_view(padded, int(width)), np.arange(max(0, width - STEP), width)
        for begin in range(0, len(alike), AT_ONCE):
            rows = alike[begin : begin + AT_ONCE]
            some = windows[starts[rows]]
            some[:, places[0] :][places >= lengths[rows, None]] = 0
            sums = products(some.view("<u4"), by[2 : 2 + width // 4])
            yield rows, sums + lengths[rows, None].astype(np.uint64) * by[1]


def id_numbers(ids: pa.Array) -> NDArray[np.uint64]:
    """[N] numbers of 64 bits, equal where ids are."""
    found = np.zeros(len(ids), np.uint64)
    for rows, sums in of_texts(array_of(Texts(ids)), "id"):
        found[rows] = sums[:, 0] >> np.uint64(32) | sums[:, 1] & np.uint64(0xFFFFFFFF00000000)
    return found


def fingerprint(schema: Schema, shards: Sequence[Callable[[str], pa.Array]]) -> str:
    """SHA-256 over the task, the modalities and every row, whatever the shards look like. shards: columns by name."""
    kinds = {name: [modality.kind, modality.width, modality.rate] for name, modality in schema.modalities.items()}
    digest = hashlib.sha256(json.dumps([schema.task.to_json(), kinds], sort_keys=True).encode())
    digest.update(b"[")
    for piece in listed(shard("id") for shard in shards):
        digest.update(piece)
    digest.update(b", ")
    for piece in listed(shard("group") for shard in shards) if schema.grouped else [b"null"]:
        digest.update(piece)
    digest.update(b"]")
    number = np.float32 if schema.task.filler.ndim else np.float64
    for shard in shards:
        target = shard("target")
        known = target.is_valid().to_numpy(zero_copy_only=False).reshape(-1, *[1] * schema.task.filler.ndim)
        digest.update(np.where(known, targets_of(target, schema.task), np.nan).astype(number).tobytes())
    for shard in shards if schema.weighted else []:
        digest.update(shard("weight").to_numpy(zero_copy_only=False).tobytes())
    for shard in shards:
        column = shard("content")
        digest.update(column.buffers()[1][column.offset * DIGEST : (column.offset + len(column)) * DIGEST])
    return digest.hexdigest()


def listed(columns: Iterable[pa.Array]) -> Iterator[bytes]:
    """The strings of several columns as one list of JSON."""
    yield b"["
    for place, column in enumerate(columns):
        yield b", " * (place > 0)
        if is_plain(column):
            whole = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column.cast(pa.string()))
            yield b'"' + pc.binary_join(whole, '", "')[0].as_buffer().to_pybytes() + b'"'  # pyright: ignore
        else:
            yield json.dumps(column.to_pylist())[1:-1].encode()
    yield b"]"


def is_plain(column: pa.Array) -> bool:
    """Whether JSON writes each of these strings as it is, so that all can be listed in one pass."""
    if column.null_count or not 0 < column.nbytes < 2**31:
        return False
    held = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    return not ((held < ord(" ")) | (held > ord("~")) | (held == ord('"')) | (held == ord("\\"))).any()
