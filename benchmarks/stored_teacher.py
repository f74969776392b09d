"""An epoch of the small text student with a MiniLM-sized teacher that answers live, against its answers from a store."""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, write_corpus
from understudy.encoders.text import TextEncoder, TextTransformer
from understudy.methods import KD
from understudy.models.model import Model
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.text import Text
from understudy.tasks import Regression
from understudy.teachers.store import Store
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen, Teacher
from understudy.teachers.writer import write_store
from understudy.training.fit import Plan, fit

# CMU-MOSI's train split: 1,284 utterances of about 12 words. Random weights cost what trained ones cost.
ROWS, WORDS, BATCH, ROUNDS = 1_284, 12, 32, 7
MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}


def measure(quick: bool) -> dict[str, Any]:
    """Medians of the rounds, which alternate in one process; opening and reading the store counts, writing it is told apart."""
    rows, rounds = (96, 1) if quick else (ROWS, ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        corpus = utterances(Path(name) / "corpus", rows)
        teacher, student = players(corpus, MINILM | ({"num_hidden_layers": 2} if quick else {}))
        began = time.perf_counter()
        every = Loader(corpus, range(rows), teacher.views, task=corpus.task, batch_size=BATCH, shuffle=False)
        folder = write_store(Path(name) / "store", teacher, every, corpus=corpus.fingerprint, codec="float16").folder
        written = time.perf_counter() - began
        live, stored = (KD(student, each) for each in (teacher, Stored(Store(folder))))
        loaders = [Loader(corpus, range(rows), each.views(), task=corpus.task, batch_size=BATCH) for each in (live, stored)]
        check_agreement(teacher, stored.teacher, every)

        def epoch_live() -> float:
            return epoch(live, loaders[0])

        def epoch_stored() -> float:
            began = time.perf_counter()
            opened = Stored(Store(folder, expect={"corpus": corpus.fingerprint}))
            return time.perf_counter() - began + epoch(KD(student, opened), loaders[1])

        timed = [(epoch_live(), epoch_stored()) for _ in range(rounds + 1)][1:]
    return {
        "stored_epoch_speedup": median(one / other for one, other in timed),
        "live_epoch_seconds": median(one for one, _ in timed),
        "stored_epoch_seconds": median(other for _, other in timed),
        "store_write_seconds": written,
        "student_parameters": sum(p.numel() for p in student.parameters()),
        "teacher_parameters": sum(p.numel() for p in teacher.model.parameters()),
        "rows": rows,
        "rounds": rounds,
    }


def utterances(folder: Path, rows: int) -> Corpus:
    """A corpus of made-up utterances, as long and as repetitive as MOSI's (about 14 tokens, padded to about 40 in a batch)."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("etaoinshrdlu"), size=random.integers(2, 8))) for _ in range(2_500)]
    share = 1 / np.arange(3, len(words) + 3)
    lengths = np.clip(random.lognormal(np.log(WORDS) - 0.15, 0.65, rows).astype(int), 1, 100)
    texts = [" ".join(random.choice(words, size=length, p=share / share.sum())) for length in lengths]
    return write_corpus(
        folder,
        Schema(Regression(low=-3.0, high=3.0), {"text": Modality("text")}),
        ids=[f"utterance-{row}" for row in range(rows)],
        targets=random.uniform(-3, 3, rows),
        cells={"text": Cells("text", texts, np.ones(rows, dtype=bool))},
    )


def players(corpus: Corpus, config: dict[str, int]) -> tuple[Frozen, Model]:
    """A frozen teacher of MiniLM's shape and our own small text student, each with a view of its own."""
    torch.manual_seed(0)
    cells = corpus.cells("text", np.arange(len(corpus)))
    theirs, ours = (Text.bpe(max_tokens=tokens).fit(cells) for tokens in (96, 128))
    teacher = TextEncoder(theirs, config={"model_type": "bert", "vocab_size": 30_522} | config)
    return Frozen(Model(corpus.task, {"text": teacher}, name="teacher")), Model(
        corpus.task, {"text": TextTransformer(ours)}, name="student"
    )


def check_agreement(live: Teacher, stored: Teacher, loader: Loader) -> None:
    """The same answers up to float16, so that both epochs train the same student."""
    batch = next(iter(loader.batches(0)))
    torch.testing.assert_close(stored(batch).need("logits"), live(batch).need("logits"), rtol=1e-3, atol=1e-3)


def epoch(method: KD, loader: Loader) -> float:
    """Seconds of one epoch through `fit`."""
    began = time.perf_counter()
    fit(method, loader, plan=Plan(epochs=1, batch_size=BATCH), seed=0, quiet=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(measure(quick=False))
