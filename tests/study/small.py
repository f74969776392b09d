"""A small corpus with a strong and a weak modality, made fresh for each test session."""

import json
from pathlib import Path

import numpy as np

from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression
from understudy.training.plan import Plan

PLAN = Plan(epochs=6, batch_size=32, rate=5e-3)
SIZES = {"width": 16, "dropout": 0.1}


def make_corpus(folder: Path, *, regression: bool = False, rows: int = 160) -> Corpus:
    """`strong` says the target nearly, `weak` a little, `spare` is missing in most rows."""
    random = np.random.default_rng(3)
    latent = random.normal(size=rows)
    strong = np.stack([latent, random.normal(size=rows)], axis=1).astype(np.float32)
    weak = (latent[:, None] + random.normal(size=(rows, 3)) * 1.5).astype(np.float32)
    task = Regression(low=-9.0, high=9.0) if regression else Classification(classes=("low", "high"))
    here = np.ones(rows, bool)
    corpus = write_corpus(
        folder,
        Schema(
            task,
            {"strong": Modality("vector", width=2), "weak": Modality("vector", width=3), "spare": Modality("vector", width=1)},
        ),
        ids=[f"r{row}" for row in range(rows)],
        targets=latent if regression else (latent > 0).astype(np.int64),
        cells={
            "strong": Cells("vector", strong, here),
            "weak": Cells("vector", weak, here),
            "spare": Cells("vector", strong[:, :1], np.arange(rows) % 3 == 0),
        },
    )
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3, labelled=24))
    corpus.save_split(make_split(corpus, name="full", valid=0.2, test=0.3))
    return corpus


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a run but the times of its logs."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith("log.jsonl")]:
        lines = [json.loads(line) for line in found[name].splitlines()]
        found[name] = json.dumps([{key: value for key, value in line.items() if key != "seconds"} for line in lines]).encode()
    return found
