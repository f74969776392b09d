"""Store: teacher answers at rest, by id, with the fingerprint of what they are answers to.

A folder: store.json and Arrow shards, each written whole. What is missing is computed on the next call, so a killed run goes on
where its last shard ended. Logits and embeddings are stored; token outputs are not yet.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from understudy.batch import Batch, Output
from understudy.task import task_from_json
from understudy.whole import whole_file, write_json

if TYPE_CHECKING:
    from understudy.teachers import Teacher

Codec = Literal["float32", "float16", "int8"]
Fingerprint = dict[str, str]
"""teacher: hash of its weights; corpus: of its rows; preprocessing: the teacher's views; augmentation: always none so far."""
Columns = dict[str, NDArray[Any]]

FORMAT = "understudy store 1"
SHARD_ROWS, SHARD_SECONDS = 16_384, 30.0


@runtime_checkable
class Batches(Protocol):
    """A loader, or anything that yields batches of one pass."""

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...


def fingerprint_of(teacher: "Teacher", corpus: str) -> Fingerprint:
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
        self.shards = [read_shard(self.folder, shard) for shard in self.header["shards"]]
        self.place = {key: (s, r) for s, shard in enumerate(self.shards) for r, key in enumerate(shard["id"])}

    def __len__(self) -> int:
        return len(self.place)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those that the teacher has not been asked about."""
        return [key for key in ids if key not in self.place]

    def answers(self, ids: Sequence[str]) -> Output:
        """In the order asked for, on the CPU; an unknown id, or one the teacher could not answer, is not valid and 0."""
        found = np.array([self.place.get(key, (-1, -1)) for key in ids], dtype=np.int64).reshape(-1, 2)
        valid = np.zeros(len(ids), dtype=bool)
        fields = {name: np.zeros((len(ids), width), dtype=np.float32) for name, width in self.widths.items()}
        for s in np.unique(found[:, 0]):
            if s < 0:
                continue
            here = np.flatnonzero(found[:, 0] == s)
            shard, rows = self.shards[s], found[here, 1]
            valid[here] = shard["valid"][rows]
            for name, out in fields.items():
                out[here] = decode({part: shard[part][rows] for part in shard if part.split(".")[0] == name}, name)
        tensors: dict[str, Tensor] = {name: torch.from_numpy(out) for name, out in fields.items()}
        return Output(valid=torch.from_numpy(valid), source=f"store {self.folder.name}", **tensors)  # pyright: ignore


def write_store(
    folder: Path | str,
    teacher: "Teacher",
    loader: Batches,
    *,
    corpus: str,
    codec: Codec = "float32",
    device: torch.device | None = None,
    progress: Callable[[int], object] = lambda rows: None,
) -> Store:
    """Ask `teacher` about every row of `loader` that the store at `folder` does not hold yet, and return the store.

    corpus: the corpus's fingerprint. device: where the teacher answers; where the batches are when None. progress: called with
    the number of rows held. ValueError for a store of something else and for answers that are not finite; those are not written.
    """
    if codec not in get_args(Codec):
        raise ValueError(f"codec {codec!r} given; known: {', '.join(get_args(Codec))}")
    writer = Writer(Path(folder), teacher, fingerprint_of(teacher, corpus), codec)
    for batch in loader.batches(0):
        new = [row for row, key in enumerate(batch.id) if writer.wants(key)]
        if new:
            answer = teacher(batch if device is None else batch.to(device))
            writer.add([batch.id[row] for row in new], arrays_of(answer, new))
        progress(len(writer.known))
    writer.flush()
    return Store(folder)


class Writer:
    """Gathers answers and writes a shard when there are many, or when the last one is long ago."""

    def __init__(self, folder: Path, teacher: "Teacher", fingerprint: Fingerprint, codec: Codec) -> None:
        self.folder, self.codec, self.known = folder, codec, set[str]()
        self.pending: list[Columns] = []
        self.written_at = time.monotonic()
        self.header: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": fingerprint,
            "task": teacher.task.to_json(),
            "modalities": list(teacher.modalities),
            "codec": codec,
            "widths": {},
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

    def add(self, ids: list[str], columns: Columns) -> None:
        """Answers to rows that are new; refuses any that is not finite."""
        widths = {name: values.shape[1] for name, values in columns.items() if name != "valid"}
        if not self.header["widths"]:
            self.header["widths"] = widths
        if widths != self.header["widths"]:
            raise ValueError(f"{self.folder} holds answers of widths {self.header['widths']}; this teacher gives {widths}")
        for name in widths:
            refuse_infinite(name, columns[name], ids)
        # A loader that cycles its labelled rows may name one twice.
        first = [row for row, key in enumerate(ids) if ids.index(key) == row]
        self.pending.append({"id": np.array(ids, dtype=object)[first]} | {name: v[first] for name, v in columns.items()})
        self.known.update(ids)
        rows = sum(len(part["id"]) for part in self.pending)
        if rows >= SHARD_ROWS or time.monotonic() - self.written_at > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """One shard, then the header that counts it; a shard that no header counts is overwritten by the next."""
        if self.pending:
            columns = {name: np.concatenate([part[name] for part in self.pending]) for name in self.pending[0]}
            table: dict[str, pa.Array] = {"id": pa.array(columns["id"], pa.string()), "valid": pa.array(columns["valid"])}
            for name in self.header["widths"]:
                stored = encode(columns[name], name, self.codec)
                refuse_infinite(name, stored[name], columns["id"], because=f" as {self.codec} (use float32)")
                self._note_error(name, np.abs(decode(stored, name) - columns[name])[columns["valid"]])
                table |= {part: arrow_rows(values) for part, values in stored.items()}
            file = f"{len(self.header['shards']):05d}.arrow"
            with whole_file(self.folder / file) as partial:
                write_arrow(partial, pa.table(table))
            self.header["shards"].append({"file": file, "rows": len(columns["id"]), "valid": int(columns["valid"].sum())})
        write_json(self.folder / "store.json", self.header)
        self.pending, self.written_at = [], time.monotonic()

    def _note_error(self, name: str, error: NDArray[np.float32]) -> None:
        """The codec's largest and mean absolute error over the answered rows of all shards so far."""
        if not len(error):
            return
        before = sum(shard["valid"] for shard in self.header["shards"])
        old = self.header["error"].get(name, {"max": 0.0, "mean": 0.0})
        mean = (old["mean"] * before + float(error.mean(dtype=np.float64)) * len(error)) / (before + len(error))
        self.header["error"][name] = {"max": max(old["max"], float(error.max())), "mean": mean}


def encode(values: NDArray[np.float32], name: str, codec: str) -> Columns:
    """float32 [N D] as stored: int8 keeps 127 steps either side of 0 and one scale a row."""
    if codec != "int8":
        with np.errstate(over="ignore"):
            return {name: values.astype(codec)}
    largest = np.abs(values).max(axis=1, initial=0.0).astype(np.float32)
    scale = np.maximum(largest / np.float32(127), np.finfo(np.float32).tiny)
    return {name: np.rint(values / scale[:, None]).clip(-127, 127).astype(np.int8), f"{name}.scale": scale}


def decode(stored: Columns, name: str) -> NDArray[np.float32]:
    """What `encode` kept, as float32."""
    values = stored[name].astype(np.float32)
    return values * stored[f"{name}.scale"][:, None] if f"{name}.scale" in stored else values


def arrays_of(answer: Output, rows: list[int]) -> Columns:
    """The stored fields of these rows, 0 where the teacher is not valid."""
    valid = answer.valid[rows].cpu()
    columns: Columns = {"valid": valid.numpy()}
    for name in ("logits", "embedding"):
        values = answer.logits if name == "logits" else answer.embedding
        if values is not None:
            columns[name] = values[rows].detach().float().cpu().where(valid[:, None], 0.0).numpy()
    return columns


def refuse_infinite(name: str, values: NDArray[Any], ids: Sequence[str] | NDArray[Any], *, because: str = "") -> None:
    """ValueError that names the ids whose values are not finite."""
    wrong = [ids[int(row)] for row in np.flatnonzero(~np.isfinite(values).all(axis=1))]
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


def read_shard(folder: Path, shard: Mapping[str, Any]) -> Columns:
    """A shard's columns without copying them; ValueError when it is missing, cut short or not as the header says."""
    path = folder / shard["file"]
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"store shard {path} cannot be read ({error}); delete the store and make it again") from None
    if table.num_rows != shard["rows"]:
        raise ValueError(
            f"store shard {path} has {table.num_rows} rows where store.json says {shard['rows']}; make the store again"
        )
    columns: Columns = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if isinstance(column, pa.FixedSizeListArray):
            columns[name] = column.flatten().to_numpy().reshape(table.num_rows, -1)
        else:
            columns[name] = column.to_numpy(zero_copy_only=False)
    return columns


def arrow_rows(values: NDArray[Any]) -> pa.Array:
    """[N] or [N D] as one Arrow value a row."""
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def write_arrow(path: Path, table: pa.Table) -> None:
    """The table as an Arrow file."""
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
