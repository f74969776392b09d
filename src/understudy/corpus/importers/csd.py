"""CMU MultimodalSDK: computational sequences (`.csd`, HDF5), cut to the segments that the opinion labels speak of."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.importers.cleaning import Cleaner, mean_steps, naming
from understudy.corpus.importers.hdf5 import stored
from understudy.corpus.importers.sentiment import Dataset, check_rows, facts, published_split, sentiment_task
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.columns import Column
from understudy.prepare.source import read_table

SEGMENT = re.compile(r"(?P<video>.+)\[(?P<clip>\d+)\]")
PAUSE = "sp"
LARGEST = 2**31
"""Bytes of one entry; an hour of 1,000 features at 100 a second has 1.4e9."""
ABOUT = {
    "licence": "research data, not for redistribution",
    "layout": "CMU MultimodalSDK computational sequences, https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK",
    "ids": "video[clip], clips counted from 0 in the order of the labels",
    "alignment": "a step belongs to the segment that holds the middle of its interval (ours)",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """n steps, at least one: features `[n D]` of numbers or strings, and intervals `[n 2]` in seconds."""

    features: NDArray[Any]
    intervals: NDArray[np.float64]


def import_csd(
    folder: Path | str,
    out: Path | str,
    *,
    modalities: Mapping[str, str] | None = None,
    labels: str | None = None,
    dataset: Dataset | None = None,
    steps: Literal["sequence", "mean"] = "sequence",
    label_column: int | None = None,
    split: Path | str | None = None,
) -> Corpus:
    """One row a labelled segment; a sequence of words becomes text without its pauses, other sequences become numbers.

    modalities: name -> file; else every file but the labels, by the name of its file. labels: the labels' file; else the one
    with "label" in its name. steps: the steps inside a segment, or their mean. label_column: which of several values is the
    target. split: a table with the columns video and split (train, valid, test), or id and split; without it there is none.
    An entry that a sequence lacks, or that has no steps, is absent; the counts stand in `schema.about`. ValueError names file
    and entry.
    """
    folder = Path(folder)
    files = _files(folder, modalities, labels)
    label_file = files.pop("")
    with naming(label_file), _entries(label_file) as entries:
        ids, videos, spans, values = _segments(entries, label_column)
        task = sentiment_task(dataset)
        parts = np.full(len(ids), None, object) if split is None else _read_split(Path(split), ids, videos)
        check_rows(task, ids, videos, values, parts, across_videos=False)
    described: dict[str, Modality] = {}
    cells: dict[str, Cells] = {}
    said: dict[str, str] = {}
    for name, path in files.items():
        with naming(path), _entries(path) as entries:
            rows = _aligned(entries, ids, videos, spans)
            described[name], cells[name] = _modality(name, ids, rows, steps, said)
            if not cells[name].present.any():
                raise ValueError(f"none of {len(ids)} labelled segments has anything in it")
    about = ABOUT | facts(dataset, ids, parts) | said
    return write_corpus(
        out,
        Schema(task, described, grouped=True, about=about),
        ids=ids,
        targets=values,
        groups=videos,
        cells=cells,
        splits=lambda corpus: published_split(corpus, parts, across_videos=False),
    )


def _files(folder: Path, modalities: Mapping[str, str] | None, labels: str | None) -> dict[str, Path]:
    """The file of each modality, and of the labels under the empty name."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    found = {path.stem: path for path in sorted(folder.glob("*.csd"))}
    said = f"{folder} has {', '.join(path.name for path in found.values()) or 'no .csd file'}"
    if labels is None:
        guesses = [stem for stem in found if "label" in stem.lower()]
        if len(guesses) != 1:
            raise FileNotFoundError(f"{said}; say which holds the labels")
        labels = guesses[0]
    wanted = {"": labels} | dict(modalities or {re.sub(r"\W", "_", stem): stem for stem in found if stem != Path(labels).stem})
    unknown = [name for name in wanted.values() if name.removesuffix(".csd") not in found]
    if unknown:
        raise FileNotFoundError(f"{said}; {', '.join(unknown)} is not among them")
    if len(wanted) < 2:
        raise ValueError(f"{said}; there is no sequence beside the labels")
    return {name: found[file.removesuffix(".csd")] for name, file in wanted.items()}


class Entries:
    """The entries of one computational sequence, read one at a time."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.names: list[str] = sorted(data)

    def read(self, name: str) -> Entry | None:
        """None of an entry without steps, whatever their width. ValueError names the entry where a key is missing, shapes
        disagree or the numbers are not in the file itself.
        """
        entry = self.data.get(name)
        features, intervals = (_dataset(name, entry, key) for key in ("features", "intervals"))
        if not features.size and not intervals.size:
            return None
        if not features.size or features.ndim < 2 or intervals.shape[1:] != (2,) or intervals.dtype.kind not in "iuf":
            raise ValueError(
                f"entry {name!r}: features {features.shape} and intervals {intervals.shape}; expected [n D] and [n 2]"
            )
        if len(features) != len(intervals):
            raise ValueError(f"entry {name!r}: {len(features)} features but {len(intervals)} intervals")
        if not np.isfinite(intervals).all() or (intervals[:, 1] < intervals[:, 0]).any():
            raise ValueError(f"entry {name!r}: an interval is not finite, or ends before it begins")
        return Entry(features.reshape(len(features), -1), intervals.astype(np.float64))


def _dataset(name: str, entry: Any, key: str) -> NDArray[Any]:
    import h5py

    try:
        found = entry.get(key) if isinstance(entry, h5py.Group) else None
        if not isinstance(found, h5py.Dataset):
            raise ValueError(f"entry {name!r} has no {key}")
        return stored(found, f"entry {name!r}: its array of {key}", LARGEST)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"entry {name!r}: its {key} cannot be read: {error}") from None


@contextmanager
def _entries(path: Path) -> Iterator[Entries]:
    """The one sequence of a file; a damaged file is a ValueError."""
    import h5py

    try:
        with h5py.File(path, "r") as opened:
            names = [name for name in opened if isinstance(opened.get(name, getlink=True), h5py.HardLink)]
            root = opened[names[0]] if len(names) == 1 else None
            data = root.get("data") if isinstance(root, h5py.Group) else None
            if not isinstance(data, h5py.Group):
                raise ValueError(f"expected one group with the group data; it holds {', '.join(opened) or 'nothing'}")
            linked = [name for name in data if not isinstance(data.get(name, getlink=True), h5py.HardLink)]
            if linked:
                raise ValueError(f"entry {linked[0]!r} is a link, which is refused")
            yield Entries(data)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as HDF5: {error}") from None


def _segments(entries: Entries, column: int | None) -> tuple[list[str], list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Ids, videos, intervals and labels of every labelled segment."""
    ids: list[str] = []
    videos: list[str] = []
    spans, values = [np.zeros((0, 2))], [np.zeros(0)]
    for name in entries.names:
        entry = entries.read(name)
        if entry is None:
            continue
        width = entry.features.shape[1]
        if column is None and width > 1:
            raise ValueError(
                f"entry {name!r}: {width} values a segment; say with label_column (0 to {width - 1}) which is the target"
            )
        if entry.features.dtype.kind not in "iuf" or (column or 0) >= width:
            raise ValueError(
                f"entry {name!r}: labels of {entry.features.dtype} and shape {entry.features.shape}; expected numbers [n 1]"
            )
        single = SEGMENT.fullmatch(name)
        if single and len(entry.intervals) != 1:
            raise ValueError(f"entry {name!r}: {len(entry.intervals)} labels for one segment")
        ids += [name] if single else [f"{name}[{clip}]" for clip in range(len(entry.intervals))]
        videos += [single["video"] if single else name] * len(entry.intervals)
        spans.append(entry.intervals)
        values.append(entry.features[:, column or 0].astype(np.float64))
        if not np.isfinite(values[-1]).all():
            raise ValueError(f"entry {name!r}: a label is not finite")
    if not ids:
        raise ValueError("there is no labelled segment")
    return ids, videos, np.concatenate(spans), np.concatenate(values)


def _aligned(entries: Entries, ids: list[str], videos: list[str], spans: NDArray[np.float64]) -> list[NDArray[Any] | None]:
    """Features inside each segment; None where neither the segment nor its video has an entry, or it is one without steps."""
    there = set(entries.names)
    found: list[NDArray[Any] | None] = []
    video, entry, middle = "", None, np.zeros(0)
    for row, span in zip(ids, spans, strict=True):
        name = videos[len(found)]
        if row in there:
            own = entries.read(row)
            found.append(None if own is None else own.features)
            continue
        if name != video:
            video, entry = name, entries.read(name) if name in there else None
            middle = np.zeros(0) if entry is None else entry.intervals.mean(axis=1)
        found.append(None if entry is None else entry.features[(middle >= span[0]) & (middle < span[1])])
    return found


def _modality(
    name: str, ids: list[str], rows: list[NDArray[Any] | None], steps: str, said: dict[str, str]
) -> tuple[Modality, Cells]:
    """Text of words, else sequences or their means."""
    given = [row for row in rows if row is not None]
    missing = len(rows) - len(given)
    notes = [f"{missing} segments have no entry, or one without steps, and are absent"] if missing else []
    if given and given[0].dtype.kind in "SUO":
        texts = [None if row is None else _text(each, row) for each, row in zip(ids, rows, strict=True)]
        said |= {name: "; ".join(notes)} if notes else {}
        return Modality("text"), Cells("text", texts, np.array([text is not None for text in texts], bool))
    cleaner = Cleaner(name)
    width = given[0].shape[1] if given else 1
    found: list[NDArray[np.float32] | None] = []
    for each, row in zip(ids, rows, strict=True):
        if row is not None and (row.dtype.kind not in "biuf" or row.shape[1] != width):
            raise ValueError(f"segment {each!r}: steps of {row.shape[1]} {row.dtype}; expected {width} numbers, as in the first")
        found.append(None if row is None or not len(row) else cleaner.clean(row))
    notes += cleaner.said().values()
    said |= {name: "; ".join(notes)} if notes else {}
    present = np.array([row is not None for row in found], bool)
    if steps == "sequence":
        return Modality("sequence", width=width), Cells("sequence", found, present)
    return Modality("vector", width=width), Cells("vector", mean_steps(found, width), present)


def _text(segment: str, words: NDArray[Any]) -> str | None:
    """Words joined by spaces, without pauses; None where none is left."""
    try:
        plain = [word.decode("utf-8") if isinstance(word, bytes) else str(word) for word in words[:, 0].tolist()]
    except UnicodeDecodeError:
        raise ValueError(f"segment {segment!r}: a word is not UTF-8") from None
    return " ".join(word.strip() for word in plain if word.strip() and word.strip() != PAUSE) or None


def _read_split(path: Path, ids: list[str], videos: list[str]) -> NDArray[np.object_]:
    """The part of each row, from a table of videos or of ids."""
    table = read_table(path)
    key = next((name for name in ("video", "id") if name in table.column_names), None)
    if key is None or "split" not in table.column_names:
        raise ValueError(f"{path}: expected the columns video and split, or id and split; it has {', '.join(table.column_names)}")
    said: dict[str, str | None] = {}
    for row, (name, part) in enumerate(zip(*(Column.of(table, each, 1).categories() for each in (key, "split")), strict=True)):
        if name is not None and said.setdefault(name, part) != part:
            raise ValueError(f"{path}, row {row + 1}: {key} {name!r} is {part}, above it was {said[name]}")
    own = videos if key == "video" else ids
    unknown = sorted(set(own) - set(said))
    if unknown:
        raise ValueError(
            f"{path} says nothing of {len(unknown)} {key}s, the first {unknown[0]!r}; leave its split cell empty to leave it out"
        )
    return np.array([said.get(name) for name in own], object)
