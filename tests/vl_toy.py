"""Toy vision-language players: a corpus of captions and tiny pictures, a student that reads both, and a teacher of experts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, write_corpus
from understudy.encoders import ImageConv, ImagePatches, TextTransformer
from understudy.encoders.encoder import Encoder
from understudy.models.experts import Experts
from understudy.models.fusion import Beside, Concat, SingleStream
from understudy.models.model import Model, views_of
from understudy.prepare import Image, Text
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.choices import Choices
from understudy.prepare.view import View
from understudy.tasks import Choice, Classification, MultiLabel, Regression, Task
from understudy.teachers.store import Store
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store

WORDS = ["red", "blue", "circles", "beside", "triangle", "an", "orange", "square", "above", "nothing"]
CLASSES = Classification(classes=("entailment", "neutral", "contradiction"))
CHOICE = Choice(choices=3)
ANSWERS = MultiLabel(classes=("yes", "no", "two", "red"), entries=2)
NUMBER = Regression(mean=0.0, scale=1.0)
WIDTH = 12
"""Of the teacher's text and picture vectors, which share a space."""


def corpus_of(folder: Path, task: Task, *, rows: int = 24, whole: bool = False) -> Corpus:
    """Random rows; unless `whole`, some lack the picture or the text, none both."""
    draw = np.random.default_rng(0)
    lacks = draw.integers(0, 5, rows) if not whole else np.full(rows, 4)

    def words() -> str:
        return " ".join(draw.choice(WORDS, draw.integers(2, 9)))

    kind = "choices" if isinstance(task, Choice) else "text"
    texts: list[Any] = [tuple(words() for _ in range(3)) if kind == "choices" else words() for _ in range(rows)]
    texts = [None if lack == 0 else text for text, lack in zip(texts, lacks, strict=True)]
    pictures = [None if lack == 1 else draw.integers(0, 256, (8, 8, 3), dtype=np.uint8) for lack in lacks]
    modalities = {"text": Modality(kind, width=3 if kind == "choices" else 0), "image": Modality("image")}
    return write_corpus(
        folder,
        Schema(task, modalities),
        ids=[f"r{row}" for row in range(rows)],
        targets=targets(task, rows),
        cells={"text": Cells(kind, texts, lacks != 0), "image": Cells("image", pictures, lacks != 1)},
    )


def targets(task: Task, rows: int) -> Any:
    draw = np.random.default_rng(1)
    if isinstance(task, MultiLabel):
        entries = [[[draw.integers(0, 2), 0.9, 1.0], [draw.integers(2, 4), 0.3, 0.3]] for _ in range(rows)]
        return np.array(entries, dtype=np.float32)
    if isinstance(task, Regression):
        return draw.normal(size=rows)
    return draw.integers(0, 3, rows)


def view(task: Task, *, vocabulary: int) -> View:
    return (Choices if isinstance(task, Choice) else Text).bpe(vocabulary=vocabulary, max_tokens=24)


def fitted(corpus: Corpus, modality: str, unfitted: View) -> View:
    return unfitted.fit(corpus.cells(modality, np.arange(len(corpus))))


def built(corpus: Corpus, modalities: tuple[str, ...], *, vocabulary: int, width: int, patch: int = 0) -> dict[str, Encoder]:
    """patch: side of the picture's patches; a network without tokens where 0."""
    found: dict[str, Encoder] = {}
    for modality in modalities:
        if modality == "text":
            text = fitted(corpus, "text", view(corpus.task, vocabulary=vocabulary))
            found["text"] = TextTransformer(text, width=width, depth=1, heads=2)  # type: ignore[arg-type]
        else:
            image: Any = fitted(corpus, "image", Image((8, 8), 3))
            found["image"] = ImagePatches(image, width=width, patch=patch) if patch else ImageConv(image, width=width)
    return found


def student_of(
    corpus: Corpus, *, modalities: tuple[str, ...] = ("text", "image"), stream: bool = True, seed: int = 1, patch: int = 0
) -> Model:
    """width 8; its tokenizer is not the teacher's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoders = built(corpus, modalities, vocabulary=290, width=8, patch=patch)
        widths = {m: e.width for m, e in encoders.items()}
        fusion = SingleStream(widths, width=8, depth=1, heads=2) if stream else Concat(widths, width=6, dropout=0.1)
        return Model(corpus.task, encoders, fusion=fusion, name="student")


def teacher_of(corpus: Corpus, *, modalities: tuple[str, ...] = ("text", "image"), seed: int = 2, patch: int = 0) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoders = built(corpus, modalities, vocabulary=265, width=WIDTH, patch=patch)
        widths = {m: e.width for m, e in encoders.items()}
        text = "text" if isinstance(corpus.task, Choice) else ""
        return Model(corpus.task, encoders, fusion=Beside(widths), head=Experts(corpus.task, widths, text=text), name="teacher")


def stored(folder: Path, corpus: Corpus, teacher: Model) -> Store:
    """Every row's answer, tokens too."""
    rows = Loader(corpus, range(len(corpus)), views_of(teacher), task=corpus.task, batch_size=7, shuffle=False)
    return write_store(folder, Frozen(teacher), rows, corpus=corpus.fingerprint, tokens=True)
