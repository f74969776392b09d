"""A corpus with every kind of modality and students that are exported once for all tests of this folder."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from understudy.artifact.export import export
from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.encoders import AudioConv, ImageConv, SequenceGRU, TableMLP, TextTransformer, VectorMLP
from understudy.model import Model
from understudy.prepare import Text, view_for
from understudy.prepare.cells import Cells, Modality
from understudy.task import Classification, Regression

ROWS = 60
WORDS = "the a big small cat dog ran sat under over red blue table moon sun".split()
MODALITIES = {
    "numbers": Modality("vector", width=5, source=tuple(f"n{i}" for i in range(5))),
    "facts": Modality("table", columns={"age": "number", "town": "category"}, source=("age", "town")),
    "steps": Modality("sequence", width=3, source=("steps",)),
    "said": Modality("text", source=("said",)),
    "picture": Modality("image", source=("picture",)),
    "sound": Modality("audio", rate=2000, source=("sound",)),
}


def make_cells(seed: int = 0, rows: int = ROWS) -> dict[str, Cells]:
    """Ragged rows of length one and more; one row in four lacks each modality, the last row lacks all."""
    rng = np.random.default_rng(seed)
    here = {m: rng.random(rows) > 0.25 for m in MODALITIES}
    for present in here.values():
        present[:2], present[-1] = True, False

    def ragged(modality, make):
        return [make() if present else None for present in here[modality]]

    numbers = rng.normal(size=(rows, 5)).astype(np.float32)
    numbers[3, 2] = np.nan
    ages, towns = rng.normal(40, 9, rows), rng.choice(["Ulm", "Rom", None], rows)
    ages[5] = np.nan
    values = {
        "numbers": numbers,
        "facts": {"age": ages, "town": towns.astype(object)},
        "steps": ragged("steps", lambda: rng.normal(size=(rng.integers(1, 30), 3)).astype(np.float32)),
        "said": ragged("said", lambda: " ".join(rng.choice(WORDS, rng.integers(1, 40)))),
        "picture": ragged("picture", lambda: rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)),
        "sound": ragged("sound", lambda: rng.uniform(-1, 1, rng.integers(100, 1500)).astype(np.float32)),
    }
    return {m: Cells(modality.kind, values[m], here[m]) for m, modality in MODALITIES.items()}


def make_corpus(folder: Path, task) -> tuple[Corpus, Split]:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 3, ROWS) if task.kind == "classification" else rng.normal(50, 20, ROWS)
    about = {"licence": "CC0", "citation": "Nobody, Nowhere, 2020"}
    schema = Schema(task, MODALITIES, about=about)
    corpus = write_corpus(folder, schema, ids=[f"row{i}" for i in range(ROWS)], targets=targets, cells=make_cells())
    rows = np.arange(ROWS)
    return corpus, Split("half", train=rows[:30], test=rows[30:], labelled=rows[:30])


def student(corpus: Corpus, *modalities: str) -> Model:
    """Small encoders of every kind, with views fitted on the train rows."""
    torch.manual_seed(0)
    kinds = {"vector": VectorMLP, "table": TableMLP, "sequence": SequenceGRU, "text": TextTransformer, "audio": AudioConv}
    encoders = {}
    for name in modalities:
        modality = MODALITIES[name]
        view = Text.bpe(vocabulary=300, max_tokens=32) if modality.kind == "text" else view_for(modality)
        fitted = view.fit(corpus.cells(name, np.arange(30)))
        small = {"channels": (8, 16)} if modality.kind in ("image", "audio") else {}
        encoders[name] = kinds.get(modality.kind, ImageConv)(fitted, width=16, **small)
    return Model(corpus.task, encoders, width=16, name="student")


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> SimpleNamespace:
    """A regression corpus, its split, the student of all six kinds and its artifact."""
    folder = tmp_path_factory.mktemp("world")
    task = Regression(unit="points").fit(np.array([10.0, 90.0]))
    corpus, split = make_corpus(folder / "corpus", task)
    model = student(corpus, *MODALITIES)
    out = export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "six"})
    return SimpleNamespace(folder=folder, corpus=corpus, split=split, model=model, artifact=out)


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> SimpleNamespace:
    """A classification corpus, and a student that reads its text alone."""
    folder = tmp_path_factory.mktemp("reader")
    task = Classification(classes=("low", "middle", "high, or <b>higher</b>"))
    corpus, split = make_corpus(folder / "corpus", task)
    model = student(corpus, "said")
    out = export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "reader"})
    return SimpleNamespace(folder=folder, corpus=corpus, split=split, model=model, artifact=out)
