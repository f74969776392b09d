"""Outside: a teacher that somebody brings: a file of answers, an estimator, a function or module, a run, an artifact, several."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from understudy.artifact.parity import predict_corpus
from understudy.artifact.predict import Artifact
from understudy.batches.every_row import every_row
from understudy.corpus import Corpus, Split
from understudy.corpus.importers.target import class_names
from understudy.evaluate import score
from understudy.evaluate.simple import folds_of_rows, held_out
from understudy.models.model import views_of
from understudy.players.player import Player
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.frames import framed
from understudy.study.answer_table import SMALLEST, Answers, Array, answers_in, calibrated, check_classes, read_answers
from understudy.study.answers import FOLDS
from understudy.study.joined_teachers import Weighted
from understudy.study.run import Run
from understudy.tasks import Classification


def is_outside(teacher: Any, corpus: Corpus) -> bool:
    """Whether it is somebody's own teacher, and neither a Player nor names of modalities."""
    if isinstance(teacher, str):
        return teacher not in corpus.modalities and Path(teacher).is_file()
    return not isinstance(teacher, Player | Sequence)


def reads_of(teacher: Any) -> tuple[str, ...]:
    """The modalities that it is known to read; () where nobody says, which is taken for all."""
    if isinstance(teacher, Weighted):
        reads = [reads_of(member) for member, _ in teacher.members]
        return tuple(dict.fromkeys(name for each in reads for name in each)) if all(reads) else ()
    if isinstance(teacher, Run):
        return tuple(teacher.settings["arguments"]["teacher"])
    return tuple(teacher.modalities) if isinstance(teacher, Artifact) else ()


def answers_of(teacher: Any, corpus: Corpus, split: Split, modalities: Sequence[str]) -> Answers:
    """What it says of train and of test rows, each asked once; a file may leave rows out. TypeError for what is no teacher.

    An estimator that scikit-learn can clone is fitted anew on labelled train rows, and answers those out of fold; anything else
    answers as it is, whatever it has seen. Both get a pandas frame of `modalities` with ids for its index (`frame_of`).
    """
    rows = np.concatenate([split.train, split.test])
    if isinstance(teacher, Weighted):
        return of_several(teacher, corpus, split, modalities)
    if isinstance(teacher, Run):
        return of_run(teacher, corpus, split, rows)
    if isinstance(teacher, Artifact):
        return of_artifact(teacher, corpus, rows)
    if isinstance(teacher, str | os.PathLike):
        return read_answers(Path(teacher), corpus)
    if hasattr(teacher, "fit") and hasattr(teacher, "get_params"):
        return of_estimator(teacher, corpus, split, modalities)
    ask = getattr(teacher, "predict_proba" if isinstance(corpus.task, Classification) else "predict", teacher)
    if not callable(ask):
        raise TypeError(
            f"a {type(teacher).__name__} given as teacher; expected modalities, a us.Player, a file of answers, a scikit-learn "
            "estimator, a function of a frame, a us.TorchTeacher, a run or an artifact, or several of them in us.Weighted"
        )
    name = getattr(teacher, "__name__", type(teacher).__name__)
    said = as_table(ask(frame_of(corpus, modalities, rows)), corpus.ids[rows], getattr(teacher, "classes_", None), name)
    return answers_in(said, corpus, where=name, source=f"{name}, as given")


def as_table(said: Any, ids: Array, classes: Any, name: str) -> pa.Table:
    """Answers as they come from a function, as a table with ids: a frame or dict by class name, or an array."""
    if not isinstance(said, np.ndarray):
        found = framed(said).table
        columns = dict(zip(found.column_names, found.columns, strict=True))
    elif said.ndim == 1:
        columns = {"prediction": pa.array(said)}
    elif classes is None:
        raise ValueError(
            f"{name} answered with an array {list(said.shape)} whose columns have no names; return a frame or a dict with a "
            "column for each class, by its name"
        )
    else:
        columns = dict(zip(class_names(classes), map(pa.array, said.T), strict=True))
    lengths = {len(column) for column in columns.values()}
    if lengths != {len(ids)}:
        raise ValueError(f"{name} was asked about {len(ids)} rows and answered {', '.join(map(str, sorted(lengths)))}")
    return pa.table({"id": ids.tolist()} | columns)


def of_estimator(estimator: Any, corpus: Corpus, split: Split, modalities: Sequence[str]) -> Answers:
    """Cross-fitted: labelled rows by clones that did not see them, others by one of all labelled rows; classes are calibrated."""
    from sklearn.base import clone

    labelled, others = split.labelled, np.concatenate([np.setdiff1d(split.train, split.labelled), split.test])
    if len(labelled) < 2 * FOLDS:
        raise ValueError(
            f"an estimator as teacher needs {2 * FOLDS} labelled train rows; split {split.name!r} has {len(labelled)}"
        )
    target, fold = corpus.target[labelled], folds_of_rows(corpus, labelled, folds=FOLDS)
    truth = np.array(corpus.task.classes)[target] if isinstance(corpus.task, Classification) else target
    frame = frame_of(corpus, modalities, labelled)
    copied: Any = clone

    def fit(some: Any, truth: Array) -> Callable[[Any], Array]:
        return partial(answered, copied(estimator).fit(some, truth), corpus=corpus)

    rest = fit(frame, truth)(frame_of(corpus, modalities, others))
    values = np.concatenate([held_out(fit, frame, truth, fold), rest])
    if isinstance(corpus.task, Classification):
        values = calibrated(values, target)
    return Answers(corpus.ids[np.concatenate([labelled, others])], values, f"{type(estimator).__name__}, crossfit")


def answered(model: Any, frame: Any, corpus: Corpus) -> Array:
    """Probabilities in the order of the corpus's classes `[N C]`, 0 of one that this fold had no row of; or numbers `[N]`."""
    if not isinstance(corpus.task, Classification):
        return np.asarray(model.predict(frame), np.float64)
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{type(model).__name__} has no predict_proba, and a teacher of classes says probabilities; choose another"
        )
    values = np.zeros((len(frame), corpus.task.outputs))
    values[:, [corpus.task.classes.index(each) for each in model.classes_]] = model.predict_proba(frame)
    return values


def of_several(several: Weighted, corpus: Corpus, split: Split, modalities: Sequence[str]) -> Answers:
    """The weighted mean of what all of them answer; ValueError where that is nothing."""
    found = [answers_of(member, corpus, split, modalities) for member, _ in several.members]
    shared = set(found[0].ids.tolist()).intersection(*(each.ids.tolist() for each in found[1:]))
    common = [each for each in found[0].ids.tolist() if each in shared]
    if not common:
        raise ValueError("no row is answered by all teachers of us.Weighted; a mean needs all of them")
    source = " + ".join(f"{share:.2g} {each.source}" for share, each in zip(several.shares, found, strict=True))
    values = 0.0
    for share, each in zip(several.shares, found, strict=True):
        place = {key: row for row, key in enumerate(each.ids.tolist())}
        said = each.values[[place[key] for key in common]]
        values = values + share * (np.exp(said) if isinstance(corpus.task, Classification) else said)
    mean = np.asarray(values)
    return Answers(np.array(common, object), np.log(mean) if isinstance(corpus.task, Classification) else mean, source)


def of_run(run: Run, corpus: Corpus, split: Split, rows: Array) -> Answers:
    """The teacher of a finished run, of the seed that ships; ValueError where it trained or was chosen on rows tested here."""
    if run.settings["corpus_fingerprint"] == corpus.fingerprint:
        run.unseen(split)
    model, where = run.model("teacher"), f"the teacher of {run.folder.name}"
    check_reads(where, {name: corpus.modalities.get(name) for name in model.modalities})
    said = score.predict(model, every_row(corpus, rows, views_of(model)))
    values = ordered(said.values, model.task, corpus, where)
    return Answers(said.id[said.seen].astype(object), values[said.seen], f"{where}, as given")


def of_artifact(artifact: Artifact, corpus: Corpus, rows: Array) -> Answers:
    """An exported model."""
    from understudy.tasks import task_from_json

    where = f"the artifact {artifact.contract.name}"
    check_reads(where, {name: corpus.modalities.get(name) for name in artifact.modalities})
    said = predict_corpus(artifact, corpus, rows)
    values = ordered(said.values, task_from_json(artifact.contract.task), corpus, where)
    return Answers(corpus.ids[rows[said.seen]], values[said.seen], f"{where}, as given")


def check_reads(where: str, found: dict[str, Modality | None]) -> None:
    """ValueError where the corpus lacks what it reads."""
    if lacking := [name for name, modality in found.items() if modality is None]:
        raise ValueError(f"{where} reads {', '.join(lacking)}, which the corpus has not; bring a file of its answers instead")


def ordered(values: Array, theirs: Any, corpus: Corpus, where: str) -> Array:
    """Log-probabilities in the order of the corpus's classes, or numbers; ValueError for other classes or another kind."""
    if theirs.kind != corpus.task.kind:
        raise ValueError(f"{where} answers a {theirs.kind}, and the corpus asks for a {corpus.task.kind}")
    if not isinstance(corpus.task, Classification):
        return np.asarray(values, np.float64)
    check_classes(theirs.classes, corpus.task.classes, where)
    return np.log(np.maximum(values[:, [theirs.classes.index(each) for each in corpus.task.classes]], SMALLEST))


def frame_of(corpus: Corpus, modalities: Sequence[str], rows: Array) -> Any:
    """Rows as a pandas frame, ids for its index: columns by the names that they had, or MODALITY_0 ...; empty where absent."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in modalities:
        columns |= READ.get(corpus.modalities[name].kind, as_objects)(name, corpus.modalities[name], corpus.cells(name, rows))
    return pd.DataFrame(columns, index=pd.Index(corpus.ids[rows], name="id"))


def as_numbers(name: str, modality: Modality, cells: Cells) -> dict[str, Any]:
    """Of a vector: a column for each number."""
    names = modality.source if len(modality.source) == modality.width else [f"{name}_{at}" for at in range(modality.width)]
    values = np.where(cells.present[:, None], cells.values, np.nan)
    return dict(zip(names, values.T, strict=True))


def as_columns(name: str, modality: Modality, cells: Cells) -> dict[str, Any]:
    """Of a table: its columns."""
    return {
        column: np.where(cells.present, values, None if values.dtype == object else np.nan)
        for column, values in cells.values.items()
    }


def as_objects(name: str, modality: Modality, cells: Cells) -> dict[str, Any]:
    """Of any other kind: a column of what its cells hold, None where absent."""
    column = modality.source[0] if len(modality.source) == 1 else name
    values = np.empty(len(cells), object)
    for row in np.flatnonzero(cells.present):
        values[row] = cells.values[row]
    return {column: values}


READ: dict[str, Callable[[str, Modality, Cells], dict[str, Any]]] = {"vector": as_numbers, "table": as_columns}
"""Kind -> how it becomes columns, where that is not one column."""
