"""What VCR and VQA ask of a finished run: Q->AR with a verdict, and files to hand in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from understudy.batches.every_row import every_row
from understudy.corpus.importers.vcr_annotations import CHOICES, row_id
from understudy.evaluate.compare import System, comparison, on_same_rows, over_seeds
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.results import SystemName
from understudy.evaluate.score import predict
from understudy.evaluate.submissions import write_vcr, write_vqa
from understudy.evaluate.vcr import by_stage, stages_of
from understudy.models.model import views_of
from understudy.process.whole import write_json
from understudy.study.run import SYSTEMS, Run
from understudy.study.transfer import place, transfer
from understudy.tasks import Choice, MultiLabel

CHUNK = 4096
"""Rows that are answered together: probabilities of thousands of answers take room."""


def stages(run: Run, *, split: str = "") -> dict[str, Any]:
    """Q->A, QA->R and Q->AR of every system and seed, distilled against plain in Q->AR; written to the run's stages.json.

    split: whose test rows, "" for the run's own; of another (a rule set), `transfer` predicts them, and the file is
    transfer/SPLIT-stages.json. All are scored on the examples that every system sees. ValueError for a run that was not trained
    on a VCR corpus.
    """
    corpus = run.corpus()
    if not isinstance(corpus.task, Choice):
        raise ValueError(f"{run.folder} is a {corpus.task.kind}: only a VCR corpus has an answer and a rationale stage")
    if split:
        transfer(run, split)
        said = {name: [Predictions.load(place(run, split, name, seed)) for seed in run.seeds] for name in SYSTEMS}
    else:
        said = {name: run.predictions(name) for name in SYSTEMS}
    aligned, coverage = on_same_rows(corpus.task, {name: System((), 0, seeds) for name, seeds in said.items()})
    found = {name: [stages_of(each) for each in seeds] for name, seeds in aligned.items()}
    plain, distilled = (np.stack([each.both for each in found[name]]).astype(np.float64) for name in ("plain", "distilled"))
    metrics = {name: [each.metrics() for each in seeds] for name, seeds in found.items()}
    document = {
        "split": split or run.split().name,
        "examples": plain.shape[1],
        "coverage": coverage,
        "systems": {
            name: {metric: over_seeds([each[metric] for each in seeds]) for metric in seeds[0]} for name, seeds in metrics.items()
        },
        "comparison": {"metric": "q_ar"} | comparison(distilled - plain, found["plain"][0].group, draws=10_000, seed=0),
    }
    write_json(run.folder / (f"transfer/{split}-stages.json" if split else "stages.json"), document)
    return document


def submit_vcr(run: Run, out: Path, *, system: SystemName = "distilled", seed: int | None = None) -> int:
    """The CSV of the unlabelled test rows of a VCR corpus, imported with `test`; returns how many annotations it holds."""
    corpus = run.corpus()
    if not isinstance(corpus.task, Choice):
        raise ValueError(f"{run.folder} is a {corpus.task.kind}; VCR's file needs a run on a VCR corpus")
    rows = np.flatnonzero(~corpus.has_target)
    values = {name: value for part in answered(run, rows, system, seed) for name, value in zip(part.id, part.values, strict=True)}
    wanted = ("answer", *(f"rationale-{answer}" for answer in range(CHOICES)))
    scores = {name: np.stack([values[row_id(name, stage)] for stage in wanted]) for name in by_stage(list(values))["answer"]}
    write_vcr(out, scores)
    return len(scores)


def submit_vqa(run: Run, out: Path, *, system: SystemName = "distilled", seed: int | None = None, labelled: bool = False) -> int:
    """The JSON of the unlabelled questions, or of the `labelled` test rows of the run's split; returns how many."""
    corpus = run.corpus()
    if not isinstance(corpus.task, MultiLabel):
        raise ValueError(f"{run.folder} is a {corpus.task.kind}; VQA's file needs a run on a VQA corpus")
    classes = corpus.task.classes
    rows = np.sort(run.split().test) if labelled else np.flatnonzero(~corpus.has_target)
    answers: dict[int, str] = {}
    for part in answered(run, rows, system, seed):
        if not all(name.isdecimal() for name in part.id.tolist()):
            raise ValueError(f"{corpus.folder} was not imported from VQA: its ids are not numbers of questions")
        said = part.values.argmax(axis=1)
        answers |= {int(name): classes[each] for name, each in zip(part.id.tolist(), said.tolist(), strict=True)}
    write_vqa(out, answers)
    return len(answers)


def answered(run: Run, rows: np.ndarray, system: SystemName, seed: int | None) -> Iterator[Predictions]:
    """One system's predictions of these rows, so many at a time; ValueError where there are none or one cannot be seen."""
    if not len(rows):
        raise ValueError(f"{run.corpus().folder} holds no unlabelled rows; import the test questions too, with --test")
    corpus, model = run.corpus(), run.model(system, seed=seed)
    for start in range(0, len(rows), CHUNK):
        found = predict(model, every_row(corpus, rows[start : start + CHUNK], views_of(model)))
        if not found.seen.all():
            raise ValueError(f"row {found.id[~found.seen][0]!r} has none of the modalities of {system}; nothing was written")
        yield found
