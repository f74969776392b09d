"""Store: teacher answers at rest, by id, with the fingerprint of what they are answers to.

A folder: store.json, which is there from the first moment on and says whose folder it is, and Arrow shards, each written whole and
held against its SHA-256 when it is opened. What is missing is computed on the next call, so a killed run goes on where its last
shard ended. Logits, embeddings and features are stored, and token outputs where they are asked for.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from understudy.batches.batch import Batch, Output, Tokens
from understudy.models.choices import folded_tokens
from understudy.models.experts import POOLED
from understudy.process import hardware
from understudy.process.alone import alone
from understudy.process.partial import ours
from understudy.process.progress import progress
from understudy.process.whole import refuse_cut, sha256, whole_file, write_json
from understudy.tasks import Choice, task_from_json
from understudy.teachers.at_rest import Columns, Ragged, decode, encode, joined, read_shard, starts_of, taken, write_shard
from understudy.teachers.header import FILE, Codec, Fingerprint, Header, Shard, read_header, refuse_other
from understudy.teachers.teacher import Teacher

Kept = bool | Literal["text"]
"""Token outputs at rest: all, none, or those with character spans alone."""
FEATURES, TOKENS, SPANS, COUNTS = "features/", "tokens/", "/spans", "/counts"
"""How the columns of named features and of token outputs are named; counts: of choices, how many tokens each of them has."""
EXACT = (SPANS, COUNTS)
"""Whole numbers, which no codec touches."""

SHARD_ROWS, SHARD_SECONDS = 16_384, 30.0


@runtime_checkable
class Batches(Protocol):
    """A loader, or anything that yields its `len()` batches of one pass."""

    def __len__(self) -> int: ...

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...


def fingerprint_of(teacher: Teacher, corpus: str) -> Fingerprint:
    """What the answers of `teacher` to the corpus of this fingerprint are kept under."""
    views = ", ".join(f"{m}: {' '.join(sorted(by_key))}" for m, by_key in sorted(teacher.views.items()))
    return {"teacher": teacher.identity, "corpus": corpus, "preprocessing": views or "none", "augmentation": "none"}


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
        self.place = {key: (s, r) for s, shard in enumerate(self.shards) for r, key in enumerate(shard["id"])}

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
        found = np.array([self.place.get(key, (-1, -1)) for key in ids], dtype=np.int64).reshape(-1, 2)
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


def write_store(
    folder: Path | str,
    teacher: Teacher,
    loader: Batches,
    *,
    corpus: str,
    codec: Codec = "float32",
    tokens: Kept = False,
    device: torch.device | None = None,
    quiet: bool = False,
) -> Store:
    """Ask `teacher` about every row of `loader` that the store at `folder` does not hold yet, and return the store.

    corpus: the corpus's fingerprint. tokens: also keep what the teacher says of each token, with mask and spans. device: where
    the teacher answers; Accelerate's choice when None. ValueError for a store of something else and for answers that are not
    finite; those are not written.
    """
    if codec not in get_args(Codec):
        raise ValueError(f"codec {codec!r} given; known: {', '.join(get_args(Codec))}")
    header = Header(fingerprint_of(teacher, corpus), teacher.task.to_json(), list(teacher.modalities), codec)
    device = device or hardware.device()
    told = progress("answers of the teacher", total=len(loader), quiet=quiet)
    with writer_at(Path(folder), header) as writer, told as tell:
        for number, batch in enumerate(loader.batches(0), start=1):
            new = [row for row, key in enumerate(batch.id) if writer.wants(key)]
            if new:
                answer = teacher(batch.to(device))
                shapes = {FEATURES + name: list(values.shape[1:]) for name, values in answer.features.items()}
                choices = teacher.task.choices if isinstance(teacher.task, Choice) else 0
                columns = arrays_of(answer, new, tokens=tokens, choices=choices)
                writer.add([batch.id[row] for row in new], columns, shapes)
            tell(number, f"{len(writer.known)} rows")
    return Store(folder)


@contextmanager
def writer_at(folder: Path, header: Header) -> Iterator["Writer"]:
    """A writer to a store that no other process writes; at its end, and at Ctrl-C, what it has gathered is on disk."""
    with alone(folder):
        writer = Writer(folder, header)
        try:
            yield writer
        except KeyboardInterrupt:
            writer.flush()
            raise
        writer.flush()


class Writer:
    """Gathers answers and writes a shard when there are many, or when the last one is long ago. header: of a new, empty store."""

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder, self.header, self.known = folder, header, set[str]()
        self.pending: list[Columns] = []
        self.written_at = time.monotonic()
        if (folder / FILE).exists() and read_header(folder).shards:
            self._resume()
            return
        if not all(ours(path) or path.name == FILE for path in folder.iterdir()):
            raise ValueError(f"{folder} holds other files; give a new or empty folder for the store")
        write_json(folder / FILE, header.to_json())

    def _resume(self) -> None:
        store = Store(self.folder, expect=self.header.fingerprint)
        if store.header.codec != self.header.codec:
            raise ValueError(
                f"{self.folder} is kept in {store.header.codec}, not {self.header.codec}; give that codec or another folder"
            )
        self.header, self.known = store.header, set(store.place)

    def wants(self, key: str) -> bool:
        return key not in self.known

    def add(self, ids: list[str], columns: Columns, shapes: Mapping[str, list[int]]) -> None:
        """Answers to rows that are new; refuses any that is not finite. shapes: of the features."""
        dense = {name: v for name, v in columns.items() if not isinstance(v, Ragged) and not name.endswith(COUNTS)}
        widths = {name: v.shape[1] for name, v in dense.items() if name != "valid"}
        ragged = {name: values.steps.shape[1] for name, values in columns.items() if isinstance(values, Ragged)}
        held = self.header
        if not held.widths and not held.ragged:
            held.widths, held.ragged, held.shapes = widths, ragged, dict(shapes)
        elif (widths, ragged) != (held.widths, held.ragged):
            raise ValueError(
                f"{self.folder} holds answers of widths {held.widths | held.ragged}; this teacher gives {widths | ragged}"
            )
        for name in widths | ragged:
            refuse_infinite(name, columns[name], ids)
        # A loader that cycles its labelled rows may name one twice.
        first = [row for row, key in enumerate(ids) if ids.index(key) == row]
        self.pending.append({"id": np.array(ids, dtype=object)[first]} | {name: taken(v, first) for name, v in columns.items()})
        self.known.update(ids)
        rows = sum(len(part["id"]) for part in self.pending)
        if rows >= SHARD_ROWS or time.monotonic() - self.written_at > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """One shard, then the header that counts it; a shard that no header counts is overwritten by the next."""
        if self.pending:
            header = deepcopy(self.header)
            columns: Columns = {name: joined([part[name] for part in self.pending]) for name in self.pending[0]}
            table = {"id": columns["id"], "valid": columns["valid"]}
            for name in columns:
                if name.endswith(EXACT):
                    table[name] = columns[name]
                elif name not in table:
                    table |= stored(name, columns, header)
            file = f"{len(header.shards):05d}.arrow"
            with whole_file(self.folder / file) as partial:
                write_shard(partial, table)
                size, digest = partial.stat().st_size, sha256(partial)
            header.shards.append(Shard(file, len(columns["id"]), int(columns["valid"].sum()), size, digest))
            write_json(self.folder / FILE, header.to_json())
            # Only now, so that a flush that was interrupted can be done again.
            self.header, self.pending = header, []
        self.written_at = time.monotonic()


def stored(name: str, columns: Columns, header: Header) -> Columns:
    """A column as the header's codec keeps it; the header notes what that costs."""
    kept = encode(columns[name], name, header.codec)
    refuse_infinite(name, kept[name], columns["id"], because=f" as {header.codec} (use float32)")
    back, given = decode(kept, name), columns[name]
    if isinstance(given, Ragged):
        note_error(name, np.abs(back.steps - given.steps), header)
    else:
        note_error(name, np.abs(back - given)[columns["valid"]], header)
    return kept


def note_error(name: str, error: NDArray[np.float32], header: Header) -> None:
    """The codec's largest and mean absolute error over the answered rows of all shards so far."""
    if not len(error):
        return
    before = sum(shard.valid for shard in header.shards)
    old = header.error.get(name, {"max": 0.0, "mean": 0.0})
    mean = (old["mean"] * before + float(error.mean(dtype=np.float64)) * len(error)) / (before + len(error))
    header.error[name] = {"max": max(old["max"], float(error.max())), "mean": mean}


def arrays_of(answer: Output, rows: list[int], *, tokens: Kept = False, choices: int = 0) -> Columns:
    """The stored fields of these rows, 0 where the teacher is not valid. choices: how many each row has, if any."""
    valid = answer.valid[rows].cpu()
    columns: Columns = {"valid": valid.numpy()}
    said = {"logits": answer.logits, "embedding": answer.embedding}
    said |= {
        FEATURES + name: values.flatten(start_dim=1) if values.ndim > 1 else values[:, None]
        for name, values in answer.features.items()
    }
    for name, values in said.items():
        if values is not None:
            columns[name] = values[rows].detach().float().cpu().where(valid[:, None], 0.0).numpy()
    for key, each in answer.tokens.items() if tokens else ():
        if tokens == "text" and each.spans is None:
            continue
        mask = each.mask[rows].cpu() & valid[:, None]
        starts = starts_of(mask.sum(dim=1).numpy())
        if choices:
            columns[TOKENS + key + COUNTS] = mask.unflatten(1, (choices, -1)).sum(dim=2, dtype=torch.int32).numpy()
        columns[TOKENS + key] = Ragged(each.values[rows].detach().float().cpu()[mask].numpy(), starts)
        if each.spans is not None:
            columns[TOKENS + key + SPANS] = Ragged(each.spans[rows].cpu()[mask].numpy().astype(np.int32), starts)
    return columns


def refuse_infinite(name: str, values: Any, ids: Sequence[str] | NDArray[Any], *, because: str = "") -> None:
    """ValueError that names the ids whose values are not finite."""
    if isinstance(values, Ragged):
        steps = np.flatnonzero(~np.isfinite(values.steps).all(axis=1))
        rows = np.unique(np.searchsorted(values.starts, steps, side="right") - 1)
    else:
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
    wrong = [ids[int(row)] for row in rows]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(
            f"the teacher's {name} are not finite{because} for ids {', '.join(wrong[:5])}{more}; nothing of them is stored"
        )
