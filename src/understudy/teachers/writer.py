"""Writer: asks a teacher and puts its answers into a store.

Each shard is written whole, and what is missing is computed on the next call, so a killed run goes on where its last shard ended.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.batches.batch import Batch, Output, Tokens
from understudy.batches.loader import Loader
from understudy.process import hardware
from understudy.process.alone import alone
from understudy.process.partial import discard, ours
from understudy.process.progress import progress
from understudy.process.share import ALL, Share
from understudy.process.whole import sha256, whole_file, write_json
from understudy.tasks import Choice
from understudy.teachers.at_rest import Columns, Ragged, decode, encode, joined, starts_of, taken, write_shard
from understudy.teachers.header import FILE, Codec, Fingerprint, Header, Shard, read_header
from understudy.teachers.store import COUNTS, EXACT, FEATURES, SPANS, TOKENS, Store
from understudy.teachers.teacher import Teacher

Kept = bool | Literal["text", "located"]
"""Token outputs at rest: all, none, those of texts, or those of whose tokens it is known where they lie, in a text or picture."""
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


def header_of(teacher: Teacher, corpus: str, codec: Codec) -> Header:
    """Of an empty store of the teacher's answers; ValueError for a codec that there is not."""
    if codec not in get_args(Codec):
        raise ValueError(f"codec {codec!r} given; known: {', '.join(get_args(Codec))}")
    return Header(fingerprint_of(teacher, corpus), teacher.task.to_json(), list(teacher.modalities), codec)


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
    share: Share = ALL,
) -> Store:
    """Ask `teacher` about every row of `loader` that the store at `folder` does not hold yet, and return the store.

    corpus: the corpus's fingerprint. tokens: also keep what the teacher says of each token, with mask and spans. device: where
    the teacher answers; Accelerate's choice when None. ValueError for a store of something else and for answers that are not
    finite; those are not written, and for a loader that draws a view anew each epoch: a store keeps one answer a row. share: the
    rows of `loader` are one machine's of several, and their answers lie in a store of their own, in the folder FOLDER.shards;
    whoever asks for all takes over what is there, and asks for the rest.
    """
    refuse_drawn(loader)
    header = header_of(teacher, corpus, codec)
    device = device or hardware.device()
    told = progress("answers of the teacher", total=len(loader), quiet=quiet)
    with shared(Path(folder), header, share) as writer, told as tell:
        for number, batch in enumerate(loader.batches(0), start=1):
            new = [row for row, key in enumerate(batch.id) if writer.wants(key)]
            if new:
                answer = teacher(batch.to(device))
                shapes = {FEATURES + name: list(values.shape[1:]) for name, values in answer.features.items()}
                choices = teacher.task.choices if isinstance(teacher.task, Choice) else 0
                columns = arrays_of(answer, new, tokens=tokens, choices=choices)
                writer.add([batch.id[row] for row in new], columns, shapes)
            tell(number, f"{len(writer.known)} rows")
    return Store(folder_of(Path(folder), share))


def refuse_drawn(loader: Batches) -> None:
    """ValueError where a row is another one each time it is read."""
    views = loader.views if isinstance(loader, Loader) and loader.training else {}
    if drawn := [modality for modality, by_key in views.items() if any(view.random for view in by_key.values())]:
        raise ValueError(
            f"the loader draws {', '.join(drawn)} anew each epoch, and a store keeps one answer a row; give one without training"
        )


def folder_of(folder: Path, share: Share) -> Path:
    """Where a share's answers lie."""
    return folder if share == ALL else shards_of(folder) / share.name


def shards_of(folder: Path) -> Path:
    """Where machines that share the work put theirs."""
    return folder.with_name(f"{folder.name}.shards")


def stores_of(folder: Path) -> dict[Share, Path]:
    """The stores of all shares that are begun, and the whole one."""
    there = {Share.named(each.name): each for each in sorted(shards_of(folder).glob("*-of-*"))} | {ALL: folder}
    return {share: each for share, each in there.items() if (each / FILE).is_file()}


@contextmanager
def shared(folder: Path, header: Header, share: Share) -> Iterator["Writer"]:
    """A writer of a share. It takes over what parts of the share have, whose folders are gone at its end, and wants no row that a
    store of which it is a part has.
    """
    stores = stores_of(folder)
    parts = [each for other, each in stores.items() if other != share and other.within(share)]
    with writer_at(folder_of(folder, share), header) as writer:
        for each in parts:
            with alone(each):
                writer.take_over(each)
        for each in (each for other, each in stores.items() if other != share and share.within(other)):
            writer.elsewhere |= set(Store(each, expect=header.fingerprint).place)
        yield writer
    for each in [shards_of(folder)] if share == ALL and shards_of(folder).is_dir() else parts:
        discard(each)


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
        self.folder, self.header, self.known, self.elsewhere = folder, header, set[str](), set[str]()
        self.pending: list[Columns] = []
        self.written_at = time.monotonic()
        before = read_header(folder) if (folder / FILE).exists() else None
        if before and before.shards:
            self._resume()
            return
        # A job that was killed may leave its first shard, too, which its header does not count yet.
        known = {FILE, shard_name(0)} if before and before.fingerprint == header.fingerprint else {FILE}
        if not all(ours(path) or path.name in known for path in folder.iterdir()):
            raise ValueError(f"{folder} holds other files; give a new or empty folder for the store")
        write_json(folder / FILE, header.to_json())

    def _resume(self) -> None:
        store = Store(self.folder, expect=self.header.fingerprint)
        if store.header.codec != self.header.codec:
            raise ValueError(
                f"{self.folder} is kept in {store.header.codec}, not {self.header.codec}; give that codec or another folder"
            )
        self.header, self.known = store.header, set(store.place)

    def take_over(self, folder: Path) -> None:
        """The answers of another store of the same, unless it holds a row that is here: the others are then asked for anew."""
        store = Store(folder, expect=self.header.fingerprint)
        if store.header.codec != self.header.codec:
            raise ValueError(f"{folder} is kept in {store.header.codec}, not {self.header.codec}; give that codec")
        if not len(store) or not self.known.isdisjoint(store.place):
            return
        header, theirs = deepcopy(self.header), store.header
        header.widths, header.ragged, header.shapes = theirs.widths, theirs.ragged, theirs.shapes
        before, more = (sum(shard.valid for shard in each.shards) for each in (header, theirs))
        for name, error in theirs.error.items():
            old = header.error.get(name, {"max": 0.0, "mean": 0.0})
            mean = (old["mean"] * before + error["mean"] * more) / max(before + more, 1)
            header.error[name] = {"max": max(old["max"], error["max"]), "mean": mean}
        for shard in theirs.shards:
            file = shard_name(len(header.shards))
            with whole_file(self.folder / file) as partial:
                copyfile(folder / shard.file, partial)
            header.shards.append(replace(shard, file=file))
        write_json(self.folder / FILE, header.to_json())
        self.header, self.known = header, self.known | set(store.place)

    def wants(self, key: str) -> bool:
        return key not in self.known and key not in self.elsewhere

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
            file = shard_name(len(header.shards))
            with whole_file(self.folder / file) as partial:
                write_shard(partial, table)
                size, digest = partial.stat().st_size, sha256(partial)
            header.shards.append(Shard(file, len(columns["id"]), int(columns["valid"].sum()), size, digest))
            write_json(self.folder / FILE, header.to_json())
            # Only now, so that a flush that was interrupted can be done again.
            self.header, self.pending = header, []
        self.written_at = time.monotonic()


def shard_name(number: int) -> str:
    """The file of a store's shard."""
    return f"{number:05d}.arrow"


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
        if (tokens == "located" and each.spans is None) or (tokens == "text" and not of_text(each)):
            continue
        mask = each.mask[rows].cpu() & valid[:, None]
        starts = starts_of(mask.sum(dim=1).numpy())
        if choices:
            columns[TOKENS + key + COUNTS] = mask.unflatten(1, (choices, -1)).sum(dim=2, dtype=torch.int32).numpy()
        columns[TOKENS + key] = Ragged(each.values[rows].detach().float().cpu()[mask].numpy(), starts)
        if each.spans is not None:
            columns[TOKENS + key + SPANS] = Ragged(each.spans[rows].cpu()[mask].numpy().astype(np.int32), starts)
    return columns


def of_text(tokens: Tokens) -> bool:
    """Whether they lie in a text."""
    return tokens.spans is not None and tokens.spans.shape[-1] == 2


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
