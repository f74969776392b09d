"""Split: which rows train, validate and test, and which train rows are labelled. Ids on disk, positions in memory."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.process.alone import alone
from understudy.process.document import Shape
from understudy.process.partial import sweep_inside
from understudy.process.whole import read_json, write_json, write_text

SAVED = "splits.json"
"""Beside corpus.json: the hash of each split that was saved, so that one that is lost or replaced is missed."""
PARTS = ("train", "valid", "test", "labelled")
DOCUMENT: Shape = {"group": bool, "seed": (int, None), "hash?": str} | {part: [str] for part in PARTS}
Positions = NDArray[np.intp]


def _none() -> Positions:
    return np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions of each part. `valid` may be empty (a plan fixed in advance); `labelled` is the labelled part of `train`.

    group: whether groups were kept together, and are refused when they cross. seed: what it was drawn with, None if given.
    hash: SHA-256 over the ids of every part; filled when it is read from a corpus.
    """

    name: str
    train: Positions
    test: Positions
    labelled: Positions
    valid: Positions = field(default_factory=_none)
    group: bool = False
    seed: int | None = None
    hash: str = ""


def split_names(folder: Path) -> tuple[str, ...]:
    """Names of the splits saved in a corpus folder."""
    return tuple(sorted(path.stem for path in (folder / "splits").glob("*.json") if not path.name.startswith(".")))


def read_split(
    folder: Path, name: str, *, ids: NDArray[Any], groups: NDArray[Any] | None, has_target: NDArray[np.bool_]
) -> Split:
    """The split `name`; ValueError for unknown ids, an id or a group in two parts, and empty parts."""
    known = split_names(folder)
    if name not in known:
        raise KeyError(
            f"the corpus has no split {name!r}; it has {', '.join(known) or 'none (make one with `understudy split`)'}"
        )
    path = folder / "splits" / f"{name}.json"
    document = read_json(path, DOCUMENT)
    try:
        position = {each: row for row, each in enumerate(ids)}
        parts = {part: _positions(part, document[part], position) for part in PARTS}
        split = Split(name, **parts, group=document["group"], seed=document["seed"], hash=_hash(ids, parts))
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    if document.get("hash", split.hash) != split.hash:
        raise ValueError(f"{path} was changed after it was written: its hash does not fit its ids")
    validate(split, ids=ids, groups=groups, has_target=has_target)
    return split


def _positions(part: str, wanted: Sequence[str], position: Mapping[str, int]) -> Positions:
    unknown = [each for each in wanted if each not in position]
    if unknown:
        raise ValueError(f"{part} names {len(unknown)} ids that the corpus does not have, the first {unknown[0]!r}")
    return np.array([position[each] for each in wanted], np.intp)


def _hash(ids: NDArray[Any], parts: Mapping[str, Positions]) -> str:
    """Over the sets of ids; their order does not matter."""
    listed = {part: sorted(ids[rows].tolist()) for part, rows in parts.items()}
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


def write_splits(
    folder: Path, splits: Sequence[Split], *, ids: NDArray[Any], groups: NDArray[Any] | None, has_target: NDArray[np.bool_]
) -> None:
    """Validate them all, then write each splits/NAME.json, all or none, and note its hash in splits.json.

    One that is there with these rows stays as it is; ValueError for one that is there with others, on which runs may rest.
    """
    for split in splits:
        if not split.name or split.name.startswith(".") or Path(split.name).name != split.name:
            raise ValueError(
                f"split name {split.name!r}: it becomes a file name, so give one without / and not starting with a dot"
            )
        validate(split, ids=ids, groups=groups, has_target=has_target)
    hashes = {split.name: _hash(ids, {part: getattr(split, part) for part in PARTS}) for split in splits}
    if hashes.items() <= saved_hashes(folder).items() and all(_there(folder, name, hashes[name]) for name in hashes):
        # Whoever was killed just after it had saved them left its lock.
        sweep_inside(folder / "splits")
        return
    with alone(folder / "splits"):
        new = {folder / "splits" / f"{split.name}.json": split for split in splits}
        new = {path: split for path, split in new.items() if not _there(folder, split.name, hashes[split.name])}
        try:
            for path, split in new.items():
                document = {"name": split.name, "group": split.group, "seed": split.seed, "hash": hashes[split.name]}
                document |= {part: ids[getattr(split, part)].tolist() for part in PARTS}
                write_text(path, json.dumps(document) + "\n")
            write_json(folder / SAVED, saved_hashes(folder) | hashes)
        except BaseException:
            for path in new:
                path.unlink(missing_ok=True)
            raise


def saved_hashes(folder: Path) -> dict[str, str]:
    """Name -> hash of every split that was saved here, whether or not its file is still there; {} of old corpora."""
    return read_json(folder / SAVED, {...: str}) if (folder / SAVED).is_file() else {}


def _there(folder: Path, name: str, wanted: str) -> bool:
    """Whether the split is saved with these rows; ValueError where it is with others, or cannot be read."""
    path = folder / "splits" / f"{name}.json"
    if not path.is_file():
        return False
    if read_json(path).get("hash") != wanted:
        raise ValueError(
            f"{folder} has a split {name!r} of other rows, on which runs may rest: choose another name, or remove {path} "
            "if none does"
        )
    return True


def validate(split: Split, *, ids: NDArray[Any], groups: NDArray[Any] | None, has_target: NDArray[np.bool_]) -> None:
    """ValueError for the first thing that makes the split unusable."""
    said = f"split {split.name!r}"
    part = np.full(len(ids), -1)
    names = ("train", "valid", "test")
    for number, name in enumerate(names):
        for row in getattr(split, name):
            if part[row] >= 0:
                raise ValueError(f"{said}: row {ids[row]!r} stands in {names[part[row]]} and in {name}")
            part[row] = number
    for name in ("train", "test", "labelled"):
        if not len(getattr(split, name)):
            raise ValueError(f"{said}: {name} is empty")
    if (part[split.labelled] != 0).any() or len(np.unique(split.labelled)) != len(split.labelled):
        raise ValueError(f"{said}: labelled rows must be train rows, each once")
    for name in ("labelled", "valid", "test"):
        rows = getattr(split, name)
        if not has_target[rows].all():
            raise ValueError(f"{said}: {name} row {ids[rows[~has_target[rows]][0]]!r} has no target")
    if split.group:
        _no_crossing(said, part, names, groups)


def _no_crossing(said: str, part: NDArray[Any], names: Sequence[str], groups: NDArray[Any] | None) -> None:
    if groups is None:
        raise ValueError(f"{said} keeps groups together, but the corpus has no groups")
    seen: dict[str, int] = {}
    for row in np.flatnonzero(part >= 0):
        if groups[row] is not None and seen.setdefault(groups[row], int(part[row])) != part[row]:
            raise ValueError(f"{said}: group {groups[row]!r} stands in {names[seen[groups[row]]]} and in {names[part[row]]}")
