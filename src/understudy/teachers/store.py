"""Store: teacher answers at rest, by id, with the fingerprint of what they are answers to.

A folder: store.json and Arrow shards, each written whole. What is missing is computed on the next call, so a killed run goes on
where its last shard ended. Logits, embeddings and features are stored, and token outputs where they are asked for.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.batches.batch import Batch, Output, Tokens
from understudy.models.choices import folded_tokens
from understudy.models.experts import POOLED
from understudy.process import hardware
from understudy.process.progress import progress
from understudy.process.whole import whole_file, write_json
from understudy.tasks import Choice, task_from_json
from understudy.teachers.at_rest import Columns, Ragged, decode, encode, joined, read_shard, starts_of, taken, write_shard
from understudy.teachers.teacher import Teacher

Codec = Literal["float32", "float16", "int8"]
Kept = bool | Literal["text"]
"""Token outputs at rest: all, none, or those with character spans alone."""
Fingerprint = dict[str, str]
"""teacher: hash of its weights; corpus: of its rows; preprocessing: the teacher's views; augmentation: always none so far."""
FEATURES, TOKENS, SPANS, COUNTS = "features/", "tokens/", "/spans", "/counts"
"""How the columns of named features and of token outputs are named; counts: of choices, how many tokens each of them has."""
EXACT = (SPANS, COUNTS)
"""Whole numbers, which no codec touches."""

FORMAT = "understudy store 1"
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
        self.fingerprint: Fingerprint = self.header["fingerprint"]
        refuse_other(self.folder, self.fingerprint, expect or {})
        self.task = task_from_json(self.header["task"])
        self.modalities: tuple[str, ...] = tuple(self.header["modalities"])
        self.widths: dict[str, int] = self.header["widths"]
        self.ragged: dict[str, int] = self.header.get("ragged", {})
        self.shards = [read_shard(self.folder, shard) for shard in self.header["shards"]]
        self.place = {key: (s, r) for s, shard in enumerate(self.shards) for r, key in enumerate(shard["id"])}

    def __len__(self) -> int:
        return len(self.place)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those that the teacher has not been asked about."""
        return [key for key in ids if key not in self.place]

    @property
    def experts(self) -> dict[str, int]:
        """Width of each modality's own vector, where the teacher says them."""
        shapes = {name.removeprefix(FEATURES): shape for name, shape in self.header.get("shapes", {}).items()}
        return {m: shapes[m + POOLED][-1] for m in self.modalities if m + POOLED in shapes}

    def answers(self, ids: Sequence[str], *, tokens: bool = True) -> Output:
        """In the order asked for, on the CPU; an unknown id, or one the teacher could not answer, is not valid and 0.

        tokens: with token outputs, where there are any.
        """
        found = np.array([self.place.get(key, (-1, -1)) for key in ids], dtype=np.int64).reshape(-1, 2)
        valid = np.zeros(len(ids), dtype=bool)
        fields = {name: np.zeros((len(ids), width), dtype=np.float32) for name, width in self.widths.items()}
        for s, here in by_shard(found):
            shard, rows = self.shards[s], found[here, 1]
            valid[here] = taken(shard["valid"], rows)
            for name, out in fields.items():
                out[here] = decode(parts_of(shard, name, rows), name)
        said = {name: torch.from_numpy(out) for name, out in fields.items() if "/" not in name}
        shapes = self.header.get("shapes", {})
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
    about = {"task": teacher.task.to_json(), "modalities": teacher.modalities}
    writer = Writer(Path(folder), fingerprint_of(teacher, corpus), codec, **about)
    device = device or hardware.device()
    with progress("answers of the teacher", total=len(loader), quiet=quiet) as tell:
        for number, batch in enumerate(loader.batches(0), start=1):
            new = [row for row, key in enumerate(batch.id) if writer.wants(key)]
            if new:
                answer = teacher(batch.to(device))
                shapes = {FEATURES + name: list(values.shape[1:]) for name, values in answer.features.items()}
                choices = teacher.task.choices if isinstance(teacher.task, Choice) else 0
                columns = arrays_of(answer, new, tokens=tokens, choices=choices)
                writer.add([batch.id[row] for row in new], columns, shapes)
            tell(number, f"{len(writer.known)} rows")
    writer.flush()
    return Store(folder)


class Writer:
    """Gathers answers and writes a shard when there are many, or when the last one is long ago.

    task: as JSON; modalities: what the answers rest on.
    """

    def __init__(
        self, folder: Path, fingerprint: Fingerprint, codec: Codec, *, task: dict[str, Any], modalities: Sequence[str]
    ) -> None:
        self.folder, self.codec, self.known = folder, codec, set[str]()
        self.pending: list[Columns] = []
        self.written_at = time.monotonic()
        self.header: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": fingerprint,
            "task": task,
            "modalities": list(modalities),
            "codec": codec,
            "widths": {},
            "ragged": {},
            "shapes": {},
            "error": {},
            "shards": [],
        }
        if (folder / "store.json").exists():
            self._resume()
        elif folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} holds other files; give a new or empty folder for the store")
        folder.mkdir(parents=True, exist_ok=True)

    def _resume(self) -> None:
        store = Store(self.folder, expect=self.header["fingerprint"])
        if store.header["codec"] != self.codec:
            raise ValueError(
                f"{self.folder} is kept in {store.header['codec']}, not {self.codec}; give that codec or another folder"
            )
        self.header, self.known = store.header, set(store.place)

    def wants(self, key: str) -> bool:
        return key not in self.known

    def add(self, ids: list[str], columns: Columns, shapes: Mapping[str, list[int]]) -> None:
        """Answers to rows that are new; refuses any that is not finite. shapes: of the features."""
        dense = {name: v for name, v in columns.items() if not isinstance(v, Ragged) and not name.endswith(COUNTS)}
        widths = {name: v.shape[1] for name, v in dense.items() if name != "valid"}
        ragged = {name: values.steps.shape[1] for name, values in columns.items() if isinstance(values, Ragged)}
        said, held = (widths, ragged), (self.header["widths"], self.header.get("ragged", {}))
        if not held[0] and not held[1]:
            self.header |= {"widths": widths, "ragged": ragged, "shapes": dict(shapes)}
        elif said != held:
            raise ValueError(f"{self.folder} holds answers of widths {held[0] | held[1]}; this teacher gives {widths | ragged}")
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
            columns: Columns = {name: joined([part[name] for part in self.pending]) for name in self.pending[0]}
            table = {"id": columns["id"], "valid": columns["valid"]}
            for name in columns:
                if name.endswith(EXACT):
                    table[name] = columns[name]
                elif name not in table:
                    table |= self._stored(name, columns)
            file = f"{len(self.header['shards']):05d}.arrow"
            with whole_file(self.folder / file) as partial:
                write_shard(partial, table)
            self.header["shards"].append({"file": file, "rows": len(columns["id"]), "valid": int(columns["valid"].sum())})
        write_json(self.folder / "store.json", self.header)
        self.pending, self.written_at = [], time.monotonic()

    def _stored(self, name: str, columns: Columns) -> Columns:
        """A column as the codec keeps it, and the header's note of what that costs."""
        stored = encode(columns[name], name, self.codec)
        refuse_infinite(name, stored[name], columns["id"], because=f" as {self.codec} (use float32)")
        kept, given = decode(stored, name), columns[name]
        if isinstance(given, Ragged):
            self._note_error(name, np.abs(kept.steps - given.steps))
        else:
            self._note_error(name, np.abs(kept - given)[columns["valid"]])
        return stored

    def _note_error(self, name: str, error: NDArray[np.float32]) -> None:
        """The codec's largest and mean absolute error over the answered rows of all shards so far."""
        if not len(error):
            return
        before = sum(shard["valid"] for shard in self.header["shards"])
        old = self.header["error"].get(name, {"max": 0.0, "mean": 0.0})
        mean = (old["mean"] * before + float(error.mean(dtype=np.float64)) * len(error)) / (before + len(error))
        self.header["error"][name] = {"max": max(old["max"], float(error.max())), "mean": mean}


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


def read_header(folder: Path) -> dict[str, Any]:
    """store.json, checked; FileNotFoundError without one, ValueError for another kind of file."""
    path = folder / "store.json"
    if not path.exists():
        raise FileNotFoundError(f"no store at {folder} (it has no store.json); make one with `understudy store`")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}; make the store again") from None
    needed = {"format", "fingerprint", "task", "modalities", "codec", "widths", "shards"}
    if not isinstance(header, dict) or header.get("format") != FORMAT or needed - set(header):
        raise ValueError(f"{path} is no {FORMAT!r}; make the store again")
    return header


def refuse_other(folder: Path, found: Mapping[str, str], expect: Mapping[str, str]) -> None:
    """ValueError that names every entry in which a store is not the expected one."""
    unknown = [name for name in expect if name not in found]
    if unknown:
        raise ValueError(f"a store's fingerprint has {', '.join(found)}; asked for {', '.join(unknown)}")
    differ = [f"{name} is {found[name]!r}, expected {wanted!r}" for name, wanted in expect.items() if found[name] != wanted]
    if differ:
        raise ValueError(f"store {folder} is stale or foreign: {'; '.join(differ)}; make it again in a new folder")
