"""VEGAS and AVE: audio and visual features of video clips in HDF5, in the two layouts that are passed around."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import draw_labelled, make_folds, make_split
from understudy.corpus.importers.cleaning import naming
from understudy.corpus.importers.hdf5 import opened_hdf5, read_array
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Retrieval

Scaling = Literal["train", "separate", "none"]
Protocol = Literal["given", "folds", "random"]

BY_KEY = ("audio_train", "audio_test", "visual_train", "visual_test", "lab_train", "lab_test")
"""Layout A: the parts have keys of their own."""
BY_COLUMN = ("audio_feat", "visual_feat", "Label_ID", "Train_test")
"""Layout B: a column says which part a row belongs to."""
CLASSES = {"vegas": 10, "ave": 15}
WIDTHS = {"audio": 128, "visual": 1024}


@dataclass(frozen=True, eq=False)
class Clips:
    """N clips as the file has them: features, labels in its own coding, and which of them are test rows."""

    audio: NDArray[Any]
    visual: NDArray[Any]
    labels: NDArray[Any]
    test: NDArray[np.bool_]
    facts: Mapping[str, str]


def import_av_hdf5(
    path: Path | str,
    out: Path | str,
    *,
    dataset: Literal["vegas", "ave", "other"] = "other",
    protocol: Protocol = "given",
    scaling: Scaling = "train",
    label_base: Literal[0, 1] | None = None,
    test_value: str | int | None = None,
    valid: float = 0.1,
    seed: int = 0,
) -> Corpus:
    """Modalities `audio` and `visual`, paired by position; the layout is known by its keys.

    dataset: its number of classes and feature widths are then checked. protocol: the `given` train and test rows, or those
    together in 5 `folds` (fold-0 ...) or in one `random` 80/20 split, stratified by class. scaling: min-max by the train rows
    alone; `separate` scales train and test rows each by themselves, as the released loader does, which leaks; `none`, as the
    other protocols need (a model's own view is fitted on its train rows in any case). label_base: number of the first class;
    found where None and without doubt. test_value: what Train_test says of a test row (layout B); else the rarer of two values.
    valid: share of the train rows, drawn by `seed`. A row of zeros is absent, as is audio that a clip does not have. What was
    found stands in `schema.about`. ValueError names the file and what is wrong. Rows keep the file's order; training shuffles
    them.
    """
    path = Path(path)
    if scaling not in ("train", "separate", "none") or protocol not in ("given", "folds", "random"):
        raise ValueError(f"scaling {scaling!r}, protocol {protocol!r}: choose train, separate or none; given, folds or random")
    if scaling != "none" and protocol != "given":
        raise ValueError(
            f"protocol {protocol!r} draws other test rows than the file's: scale by the train rows of each, say scaling 'none'"
        )
    clips = read_clips(path, test_value)
    with naming(path):
        classes, base = class_indices(clips.labels, label_base, CLASSES.get(dataset))
        check_widths(clips, dataset)
        present = {name: getattr(clips, name).any(axis=1) for name in WIDTHS}
        arrays = {name: scaled(getattr(clips, name), present[name], clips.test, scaling) for name in WIDTHS}
    silent = "; ".join(f"{name} of {int((~here).sum())} rows" for name, here in present.items())
    about = {"name": dataset, "scaling": scaling, "labels": base, "absent": f"{silent} (all zeros)", **clips.facts}
    count = int(classes.max()) + 1
    return write_corpus(
        out,
        Schema(
            Retrieval(classes=tuple(f"class{each}" for each in range(count)), branches=tuple(WIDTHS)),
            {name: Modality("vector", width=array.shape[1]) for name, array in arrays.items()},
            about=about,
        ),
        ids=[f"clip-{row:06d}" for row in range(len(classes))],
        targets=classes,
        cells={name: Cells("vector", array, present[name]) for name, array in arrays.items()},
        splits=lambda corpus: drawn_splits(corpus, clips.test, protocol=protocol, valid=valid, seed=seed),
    )


def read_clips(path: Path, test_value: str | int | None) -> Clips:
    """The clips of a file in either layout; train rows first in layout A, in the file's order in layout B."""
    with naming(path), opened_hdf5(path, holds=f"{', '.join(BY_KEY)}, or {', '.join(BY_COLUMN)}") as opened:
        keys = BY_COLUMN if any(key in opened for key in BY_COLUMN) else BY_KEY
        arrays = {key: read_array(opened, key) for key in keys}
    with naming(path):
        return by_column(arrays, test_value) if keys is BY_COLUMN else by_key(arrays)


def by_key(arrays: Mapping[str, NDArray[Any]]) -> Clips:
    """Layout A."""
    for part in ("train", "test"):
        same_rows({key: arrays[key] for key in (f"audio_{part}", f"visual_{part}", f"lab_{part}")})
    joined = {}
    for name in ("audio", "visual", "lab"):
        train, test = (label_rows(a) if name == "lab" else a for a in (arrays[f"{name}_train"], arrays[f"{name}_test"]))
        if train.shape[1:] != test.shape[1:]:
            raise ValueError(f"{name}_train has shape {train.shape}, {name}_test {test.shape}")
        joined[name] = np.concatenate([train, test])
    test = np.arange(len(joined["lab"])) >= len(arrays["lab_train"])
    facts = {"layout": "A: parts by key", "order": "train rows before test rows, each in the file's order"}
    return Clips(joined["audio"], joined["visual"], joined["lab"], test, facts)


def by_column(arrays: Mapping[str, NDArray[Any]], test_value: str | int | None) -> Clips:
    """Layout B."""
    same_rows(arrays)
    column = [
        each.decode() if isinstance(each, bytes) else str(each) for each in np.asarray(arrays["Train_test"]).ravel().tolist()
    ]
    if len(column) != len(arrays["audio_feat"]):
        raise ValueError(f"Train_test has {len(column)} values for {len(arrays['audio_feat'])} rows")
    counts = Counter(column)
    if test_value is None:
        test_value = rarer(counts)
    if str(test_value) not in counts or len(counts) < 2:
        raise ValueError(f"no row is a test row by test_value {test_value!r}, or every row is; Train_test holds {dict(counts)}")
    test = np.array([each == str(test_value) for each in column])
    facts = {"layout": "B: parts by column", "Train_test": f"{dict(counts)}; {test_value!r} is taken for test"}
    return Clips(arrays["audio_feat"], arrays["visual_feat"], label_rows(arrays["Label_ID"]), test, facts)


def rarer(counts: Mapping[str, int]) -> str:
    """The value that means test: the one called so, or the clearly rarer one of two."""
    named = [value for value in counts if "test" in value.lower()]
    if len(named) == 1:
        return named[0]
    ordered = sorted(counts, key=lambda value: counts[value])
    if len(ordered) != 2 or counts[ordered[1]] < 1.5 * counts[ordered[0]]:
        raise ValueError(f"Train_test holds {dict(counts)}, which does not say what is test; name its test_value")
    return ordered[0]


def label_rows(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels `[N]` or one-hot `[N C]`: a column or a row of N numbers becomes `[N]`."""
    return labels.ravel() if labels.ndim == 2 and 1 in labels.shape else labels


def same_rows(arrays: Mapping[str, NDArray[Any]]) -> None:
    """ValueError unless all have equally many rows, at least one, since rows are paired by position."""
    counts = {key: len(label_rows(array)) if array.ndim else 0 for key, array in arrays.items()}
    if len(set(counts.values())) > 1 or not all(counts.values()):
        raise ValueError(f"rows are paired by position, but their numbers differ: {counts}")


def class_indices(labels: NDArray[Any], base: int | None, expected: int | None) -> tuple[NDArray[np.int64], str]:
    """Classes from 0, and how they were coded; ValueError where that is in doubt or the set of labels is not as expected."""
    if labels.ndim == 2:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise ValueError(f"labels of shape {labels.shape} are neither numbers nor one-hot rows")
        classes, coding = labels.argmax(axis=1).astype(np.int64), "one-hot"
    else:
        if labels.dtype.kind not in "iuf" or not np.isfinite(labels).all() or (labels % 1 != 0).any():
            raise ValueError("labels are not whole numbers")
        if base is None:
            base = int(labels.min())
            if base not in (0, 1):
                raise ValueError(f"labels start at {base}, neither 0 nor 1; name the label_base, or repair the file")
        classes, coding = labels.astype(np.int64) - base, f"numbers from {base}"
    found = np.unique(classes)
    wanted = expected or int(found.max()) + 1
    if found.min() < 0 or found.max() >= wanted or len(found) < wanted:
        raise ValueError(f"labels ({coding}) give the classes {found.tolist()}; expected each of 0 to {wanted - 1}")
    return classes, coding


def check_widths(clips: Clips, dataset: str) -> None:
    """ValueError for features that are no finite numbers, or of another width than the named set's."""
    for name, width in WIDTHS.items():
        array = getattr(clips, name)
        if array.ndim != 2 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ValueError(f"{name} features of shape {array.shape} are no matrix of finite numbers")
        if dataset in CLASSES and array.shape[1] != width:
            raise ValueError(f"{name} features have {array.shape[1]} columns, those of {dataset} have {width}")


def scaled(array: NDArray[Any], here: NDArray[np.bool_], test: NDArray[np.bool_], scaling: Scaling) -> NDArray[np.float32]:
    """Columns to [0, 1] by minimum and maximum of the rows that are `here` and that `scaling` names; a constant one becomes 0."""
    wide = array.astype(np.float64)
    if scaling != "none":
        for rows, of in ((~test, ~test), (test, test if scaling == "separate" else ~test)):
            known = array[of & here].astype(np.float64)
            if not len(known):
                raise ValueError(f"scaling {scaling!r} has no row to go by: they are all zeros; say scaling 'none'")
            low, high = known.min(axis=0), known.max(axis=0)
            wide[rows] = (wide[rows] - low) / np.where(high > low, high - low, 1.0)
    return np.ascontiguousarray(wide, dtype=np.float32)


def drawn_splits(corpus: Corpus, test: NDArray[np.bool_], *, protocol: Protocol, valid: float, seed: int) -> list[Split]:
    """The splits of a protocol."""
    if protocol == "folds":
        return make_folds(corpus, folds=5, valid=valid * 0.8, seed=seed)
    if protocol == "random":
        return [make_split(corpus, name="random", valid=valid * 0.8, test=0.2, seed=seed)]
    train = np.flatnonzero(~test)
    held = draw_labelled(train, corpus.target, round(valid * len(train)), seed=seed, draw=0) if valid else train[:0]
    kept = np.setdiff1d(train, held)
    return [Split("given", kept, np.flatnonzero(test), kept, held)]
