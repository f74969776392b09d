"""Corpus: a folder of rows, memory-mapped. Rows never change; null = absent."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.arrow import LENGTHS, Gather, arrow_schema, gatherer, placed, presence, targets_of
from understudy.corpus.items import SHARD, Items, item_schema, numbers_of
from understudy.corpus.numbered import numbered
from understudy.corpus.remote import copied, is_remote
from understudy.corpus.saved import read_split, split_names, write_splits
from understudy.corpus.schema import SCHEMA, Schema
from understudy.corpus.split import Positions, Rows, Split
from understudy.prepare.cells import Cells, Modality
from understudy.process.document import Shape
from understudy.process.markup import shown
from understudy.process.whole import read_json, refuse_cut
from understudy.tasks import Task

FORMAT, VERSION = "understudy corpus", 1
DOCUMENT: Shape = {
    "rows": int,
    "fingerprint": str,
    "schema": SCHEMA,
    "shards": [SHARD],
    "items?": {...: [SHARD]},
}


class Corpus:
    """Opens a folder that `write_corpus` wrote, or a copy of one behind a URL such as s3://bucket/clips (`remote.copied`).

    Opening checks sizes and columns of every shard, which takes milliseconds; `check` also hashes them. FileNotFoundError where
    there is none, ValueError where it is damaged. place: where others find it, an absolute path or the URL.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = copied(str(folder)) if is_remote(folder) else Path(folder)
        self.place = str(folder) if is_remote(folder) else str(self.folder.resolve())
        document = _read_document(self.folder)
        self.schema = _schema(self.folder, document["schema"])
        self.task: Task = self.schema.task
        self.fingerprint: str = document["fingerprint"]
        self.shards: list[dict[str, Any]] = document["shards"]
        self.batches = [_open_shard(self.folder, arrow_schema(self.schema), shard) for shard in self.shards]
        self.item_shards: dict[str, list[dict[str, Any]]] = document.get("items", {})
        self._rows: int = document["rows"]
        if sum(len(batch) for batch in self.batches) != self._rows or not self._rows:
            raise ValueError(f"{self.folder}: corpus.json says {self._rows} rows, its shards say otherwise")
        self._gather: dict[tuple[str, int], Gather] = {}
        self._present: dict[str, NDArray[np.bool_]] = {}
        self._numbers: dict[str, Positions] = {}
        self._items: dict[str, Items] = {}
        self._ends = np.cumsum([len(batch) for batch in self.batches])
        self._starts = np.concatenate([[0], self._ends[:-1]]).astype(np.intp)

    def __len__(self) -> int:
        return self._rows

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the folder again instead of receiving its rows."""
        return type(self), (self.place,)

    def __repr__(self) -> str:
        known = ", ".join(f"{name}: {described(each)}" for name, each in self.modalities.items())
        return f"Corpus({str(self.folder)!r}, {self._rows} rows, {known}; {self.task.kind})"

    def _repr_html_(self) -> str:
        """For a notebook: each modality, and how many rows have it."""
        rows = [(name, described(each), int(self.present(name).sum())) for name, each in self.modalities.items()]
        rows.append(("target", self.task.kind, int(self.has_target.sum())))
        line = f"Corpus {self.folder}: {self._rows:,} rows; splits: {', '.join(self.splits) or 'none'}"
        return shown(line, ("modality", "kind", "rows that have it"), rows)

    def __fspath__(self) -> str:
        """A corpus stands where its folder is asked for."""
        return str(self.folder)

    def asked(self, task: Task) -> "Corpus":
        """The same rows, of which another task is asked: one of the same targets."""
        other = copy.copy(self)
        other.task = task
        return other

    @property
    def modalities(self) -> dict[str, Modality]:
        return self.schema.modalities

    def _column(self, name: str) -> list[pa.Array]:
        for number in range(len(self.shards)):
            self._refuse_cut(number)
        return [batch.column(name) for batch in self.batches]

    def _refuse_cut(self, number: int) -> None:
        """ValueError where a shard was cut since it was opened."""
        refuse_cut(self.folder / Path(self.shards[number]["file"]).name, self.shards[number]["bytes"])

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """Object array of str [N]."""
        return self._strings("id")

    @cached_property
    def groups(self) -> NDArray[np.object_] | None:
        """Object array of str [N], None where a row is a group of its own; None for a corpus without groups."""
        return self._strings("group") if self.schema.grouped else None

    @cached_property
    def weights(self) -> NDArray[np.float64] | None:
        """How much each row counts in training [N]; None where all count alike."""
        if not self.schema.weighted:
            return None
        return np.concatenate([column.to_numpy(zero_copy_only=False) for column in self._column("weight")])

    def _strings(self, name: str) -> NDArray[np.object_]:
        for column in self._column(name):
            column.validate(full=True)
        return np.concatenate([column.to_numpy(zero_copy_only=False).astype(object) for column in self._column(name)])

    @cached_property
    def content(self) -> list[bytes]:
        """A digest a row over all its modalities; equal digests are exact duplicates."""
        return [digest for column in self._column("content") for digest in column.to_pylist()]

    @cached_property
    def alike(self) -> Positions:
        """[N] numbers, equal exactly where two rows' content is: exact duplicates."""
        return numbered(pa.chunked_array(self._column("content")))

    @cached_property
    def named(self) -> Rows:
        """Ids, groups and targets, as splits are held against them."""
        return Rows(self.fingerprint, self.ids, self.groups, self.has_target)

    @cached_property
    def has_target(self) -> NDArray[np.bool_]:
        """[N], False where a row is unlabelled."""
        return np.concatenate([presence(column) for column in self._column("target")])

    @cached_property
    def target(self) -> NDArray[Any]:
        """[N] float64 (regression) or int64 index (classification, choice), 0 where unlabelled; of a multilabel task float32
        [N E 3] as in `entries`, without an entry where unlabelled.
        """
        return np.concatenate([targets_of(column, self.task) for column in self._column("target")])

    def _known(self, modality: str) -> Modality:
        if modality not in self.modalities:
            raise KeyError(f"the corpus has no modality {modality!r}; it has {', '.join(self.modalities)}")
        return self.modalities[modality]

    def present(self, modality: str) -> NDArray[np.bool_]:
        """[N], True where a row has this modality."""
        if modality not in self._present:
            self._known(modality)
            found = np.concatenate([presence(column) for column in self._column(f"in.{modality}")])
            found.flags.writeable = False
            self._present[modality] = found
        return self._present[modality]

    def items(self, modality: str) -> Positions:
        """[N], equal where rows share a cell; -1 where absent. Of a modality that is not shared each row has its own."""
        if not self._known(modality).shared:
            return np.where(self.present(modality), np.arange(self._rows), -1)
        if modality not in self._numbers:
            found = np.concatenate([numbers_of(column) for column in self._column(f"in.{modality}")])
            if found.max(initial=-1) >= len(self._shared(modality)):
                raise ValueError(f"{self.folder}: modality {modality!r} names items that are not there; it was changed")
            self._numbers[modality] = found
        return self._numbers[modality]

    def _shared(self, modality: str) -> Items:
        """What its rows share."""
        shards = self.item_shards.get(modality, [])
        for shard in shards:
            refuse_cut(self.folder / Path(shard["file"]).name, shard["bytes"])
        if modality not in self._items:
            known = replace(self.modalities[modality], shared=False)
            batches = [_open_shard(self.folder, item_schema(modality, known), shard) for shard in shards]
            self._items[modality] = Items([batch.column(0) for batch in batches], known)
        return self._items[modality]

    def lengths(self, modality: str) -> Positions:
        """[N] characters (of the longest choice), steps, regions or samples of each row, 0 where absent."""
        known = self._known(modality)
        if known.kind not in LENGTHS:
            raise ValueError(f"modality {modality!r}: rows of a {known.kind} have no length")
        if known.shared:
            return self._shared(modality).lengths(self.items(modality))
        return np.concatenate([LENGTHS[known.kind](column) for column in self._column(f"in.{modality}")])

    def cells(self, modality: str, rows: NDArray[np.intp] | Sequence[int]) -> Cells:
        """These rows of one modality, in this order, copied out of the mapped files; ValueError where one was cut meanwhile."""
        kind, rows = self._known(modality).kind, np.asarray(rows, dtype=np.intp)
        present = self.present(modality)[rows]
        if self.modalities[modality].shared:
            return Cells(kind, self._shared(modality).of(self.items(modality), rows), present)
        if len(self.batches) == 1 or not len(rows):
            return Cells(kind, self._gatherer(modality, 0)(rows), present)
        # Each shard that holds any of them is asked once, and its answers are put where they belong.
        shard = np.searchsorted(self._ends, rows, side="right")
        order = np.argsort(shard, kind="stable")
        asked, starts = np.unique(shard[order], return_index=True)
        places = np.split(order, starts[1:])
        parts = [
            (here, self._gatherer(modality, number)(rows[here] - self._starts[number]))
            for number, here in zip(asked.tolist(), places, strict=True)
        ]
        return Cells(kind, placed(kind, parts), present)

    def _gatherer(self, modality: str, number: int) -> Gather:
        """Of one shard, which is seen to be whole before any of its rows is read."""
        self._refuse_cut(number)
        if (modality, number) not in self._gather:
            column = self.batches[number].column(f"in.{modality}")
            self._gather[modality, number] = gatherer(column, self.modalities[modality])
        return self._gather[modality, number]

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that are saved with the corpus."""
        return split_names(self.folder)

    def split(self, name: str) -> Split:
        """A saved split; KeyError names those that exist, ValueError what is wrong with it."""
        return read_split(self.folder, name, self.named)

    def save_split(self, split: Split) -> Split:
        """Save; returned as it is read back, with its hash. ValueError where the name is taken by other rows."""
        return self.save_splits([split])[0]

    def save_splits(self, splits: Sequence[Split]) -> list[Split]:
        """The same of several; none is written where one of them is unusable. ValueError behind a URL, which is only read."""
        if is_remote(self.place):
            raise ValueError(f"{self.place} is only read: save the split in the folder that lies there, or in a copy of it")
        write_splits(self.folder, splits, self.named)
        return [self.split(split.name) for split in splits]


def described(modality: Modality) -> str:
    """Kind and size of a modality: `vector[16]`, `table[3]`, `text`."""
    size = modality.width or len(modality.columns)
    return f"{modality.kind}[{size}]" if size else modality.kind


def corpus_at(folder: Path | str, make: Callable[[Path], object]) -> Corpus:
    """The corpus in `folder`, which `make(folder)` writes where there is none; one that is there is taken, whatever made it."""
    folder = Path(folder)
    if not (folder / "corpus.json").is_file():
        make(folder)
    return Corpus(folder)


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / "corpus.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no corpus: it has no corpus.json (make one with `understudy import`)")
    document = read_json(path)
    if document.get("format") != FORMAT:
        raise ValueError(f"{path} does not describe a corpus")
    if document.get("version") != VERSION:
        raise ValueError(f"{path} has version {document.get('version')!r}; this understudy reads version {VERSION}")
    return read_json(path, DOCUMENT)


def _schema(folder: Path, document: Any) -> Schema:
    """The schema in corpus.json; ValueError that names the file."""
    try:
        return Schema.from_json(document)
    except ValueError as error:
        raise ValueError(f"{folder / 'corpus.json'} cannot be read: {error}") from None


def _open_shard(folder: Path, wanted: pa.Schema, shard: dict[str, Any]) -> pa.RecordBatch:
    """The mapped record batch, with the size, rows and columns that corpus.json promises."""
    path = folder / Path(shard["file"]).name
    if not path.is_file():
        raise ValueError(f"{path} is missing; corpus.json names it")
    size = path.stat().st_size
    if size != shard["bytes"]:
        raise ValueError(f"{path} has {size} bytes, corpus.json says {shard['bytes']}: it was truncated or changed")
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        if reader.num_record_batches != 1:
            raise ValueError(f"{path} holds {reader.num_record_batches} record batches, expected 1")
        if not reader.schema.equals(wanted):
            found = reader.schema
            wrong = [field.name for field in wanted if field not in list(found)] or [
                f.name for f in found if f not in list(wanted)
            ]
            raise ValueError(f"{path} does not hold what corpus.json says: column {', '.join(wrong)} differs")
        batch = reader.get_batch(0)
        batch.validate()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if len(batch) != shard["rows"]:
        raise ValueError(f"{path} has {len(batch)} rows, corpus.json says {shard['rows']}")
    return batch
