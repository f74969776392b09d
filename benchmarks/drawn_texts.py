"""Drawn texts, and the package's small text student on them, untrained: speed does not depend on what either says."""

from pathlib import Path

import numpy as np
import torch

from understudy.artifact.export import export
from understudy.corpus import Corpus, Schema, Split, write_corpus
from understudy.encoders import TextTransformer
from understudy.models.model import Model
from understudy.prepare import Text
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

WORDS = 500


def drawn_words() -> list[str]:
    """Those of every drawn text."""
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(random.choice(letters, random.integers(2, 9))) for _ in range(WORDS)]


def text_corpus(folder: Path, *, rows: int) -> tuple[Corpus, Split]:
    """Rows of 3 to 100 words, as often 3 to 10 as 30 to 100, that are drawn from 500: one token each, as frequent words are."""
    random, words = np.random.default_rng(1), drawn_words()
    texts = [" ".join(random.choice(words, int(np.exp(random.uniform(np.log(3), np.log(101)))))) for _ in range(rows)]
    schema = Schema(Classification(classes=("no", "yes")), {"text": Modality("text", source=("text",))})
    cells = {"text": Cells("text", texts, np.ones(rows, dtype=bool))}
    corpus = write_corpus(folder, schema, ids=[f"{i}" for i in range(rows)], targets=random.integers(0, 2, rows), cells=cells)
    places = np.arange(rows)
    # Fewer validation rows than confidence needs, which is not what is timed here.
    return corpus, Split("s", test=places[:8], valid=places[8:20], train=places[20:], labelled=places[20:])


def small_text(folder: Path) -> Path:
    """The artifact of the package's own small text student."""
    corpus, split = text_corpus(folder / "texts", rows=200)
    view = Text.bpe(vocabulary=1000).fit(corpus.cells("text", split.train))
    torch.manual_seed(0)
    model = Model(corpus.task, {"text": TextTransformer(view)}, width=128, name="small")
    return export(model, folder / "small", corpus=corpus, split=split, about={"name": "small"})
