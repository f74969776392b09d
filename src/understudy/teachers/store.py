"""Store: teacher answers at rest, by id, with the fingerprint of what they are answers to.

A folder: store.json, which is there from the first moment on and says whose folder it is, and Arrow shards, each held against its
SHA-256 when it is opened. Logits, embeddings and features are stored, and token outputs where they are asked for.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from understudy.batches.batch import Output, Tokens
from understudy.models.choices import folded_tokens
from understudy.models.experts import POOLED
from understudy.process.whole import refuse_cut
from understudy.tasks import Choice, task_from_json
from understudy.teachers.at_rest import Columns, decode, read_shard, starts_of, taken
from understudy.teachers.header import Header, read_header, refuse_other

FEATURES, TOKENS, SPANS, COUNTS = "features/", "tokens/", "/spans", "/counts"
"""How the columns of named features and of token outputs are named; counts: of choices, how many tokens each of them has."""
EXACT = (SPANS, COUNTS)
"""Whole numbers, which no codec touches."""


class Store:
    """Reads answers, memory-mapped. `expect` holds any entries of a fingerprint; ValueError names those that differ."""

    def __init__(self, folder: Path | str, *, expect: Mapping[str, str] | None = None) -> None:
        self.folder = Path(folder)
        self.header = read_header(self.folder)
        self.fingerprint = self.header.fingerprint
        refuse_other(self.folder, self.fingerprint, expect or {})
        self.task = task_from_json(self.header.task)
        self.modalities = tuple(self.header.modalities)
        self.widths, self.ragged = self.header.widths, self.header.ragged
        types = column_types(self.header)
        self.shards = [read_shard(self.folder / shard.file, shard, types) for shard in self.header.shards]
        self.sizes = {self.folder / shard.file: (self.folder / shard.file).stat().st_size for shard in self.header.shards}
        self.place = {key: row for row, key in enumerate(key for shard in self.shards for key in shard["id"])}
        self.starts = starts_of([len(shard["id"]) for shard in self.shards])

    def __len__(self) -> int:
        return len(self.place)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those that the teacher has not been asked about."""
        return [key for key in ids if key not in self.place]

    @property
    def experts(self) -> dict[str, int]:
        """Width of each modality's own vector, where the teacher says them."""
        shapes = {name.removeprefix(FEATURES): shape for name, shape in self.header.shapes.items()}
        return {m: shapes[m + POOLED][-1] for m in self.modalities if m + POOLED in shapes}

    def answers(self, ids: Sequence[str], *, tokens: bool = True) -> Output:
        """In the order asked for, on the CPU; an unknown id, or one the teacher could not answer, is not valid and 0.

        tokens: with token outputs, where there are any. ValueError where a shard has been cut meanwhile.
        """
        for path, size in self.sizes.items():
            refuse_cut(path, size)
        found = self._places(ids)
        valid = np.zeros(len(ids), dtype=bool)
        fields = {name: np.zeros((len(ids), width), dtype=np.float32) for name, width in self.widths.items()}
        for s, here in by_shard(found):
            shard, rows = self.shards[s], found[here, 1]
            valid[here] = taken(shard["valid"], rows)
            for name, out in fields.items():
                out[here] = decode(parts_of(shard, name, rows), name)
        said = {name: torch.from_numpy(out) for name, out in fields.items() if "/" not in name}
        shapes = self.header.shapes
        features = {
            name.removeprefix(FEATURES): torch.from_numpy(out.reshape(len(ids), *shapes[name]))
            for name, out in fields.items()
            if name.startswith(FEATURES)
        }
        kept = [name for name in self.ragged if tokens and not name.endswith(SPANS)]
        per_token = {name.removeprefix(TOKENS): self._tokens(name, found) for name in kept}
        source = f"store {self.folder.name}"
        return Output(valid=torch.from_numpy(valid), tokens=per_token, features=features, source=source, **said)  # pyright: ignore

    def _places(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The shard of each row and its place there, [N 2]; -1 where there is none."""
        rows = np.fromiter(map(self.place.get, ids, repeat(-1)), dtype=np.int64, count=len(ids))
        shards = self.starts.searchsorted(rows, side="right") - 1
        return np.stack([shards, np.where(shards < 0, -1, rows - self.starts[shards])], axis=1)

    def _tokens(self, name: str, found: NDArray[np.int64]) -> Tokens:
        """One kind of token output of the rows at these places."""
        choices = self.task.choices if isinstance(self.task, Choice) else 0
        runs = self._runs(name, found, choices)
        mask = np.arange(max(1, int(runs[:, 2].max(initial=1)))) < runs[:, 2:]
        spans = None
        if name + SPANS in self.ragged:
            spans = torch.from_numpy(self._padded(name + SPANS, runs, mask).astype(np.int64))
        told = Tokens(torch.from_numpy(self._padded(name, runs, mask)), torch.from_numpy(mask), spans)
        return folded_tokens(told, choices) if choices else told

    def _runs(self, name: str, found: NDArray[np.int64], choices: int) -> NDArray[np.int64]:
        """Of each row, or of each choice of each row, its shard, its first step there and how many it has: [N 3]."""
        runs = np.zeros((len(found), max(1, choices), 3), dtype=np.int64)
        runs[:, :, 0] = found[:, :1]
        for s, here in by_shard(found):
            rows, shard = found[here, 1], self.shards[s]
            starts = shard[name].starts
            counts = shard[name + COUNTS][rows] if choices else (starts[rows + 1] - starts[rows])[:, None]
            runs[here, :, 1] = starts[rows][:, None] + np.cumsum(counts, axis=1) - counts
            runs[here, :, 2] = counts
        return runs.reshape(-1, 3)

    def _padded(self, name: str, runs: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[Any]:
        """The steps of these runs, 0 behind the end of each."""
        values = np.zeros((*mask.shape, self.ragged[name]), dtype=np.int32 if name.endswith(SPANS) else np.float32)
        for s, here in by_shard(runs):
            shard, inside = self.shards[s], mask[here]
            if not inside.any():
                continue
            steps = np.where(inside, runs[here, 1:2] + np.arange(mask.shape[1]), 0)
            parts = {part: shard[part].steps[steps] for part in (name, f"{name}.scale") if part in shard}
            found = parts[name] if name.endswith(SPANS) else decode(parts, name)
            found[~inside] = 0
            if len(here) == len(runs):
                return found
            values[here] = found
        return values


def column_types(header: Header) -> dict[str, pa.DataType]:
    """What the columns of every shard are in Arrow, as `encode` and `write_shard` make them."""
    number = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}[header.codec]
    scaled = header.codec == "int8"
    types: dict[str, pa.DataType] = {"id": pa.string(), "valid": pa.bool_()}
    for name, width in header.widths.items():
        types |= {name: pa.list_(number, width)} | ({f"{name}.scale": pa.float32()} if scaled else {})
    for name, width in header.ragged.items():
        exact = name.endswith(EXACT)
        types[name] = pa.large_list(pa.list_(pa.int32() if exact else number, width))
        types |= {f"{name}.scale": pa.large_list(pa.float32())} if scaled and not exact else {}
        if header.task["kind"] == Choice.kind and not exact:
            types[name + COUNTS] = pa.list_(pa.int32(), header.task["choices"])
    return types


def by_shard(found: NDArray[np.int64]) -> list[tuple[int, NDArray[np.intp]]]:
    """Each shard among these places (shard, ...), and which of the places are in it; -1 is none."""
    return [(int(s), np.flatnonzero(found[:, 0] == s)) for s in np.unique(found[:, 0]) if s >= 0]


def parts_of(shard: Columns, name: str, rows: NDArray[np.int64]) -> dict[str, Any]:
    """The columns that `encode` made of `name`, at these rows."""
    return {part: taken(shard[part], rows) for part in (name, f"{name}.scale") if part in shard}
