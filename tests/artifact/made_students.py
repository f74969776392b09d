"""A corpus with every kind of modality, and small students that read it."""

from pathlib import Path

import numpy as np
import torch

from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.encoders import AudioConv, ImageConv, SequenceGRU, TableMLP, TextEncoder, TextTransformer, VectorMLP
from understudy.models.model import Model
from understudy.prepare import Text, view_for
from understudy.prepare.cells import Cells, Modality

ROWS = 60
WORDS = ["the", "a", "big", "small", "cat", "dog", "ran", "sat", "under", "over", "red", "blue", "table", "moon", "sun"]
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
        small = {"image": {"channels": (8,)}, "audio": {"channels": (8,)}, "text": {"depth": 1}}.get(modality.kind, {})
        encoders[name] = kinds.get(modality.kind, ImageConv)(fitted, width=16, **small)
    return Model(corpus.task, encoders, width=16, name="student")


def bert_student(corpus: Corpus) -> Model:
    """Reads the text alone, with a transformers encoder as small as can be."""
    view = Text.bpe(vocabulary=300, max_tokens=24).fit(corpus.cells("said", np.arange(30)))
    config = {
        "model_type": "bert",
        "vocab_size": view.tokens,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 24,
    }
    torch.manual_seed(0)
    return Model(corpus.task, {"said": TextEncoder(view, config=config)}, name="student")
