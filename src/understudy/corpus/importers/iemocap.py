"""IEMOCAP as MMIN (AIM3-RUC/MMIN) lays it out: frames by utterance in HDF5, ten folds of names and labels in .npy."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.cleaning import Cleaner, naming, unpadded
from understudy.corpus.importers.hdf5 import opened_hdf5, read_array
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.media import read_array as read_npy
from understudy.tasks import Classification

FEATURES: Mapping[str, str] = {"audio": "A/comparE", "visual": "V/denseface", "text": "L/bert_large"}
"""Modality -> its file without .h5."""
CLASSES = ("angry", "happy", "neutral", "sad")
"""The order that the notes of MEmoBert, by the same group, give for these folds; the files themselves do not say it."""
PARTS = {"train": "trn", "valid": "val", "test": "tst"}
UTTERANCE = re.compile(r"(?P<session>Ses\d\d)[FM]_\w+_(?P<sex>[FM])\w+")
ABOUT = {
    "name": "IEMOCAP, four classes",
    "licence": "research data under agreement with SAIL (USC), not for redistribution",
    "layout": "MMIN features, https://github.com/AIM3-RUC/MMIN",
    "citation": "C. Busso et al., Language Resources and Evaluation 2008; J. Zhao, R. Li and Q. Jin, ACL 2021 (features)",
    "left_out": "comparE_mean_std.h5: a model's own view is fitted on the train rows of its fold",
}
Part = tuple[list[str], NDArray[np.int64]]
"""Utterances and their classes."""


def import_iemocap(
    folder: Path | str, out: Path | str, *, features: Mapping[str, str] = FEATURES, classes: Sequence[str] = CLASSES
) -> Corpus:
    """Sequences `audio`, `visual` and `text`, grouped by speaker, and the splits `fold-01` ... of the folders of target/.

    folder: holds A/comparE.h5 and so on (`features`: modality -> file without .h5; utterance -> [T D]) and target/FOLD with
    trn, val and tst of _int2name.npy (utterances) and _label.npy (one-hot, or numbers from 0). classes: names in the order of
    the labels. Steps of zeros around a row's features are padding; a modality that is all zero, or that has no entry, is absent:
    both are counted in `schema.about`. ValueError for an utterance with two labels or tested twice, a speaker in two parts of a
    fold, and a session both in train and outside it; it names file and row.
    """
    folder = Path(folder)
    folds = read_folds(folder / "target", classes)
    known: dict[str, int] = {}
    for name, parts in folds.items():
        for utterances, labels in parts.values():
            for each, label in zip(utterances, labels.tolist(), strict=True):
                if known.setdefault(each, label) != label:
                    said = f"{classes[label]!r}, in another {classes[known[each]]!r}"
                    raise ValueError(f"{folder / 'target' / name}: {each!r} is {said}")
    check_folds(folder / "target", folds)
    ids = sorted(known)
    modalities, cells, said = {}, {}, {}
    for name, stem in features.items():
        modalities[name], cells[name], noted = read_frames(folder / f"{stem}.h5", name, ids)
        said |= noted
    tested = len(set().union(*(parts["test"][0] for parts in folds.values())))
    about = {"classes": ", ".join(classes), "folds": f"{len(folds)}, by speaker; {tested} of {len(ids)} rows are tested once"}
    return write_corpus(
        out,
        Schema(Classification(classes=tuple(classes)), modalities, grouped=True, about=ABOUT | about | hashed(folds) | said),
        ids=ids,
        targets=np.array([known[each] for each in ids]),
        groups=[speaker_of(each) for each in ids],
        cells=cells,
        splits=lambda corpus: [given_split(corpus, name=name, parts=of_rows(ids, parts)) for name, parts in folds.items()],
    )


def read_folds(folder: Path, classes: Sequence[str]) -> dict[str, dict[str, Part]]:
    """The parts of each fold, by number."""
    numbers = sorted(int(path.name) for path in folder.glob("*") if path.is_dir() and path.name.isdecimal())
    if not numbers:
        raise FileNotFoundError(f"no folder {folder}/1: it holds trn_label.npy, trn_int2name.npy and those of val and tst")
    return {
        f"fold-{number:02d}": {part: read_part(folder / str(number), stem, classes) for part, stem in PARTS.items()}
        for number in numbers
    }


def read_part(folder: Path, stem: str, classes: Sequence[str]) -> Part:
    """One part's utterances and classes."""
    path = folder / f"{stem}_int2name.npy"
    names = read_npy(path)
    flat = names[:, 0] if names.ndim == 2 and names.shape[1] == 1 else names
    if flat.ndim != 1 or flat.dtype.kind not in "SU":
        raise ValueError(f"{path}: {names.dtype} of shape {names.shape}; expected names [N] or [N 1]")
    utterances = [each.decode("latin1") if isinstance(each, bytes) else str(each) for each in flat.tolist()]
    for row, each in enumerate(utterances):
        if not UTTERANCE.fullmatch(each):
            raise ValueError(f"{path}, row {row}: {each!r} is no utterance; expected Ses01F_impro01_F000 and the like")
    path = folder / f"{stem}_label.npy"
    with naming(path):
        labels = labels_of(read_npy(path), len(classes))
    if len(labels) != len(utterances):
        raise ValueError(f"{path}: {len(labels)} labels for {len(utterances)} names")
    return utterances, labels


def labels_of(given: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Classes from 0 of labels that are one-hot `[N C]` or numbers `[N]`."""
    if given.ndim == 2 and given.shape[1] == count and given.dtype.kind in "biuf":
        wrong = ~(np.isin(given, (0, 1)).all(axis=1) & (given.sum(axis=1) == 1))
        labels = given.argmax(axis=1).astype(np.int64)
    elif given.ndim == 1 and given.dtype.kind in "iuf":
        wrong = ~np.isin(given, np.arange(count))
        labels = np.where(wrong, 0, given).astype(np.int64)
    else:
        raise ValueError(f"{given.dtype} of shape {given.shape}; expected labels one-hot [N {count}] or numbers [N]")
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"row {row}: {given[row].tolist()} is no label of {count} classes")
    return labels


def check_folds(folder: Path, folds: Mapping[str, Mapping[str, Part]]) -> None:
    """ValueError unless a row is tested once at most, and train rows are of other sessions than validation and test rows."""
    tested = Counter(each for parts in folds.values() for each in parts["test"][0])
    twice = [each for each, count in tested.items() if count > 1]
    if twice:
        raise ValueError(f"{folder}: {len(twice)} utterances are tested more than once, the first {twice[0]!r}")
    for name, parts in folds.items():
        inside = {each[:5] for each in parts["train"][0]}
        for each in [*parts["valid"][0], *parts["test"][0]]:
            if each[:5] in inside:
                raise ValueError(f"{folder}, {name}: {each!r} is of session {each[:5]}, which also trains")


def read_frames(path: Path, name: str, ids: Sequence[str]) -> tuple[Modality, Cells, dict[str, str]]:
    """One modality's steps by utterance, and what was wrong with them."""
    cleaner, rows, width = Cleaner(name), [], 0
    with opened_hdf5(path, holds="an array [T D] by utterance") as opened, naming(path):
        for each in ids:
            if each not in opened:
                cleaner.missing += 1
                rows.append(None)
                continue
            steps = read_array(opened, each)
            width = width or (steps.shape[1] if steps.ndim == 2 else 0)
            if steps.ndim != 2 or steps.shape[1] != width or not width or steps.dtype.kind not in "biuf":
                raise ValueError(f"{each!r}: {steps.dtype} of shape {steps.shape}; expected numbers [T {width or 'D'}]")
            rows.append(cleaner.clean(unpadded(steps)))
        present = np.array([row is not None for row in rows])
        if not present.any():
            raise ValueError(f"it has nothing of any of {len(ids)} utterances, the first {ids[0]!r}")
    return Modality("sequence", width=width), Cells("sequence", rows, present), cleaner.said()


def speaker_of(utterance: str) -> str:
    """`Ses01F` of Ses01M_impro01_F003: the session, and who speaks."""
    found = UTTERANCE.fullmatch(utterance)
    assert found is not None
    return found["session"] + found["sex"]


def of_rows(ids: Sequence[str], parts: Mapping[str, Part]) -> list[str | None]:
    """The part of each row of a fold; ValueError for an utterance in two."""
    found: dict[str, str] = {}
    for part, (utterances, _) in parts.items():
        for each in utterances:
            if found.setdefault(each, part) != part:
                raise ValueError(f"{each!r} stands in {found[each]} and in {part} of one fold")
    return [found.get(each) for each in ids]


def hashed(folds: Mapping[str, Mapping[str, Part]]) -> dict[str, str]:
    """SHA-256 over the folds: results compare only where it is equal."""
    lines = [f"{name} {part} {each}" for name, parts in folds.items() for part, (own, _) in parts.items() for each in sorted(own)]
    return {"id_hash": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
