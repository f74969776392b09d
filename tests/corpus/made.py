"""Corpora made for tests: every kind of modality, with absent cells."""

import json
from pathlib import Path

import numpy as np

from understudy.corpus import Corpus, Schema, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression

MODALITIES = {
    "numbers": Modality("vector", width=3),
    "facts": Modality("table", columns={"age": "number", "job": "category"}),
    "steps": Modality("sequence", width=2),
    "words": Modality("text", source=("review",)),
    "picture": Modality("image"),
    "sound": Modality("audio", rate=8000),
}


def made_cells(rows: int, *, seed: int = 0, absent: float = 0.3) -> dict[str, Cells]:
    """Random cells of every kind; row 0 has everything."""
    random = np.random.default_rng(seed)

    def some(kind, values):
        here = random.random(rows) >= absent
        here[0] = True
        if kind in ("vector", "table"):
            return Cells(kind, values, here)
        return Cells(kind, [value if there else None for value, there in zip(values, here, strict=True)], here)

    vectors = random.normal(size=(rows, 3)).astype(np.float32)
    vectors[1:, 1][random.random(rows - 1) < 0.3] = np.nan
    age = np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows))
    job = np.array([None if random.random() < 0.3 else f"jöb {random.integers(3)}" for _ in range(rows)], object)
    job[0] = "baker"
    return {
        "numbers": some("vector", vectors),
        "facts": some("table", {"age": age, "job": job}),
        "steps": some("sequence", [random.normal(size=(random.integers(1, 5), 2)).astype(np.float32) for _ in range(rows)]),
        "words": some("text", [f"row {row}: “ünï”\n" * random.integers(1, 4) for row in range(rows)]),
        "picture": some("image", [random.integers(0, 256, (2, 3, random.choice([1, 3])), np.uint8) for _ in range(rows)]),
        "sound": some("audio", [random.uniform(-1, 1, random.integers(1, 6)).astype(np.float32) for _ in range(rows)]),
    }


def made_corpus(folder, *, rows: int = 24, groups: int | None = None, classes: int | None = 3, seed: int = 0, **more) -> Corpus:
    """All kinds, `groups` groups, `classes` classes (None = regression); every seventh row is unlabelled."""
    task = Regression() if classes is None else Classification(classes=tuple(f"c{c}" for c in range(classes)))
    targets = [None if row % 7 == 6 else (row / 3 if classes is None else row % classes) for row in range(rows)]
    arguments = {
        "ids": [f"r{row}" for row in range(rows)],
        "targets": targets,
        "groups": None if groups is None else [f"g{row * groups // rows}" for row in range(rows)],
        "cells": made_cells(rows, seed=seed),
    } | more
    return write_corpus(folder, Schema(task, MODALITIES, grouped=groups is not None), **arguments)


def vector_corpus(folder, values, *, targets=None, groups=None, task=None, ids=None) -> Corpus:
    """One vector modality `x`."""
    values = np.asarray(values, np.float32)
    rows = len(values)
    return write_corpus(
        folder,
        Schema(
            task or Classification(classes=("a", "b")),
            {"x": Modality("vector", width=values.shape[1])},
            grouped=groups is not None,
        ),
        ids=[f"r{row}" for row in range(rows)] if ids is None else ids,
        targets=np.arange(rows) % 2 if targets is None else targets,
        groups=groups,
        cells={"x": Cells("vector", values, np.ones(rows, bool))},
    )


def same(one: Cells, other: Cells) -> None:
    """Assert equal presence, and equal values where present."""
    np.testing.assert_array_equal(one.present, other.present)
    assert one.kind == other.kind
    rows = np.flatnonzero(one.present)
    if one.kind == "vector":
        np.testing.assert_array_equal(one.values[rows], other.values[rows])
    elif one.kind == "table":
        assert list(one.values) == list(other.values)
        for name, column in one.values.items():
            assert column.dtype == other.values[name].dtype
            np.testing.assert_array_equal(column[rows], other.values[name][rows])
    else:
        for row in range(len(one)):
            a, b = one.values[row], other.values[row]
            assert type(a) is type(b)
            np.testing.assert_array_equal(a, b)
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype
                assert a.shape == b.shape


def as_before(corpus: Corpus, name: str) -> Path:
    """A saved split as earlier versions wrote it: a JSON file of ids."""
    split = corpus.split(name)
    parts = {part: corpus.ids[getattr(split, part)].tolist() for part in ("train", "valid", "test", "labelled")}
    (corpus.folder / "splits" / f"{name}.arrow").unlink()
    path = corpus.folder / "splits" / f"{name}.json"
    path.write_text(json.dumps({"name": name, "group": split.group, "seed": split.seed, "hash": split.hash} | parts))
    return path
