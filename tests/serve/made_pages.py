"""Students of every kind that a static page can prepare, and rows as people type them."""

import numpy as np
import torch

from understudy.artifact.export import export
from understudy.corpus import Schema, Split, write_corpus
from understudy.encoders import RegionTokens, SequenceGRU, TableMLP, TextBag, TextEncoder, TextTransformer, VectorMLP
from understudy.models.fusion import SingleStream
from understudy.models.model import Model
from understudy.prepare import Choices, Knots, Regions, Sequence, Table, Text, Vector
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.terms import Terms
from understudy.tasks import Choice, Classification, MultiLabel, Regression, Retrieval

ROWS = 60
WORDS = ["a", "Big", "small", "cat", "don't", "123", "über", "日本語", "😀", "naïve", "ΟΔΟΣ", "ﬁne", "—", "the", "moon"]
MODALITIES = {
    "numbers": Modality("vector", width=3, source=("n0", "n1", "n2")),
    "list": Modality("vector", width=2, double=True, source=("list",)),
    "facts": Modality("table", columns={"age": "number", "town": "category"}, source=("age", "town")),
    "steps": Modality("sequence", width=2, source=("steps",)),
    "said": Modality("text", source=("said",)),
    "line": Modality("text", source=("said",)),
    "options": Modality("choices", width=3, source=("o0", "o1", "o2")),
    "regions": Modality("regions", width=2, source=("regions",)),
}
VIEWS = {
    "numbers": Knots(),
    "list": Vector(),
    "facts": Table(),
    "steps": Sequence(max_steps=6),
    "said": Text.bpe(vocabulary=300, max_tokens=12),
    "line": Terms(max_tokens=14),
    "options": Choices.bpe(vocabulary=290, max_tokens=9),
    "regions": Regions(max_regions=3),
}
TASKS = {
    "number": (Regression(unit="points", low=0.0), ("numbers", "list", "facts", "steps", "said")),
    "class": (Classification(classes=("no", "yes")), ("said",)),
    "bag": (Classification(classes=("no", "yes")), ("line",)),
    "choice": (Choice(choices=3), ("options", "regions")),
    "several": (MultiLabel(classes=("yes", "no", "two"), entries=1), ("facts",)),
    "embedding": (Retrieval(classes=("a", "b"), branches=("numbers", "said")), ("numbers", "said")),
}


def cells(rng: np.random.Generator) -> dict[str, Cells]:
    """One row in six lacks each modality."""
    here = {name: rng.random(ROWS) > 1 / 6 for name in MODALITIES}

    def words() -> str:
        return " ".join(rng.choice(WORDS, rng.integers(1, 20)))

    def regions() -> np.ndarray:
        count = int(rng.integers(1, 6))
        corners = [rng.uniform(0, 0.4, (count, 2)), rng.uniform(0.5, 1, (count, 2))]
        return np.concatenate([*corners, rng.normal(size=(count, 2))], axis=1).astype(np.float32)

    make = {
        "steps": lambda: rng.normal(size=(rng.integers(1, 9), 2)).astype(np.float32),
        "said": words,
        "line": words,
        "options": lambda: tuple(words() for _ in range(3)),
        "regions": regions,
    }
    values = {name: [each() if there else None for there in here[name]] for name, each in make.items()}
    towns = rng.choice(np.array(["Ulm", "Rom", "7", None], dtype=object), ROWS)
    arrays = {
        "numbers": rng.normal(3, 2, size=(ROWS, 3)).astype(np.float32),
        "list": rng.normal(1e6, 1, size=(ROWS, 2)),
        "facts": {"age": rng.normal(40, 9, ROWS), "town": towns},
    }
    return {name: Cells(MODALITIES[name].kind, each, here[name]) for name, each in (arrays | values).items()}


def encoder(name: str, view):
    torch.manual_seed(0)
    if isinstance(view, Terms):
        bag = TextBag(view, width=8)
        # As if it had learnt: it begins with next to nothing.
        torch.nn.init.normal_(bag.embedding.weight)
        return bag
    kinds = {"vector": VectorMLP, "table": TableMLP, "sequence": SequenceGRU, "regions": RegionTokens}
    kind = kinds.get(MODALITIES[name].kind)
    return kind(view, width=8) if kind else TextTransformer(view, width=8, depth=1, heads=2)


def shipped(which: str, folder):
    """The artifact of an untrained student of a task."""
    task, reads = TASKS[which]
    rng = np.random.default_rng(3)
    targets = {"number": np.abs(rng.normal(5, 2, ROWS)), "several": rng.random((ROWS, 1, 3)).astype(np.float32)}
    targets["several"][:, 0, 0] = rng.integers(0, 3, ROWS)
    drawn = targets.get(which, rng.integers(0, 2, ROWS))
    if which == "number":
        task = task.fit(drawn)
    corpus, split = corpus_of(folder, task, drawn, reads, rng)
    encoders = {name: encoder(name, VIEWS[name].fit(corpus.cells(name, split.train))) for name in reads}
    fused = {}
    if which == "choice":
        fused = {"fusion": SingleStream({name: each.width for name, each in encoders.items()}, width=8, depth=1, heads=2)}
    branches = {"branches": task.branches} if which == "embedding" else {}
    torch.manual_seed(1)
    model = Model(corpus.task, encoders, width=8, name=which, **fused, **branches)
    return export(model, folder / "artifact", corpus=corpus, split=split, about={"name": which})


def wide(folder, sizes):
    """The same of a text student with a BERT of such sizes."""
    task, rng = TASKS["class"][0], np.random.default_rng(3)
    corpus, split = corpus_of(folder, task, rng.integers(0, 2, ROWS), ("said",), rng)
    view = VIEWS["said"].fit(corpus.cells("said", split.train))
    config = {"model_type": "bert", "vocab_size": view.tokens, "max_position_embeddings": 32, **sizes}
    torch.manual_seed(0)
    model = Model(task, {"said": TextEncoder(view, config=config)}, name="wide")
    return export(model, folder / "artifact", corpus=corpus, split=split, about={"name": "wide"})


def corpus_of(folder, task, targets, reads, rng):
    """A corpus of these modalities, and a split of it."""
    chosen = {name: each for name, each in cells(rng).items() if name in reads}
    schema = Schema(task, {name: MODALITIES[name] for name in reads})
    corpus = write_corpus(folder / "corpus", schema, ids=[f"r{i}" for i in range(ROWS)], targets=targets, cells=chosen)
    rows = np.arange(ROWS)
    return corpus, Split("s", train=rows[:20], valid=rows[20:50], test=rows[50:], labelled=rows[:20])


TYPED = {
    "n0": [1, 2.5, -3e0, None, True, 0, 1e3, 4],
    "n1": [0.1, None, None, None, False, 0, -1e9, 4],
    "n2": [0.3, 7, 1, "", True, 0, 3, 1e-30],
    "list": [[1e6, 1000000.123], [None, 1000001], None, [], [999999.5, 3], [0, 0], [1e6, 1e6], [1, 2]],
    "age": [40, "41.5", None, "n/a", 2, 99, 1e6, 7],
    "town": ["Ulm", " Rom ", 7, None, "7.0", "Oslo", "", "Ulm"],
    "steps": [[[1, 2]], [[1, None], [3, 4]], None, [], [[0, 0]] * 9, [[5, 5]], [[-1, 1e5]], [[None, None]]],
    "said": ["ΟΔΟΣ ΟΔΟΣ, ΣΟΦΟΣ", "don't", None, " none ", "日本語 😀 naïve 👩‍👩‍👧", "word " * 90, "x", 12.0],
    "o0": ["a cat", "the MOON " * 9, None, "", "x", "a b c", "q", "a"],
    "o1": ["Ulm", "b", None, " ", "ΟΔΟΣ", "a", "😀", "b"],
    "o2": ["dog", "c", None, None, "z", "word " * 30, "1", "c"],
    "regions": [[[0, 0, 1, 1, 3, 4]], None, None, [], [[0.1, 0.2, 0.3, 0.4, None, 1]] * 5, [[0, 0, 1, 1, 0, 0]], None, None],
}
"""Columns of eight rows."""


def rows_of(which: str) -> list[dict]:
    """What is typed of the columns that a student reads, and rows with one modality alone."""
    groups = [MODALITIES[name].source for name in TASKS[which][1]]
    whole = [{c: TYPED[c][i] for group in groups for c in group} for i in range(8)]
    return whole + [{c: TYPED[c][0] for c in group} for group in groups]
