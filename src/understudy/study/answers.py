"""Answers: what students listen to. Of teachers that saw a row, of cross-fitted ones that did not, or of simple models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.batches.every_row import every_row
from understudy.corpus import Corpus, Split
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import collect
from understudy.evaluate.simple import Columns, ModelName, best_of, fitted, folds_of_rows, out_of_fold, quality, usable
from understudy.study.answer_table import Answers, calibrated
from understudy.tasks import Classification, Regression, Task
from understudy.tasks.calibration import temperature_of
from understudy.teachers.crossfit import Calibrated, Computed, CrossFitted
from understudy.teachers.teacher import Teacher

Array = NDArray[Any]
Fit = Literal["insample", "crossfit", "auto"]
TeacherModel = Literal["network", "linear", "forest", "boosting", "auto"]
FOLDS = 5
SIMPLE: tuple[ModelName, ...] = ("linear", "forest", "boosting")
HEARD = 10_000
"""Labelled train rows whose answers are scored, at most."""
ENSEMBLE = "network, ensemble"


@dataclass(frozen=True, eq=False)
class Told:
    """Where in the run's folder each seed's student finds its answers, and whose these are: "network, crossfit".

    Nowhere where it learns from labels alone, or beside its teacher.
    """

    stores: Mapping[int, str]
    source: str

    @property
    def ensemble(self) -> bool:
        """Whether it is the mean of all seeds' teachers."""
        return self.source == ENSEMBLE


@dataclass(frozen=True, eq=False)
class Simple:
    """A teacher without a network: who it is, its answers to train rows, and what it says of test rows, if it does.

    source: as a page tells it: "forest, crossfit".
    """

    model: str
    teacher: Teacher
    test: Predictions | None
    source: str


def fold_by_id(corpus: Corpus, rows: Array, *, seed: int = 0) -> dict[str, int]:
    """id -> the fold in which a labelled row is held out; groups and duplicates together."""
    fold = folds_of_rows(corpus, rows, folds=FOLDS, seed=seed)
    return dict(zip(corpus.ids[rows].tolist(), fold.tolist(), strict=True))


def without_fold(split: Split, corpus: Corpus, fold: Mapping[str, int], number: int) -> Split:
    """The split without the labelled rows of one fold."""
    inside = np.array([fold[key] != number for key in corpus.ids[split.labelled].tolist()])
    held = split.labelled[~inside]
    return replace(split, train=np.setdiff1d(split.train, held), labelled=split.labelled[inside])


def crossfitted(teachers: Sequence[Teacher], fold: Mapping[str, int], corpus: Corpus, rows: Array) -> Teacher:
    """Teachers of the folds as one, calibrated on the labelled `rows`, each answered by a teacher that never saw it."""
    teacher = CrossFitted(teachers, fold)
    if not isinstance(teacher.task, Classification):
        return teacher
    said = collect(teacher, teacher.task, every_row(corpus, rows, teacher.views))
    here = said.seen & said.has_target
    return Calibrated(teacher, temperature_of(np.log(np.maximum(said.values[here], 1e-12)), said.target[here]))


def simple_teacher(
    model: TeacherModel, corpus: Corpus, split: Split, task: Task, modalities: Sequence[str], *, seed: int = 0
) -> Simple:
    """A cross-fitted simple model over all that the teacher reads.

    A labelled row is answered by a model that did not see it, any other one by a model of all labelled rows; classes are
    calibrated on the former. "auto" is the best by cross-validation on labelled train rows.
    """
    labelled, others = split.labelled, np.setdiff1d(split.train, split.labelled)
    columns, more, test = Columns.read(corpus, modalities, labelled, others, split.test)
    fold, target = folds_of_rows(corpus, labelled, folds=FOLDS, seed=seed), corpus.target[labelled]
    allowed: list[ModelName] = [each for each in usable(task, len(labelled)) if each in SIMPLE]
    if model not in ("auto", *allowed):
        raise ValueError(f"teacher_model {model!r} takes too long for {task.outputs} classes; choose from {', '.join(allowed)}")
    asked: list[ModelName] = allowed if model == "auto" else [allowed[allowed.index(model)]]
    name = best_of(asked, task, columns, target, fold, seed=seed).best
    said = out_of_fold(name, task, columns.of(name), target, fold, seed=seed)
    whole = fitted(name, task, columns.of(name), target, seed=seed)
    values = np.concatenate([said, whole(more.of(name)) if len(others) else said[:0], whole(test.of(name))])
    logits = ((values - task.mean) / task.scale)[:, None] if isinstance(task, Regression) else calibrated(values, target)
    ids = corpus.ids[np.concatenate([labelled, others])].tolist()
    teacher = Computed(ids, logits[: len(ids)].astype(np.float32), task=task, modalities=modalities)
    return Simple(name, teacher, predicted(corpus, split.test, modalities, logits[len(ids) :], task), f"{name}, crossfit")


def outside_teacher(said: Answers, corpus: Corpus, split: Split, task: Task, modalities: Sequence[str]) -> Simple:
    """What somebody else's teacher says. It is scored where it answers every test row."""
    place = {key: row for row, key in enumerate(said.ids.tolist())}
    number = isinstance(task, Regression)
    logits = ((said.values - task.mean) / task.scale)[:, None] if number else said.values
    logits = np.asarray(logits, np.float32)
    teacher = Computed(said.ids.tolist(), logits, said.embedding, task=task, modalities=modalities)
    asked = [place.get(key, -1) for key in corpus.ids[split.test].tolist()]
    test = None if -1 in asked else predicted(corpus, split.test, modalities, logits[asked], task)
    return Simple(said.source, teacher, test, said.source)


def heard(teacher: Teacher, corpus: Corpus, rows: Array, held_out: Predictions | None) -> dict[str, dict[str, float]]:
    """The primary metric and the mean confidence of the answers to labelled train rows, beside those to test rows, if any.

    Answers far surer and better than the teacher is on rows that it never saw are the labels again.
    """
    task = teacher.task
    told = collect(teacher, task, every_row(corpus, rows[:HEARD], teacher.views))
    found = {}
    for name, said in (("train", told), ("held_out", held_out)):
        kept = said and said.take(said.seen & said.has_target)
        if kept:
            sure = {"confidence": float(kept.values.max(axis=1).mean())} if isinstance(task, Classification) else {}
            found[name] = {task.primary: float(task.per_row(kept.values, kept.target).mean())} | sure
    return found


def better_than(one: Teacher, other: Teacher, corpus: Corpus, rows: Array) -> bool:
    """Whether `one` answers labelled rows better than `other`, neither having seen what it answers."""
    found = []
    for teacher in (one, other):
        said = collect(teacher, teacher.task, every_row(corpus, rows, teacher.views))
        kept = said.take(said.seen & said.has_target)
        found.append(quality(teacher.task, kept.values, kept.target).mean())
    return bool(found[0] >= found[1])


def predicted(corpus: Corpus, rows: Array, modalities: Sequence[str], logits: Array, task: Task) -> Predictions:
    """What logits say of these rows."""
    import torch

    seen = np.any([corpus.present(name)[rows] for name in modalities], axis=0)
    values = task.decode(torch.from_numpy(np.asarray(logits, np.float32))).numpy()
    return Predictions(corpus.ids[rows].astype(str), values, corpus.target[rows], corpus.has_target[rows], seen)
