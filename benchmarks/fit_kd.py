"""A step of `fit` with kd on digits, its loader and its stored teacher included, against the loop that one would write by hand."""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from understudy.batches.every_row import every_row
from understudy.batches.loader import Loader
from understudy.batches.order import Steps, order_steps
from understudy.corpus import Corpus, Split
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.encoders import VectorMLP
from understudy.methods import KD
from understudy.models.model import Model, views_of
from understudy.prepare.vector import Vector
from understudy.recipes.mfeat import PLAN, SIZES
from understudy.teachers.store import Store
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store
from understudy.training.fit import Plan, fit

STUDENT, TEACHER = ("fou",), ("fou", "pix", "kar")
ROUNDS, EPOCHS, WEIGHT, TEMPERATURE, CLIP = 11, 20, 0.9, 2.0, 1.0


def measure(quick: bool) -> dict[str, Any]:
    """Medians of rounds that alternate in one process of one thread, in processor time: whatever else the machine does, the ratio
    stays. A call of `fit` counts whole, its start and its log included; the loop by hand has its batches' rows in memory.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            corpus = import_mfeat(Path(folder) / "corpus", draws=1, labels=(50,))
            split, epochs = corpus.split("draw-0-50"), 1 if quick else EPOCHS
            store = answered(corpus, split, Path(folder) / "store")
            rounds = 1 if quick else ROUNDS
            found = [(by_hand(corpus, split, store, epochs), by_fit(corpus, split, store, epochs)) for _ in range(rounds + 1)][1:]
    finally:
        torch.set_num_threads(before)
    return {
        "kd_bare_ms": median(bare for bare, _ in found),
        "kd_fit_ms": median(ours for _, ours in found),
        "fit_kd_over_bare": median(ours / bare for bare, ours in found),
    }


def model(corpus: Corpus, split: Split, modalities: tuple[str, ...]) -> Model:
    """Untrained, of the demo's sizes."""
    torch.manual_seed(0)
    views = {m: Vector().fit(corpus.cells(m, split.train)) for m in modalities}
    return Model(corpus.task, {m: VectorMLP(view, **SIZES) for m, view in views.items()}, **SIZES)


def answered(corpus: Corpus, split: Split, folder: Path) -> Store:
    """What an untrained teacher says of the train rows; training does not ask how good it is."""
    teacher = Frozen(model(corpus, split, TEACHER).eval())
    return write_store(folder, teacher, every_row(corpus, split.train, teacher.views), corpus=corpus.fingerprint, quiet=True)


def by_fit(corpus: Corpus, split: Split, store: Store, epochs: int) -> float:
    """Milliseconds a step of `fit`."""
    method = KD(model(corpus, split, STUDENT), Stored(store), weight=WEIGHT, temperature=TEMPERATURE)
    train = Loader(
        corpus, split.train, method.views(), task=corpus.task, batch_size=PLAN.batch_size, labelled=split.labelled, training=True
    )
    plan = Plan(epochs=epochs, batch_size=PLAN.batch_size, rate=PLAN.rate, weight_decay=PLAN.weight_decay, warmup=0.0, clip=CLIP)
    with tempfile.TemporaryDirectory() as out:
        began = time.process_time()
        history = fit(method, train, plan=plan, seed=0, out=Path(out), accelerator=Accelerator(cpu=True), quiet=True)
        return (time.process_time() - began) / history.steps * 1e3


def by_hand(corpus: Corpus, split: Split, store: Store, epochs: int) -> float:
    """Milliseconds a step of the bare loop: the same network, rows, loss, clipping and optimiser."""
    student = model(corpus, split, STUDENT)
    encoder, head = student.encoders[STUDENT[0]], student.head
    values = torch.from_numpy(views_of(student)[STUDENT[0]].popitem()[1].prepare(corpus.cells(STUDENT[0], split.train))["values"])
    said, known = store.answers(corpus.ids[split.train].tolist()).need("logits"), np.isin(split.train, split.labelled)
    target, labelled = torch.from_numpy(corpus.target[split.train]), torch.from_numpy(known)
    steps = Steps(known, PLAN.batch_size)
    began, parameters = time.process_time(), list(student.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=PLAN.rate, weight_decay=PLAN.weight_decay, fused=True)
    student.train()
    for epoch in range(epochs):
        for rows in map(torch.from_numpy, order_steps(steps, seed=0, epoch=epoch)):
            optimizer.zero_grad()
            logits = head(encoder({"values": values[rows]}).pooled, {}, {})[0]
            loss = kd(logits, said[rows], target[rows], labelled[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            # Everybody wants to know.
            loss.item()
    return (time.process_time() - began) / (epochs * steps.count) * 1e3


def kd(logits: Tensor, said: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Labels on labelled rows, the teacher's softened answers on all."""
    theirs, ours = ((each / TEMPERATURE).log_softmax(dim=1) for each in (said, logits))
    pull = nn.functional.kl_div(ours, theirs, log_target=True, reduction="batchmean") * TEMPERATURE**2
    return (1 - WEIGHT) * nn.functional.cross_entropy(logits[labelled], target[labelled]) + WEIGHT * pull


if __name__ == "__main__":
    print(measure(quick=False))
