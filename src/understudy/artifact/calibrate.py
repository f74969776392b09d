"""Calibrate: a shipped student's confidence, fitted on validation rows and held against test rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.artifact.confidence import SMALLEST, Array, Confidence, tempered
from understudy.artifact.contract import CONTRACT, Contract, write_checksums
from understudy.artifact.parity import predict_corpus
from understudy.artifact.predict import Artifact
from understudy.corpus import Corpus, Split
from understudy.process.whole import write_json
from understudy.tasks import OneOf, Regression, Retrieval, Task
from understudy.tasks.calibration import LEAST, local_errors, reliability, temperature_of

KEPT = 2000
"""Scores that are kept of more validation rows."""
COVERAGES = (0.8, 0.9, 0.95)
"""That are held against test rows."""


def calibrate(folder: Path, contract: Contract, *, task: Task, corpus: Corpus, split: Split) -> tuple[Contract, dict[str, Any]]:
    """Put the confidence into a sealed artifact's contract; the contract, and what test rows say of it.

    Both are as before, and the document empty, of tasks that are neither numbers nor one of several, and of few validation rows.
    """
    if not isinstance(task, OneOf | Regression) or isinstance(task, Retrieval):
        return contract, {}
    artifact = Artifact(folder)
    found = fitted(*answers(artifact, corpus, split.valid))
    if found is None:
        return contract, {}
    contract = replace(contract, confidence=found)
    document = checked(found, contract, *answers(artifact, corpus, split.test))
    write_json(folder / CONTRACT, contract.to_json())
    write_checksums(folder)
    return contract, document


def answers(artifact: Artifact, corpus: Corpus, rows: NDArray[np.intp]) -> tuple[Array, Array]:
    """What the artifact says of those rows that it sees and that have a target, as its graph says it, and the targets."""
    rows = np.asarray(rows)[corpus.has_target[rows]]
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    predicted = predict_corpus(artifact, corpus, rows)
    return predicted.values[predicted.seen], corpus.target[rows][predicted.seen]


def fitted(predicted: Array, target: Array) -> Confidence | None:
    """From validation rows: probabilities `[N C]` and the index of the truth, or numbers `[N]` both; None of too few rows."""
    rows = len(target)
    if rows < LEAST:
        return None
    if predicted.ndim == 1:
        errors = np.abs(predicted - target)
        edges, spread = local_errors(predicted, errors)
        return Confidence(rows, 1.0, kept(errors / np.array(spread)[np.searchsorted(edges, predicted)]), edges, spread)
    temperature = temperature_of(*succeeded(np.log(np.maximum(predicted, SMALLEST)), target))
    return Confidence(rows, temperature, kept(1 - tempered(predicted, temperature)[np.arange(rows), target]))


def succeeded(logits: Array, target: Array) -> tuple[Array, Array]:
    """With two more rows like the one of middling confidence, one right and one wrong: Laplace's rule of succession.

    A few rows that are all right would otherwise make every answer certain.
    """
    middle = logits[np.argsort(logits.max(axis=1), kind="stable")[len(logits) // 2]]
    second, first = np.argsort(middle, kind="stable")[-2:]
    return np.concatenate([logits, middle[None], middle[None]]), np.concatenate([target, [first, second]])


def kept(scores: Array) -> tuple[float, ...]:
    """From the least; of very many only each so-manieth, the greater of its neighbours."""
    ordered = np.sort(scores.astype(np.float64))
    count = min(KEPT, len(ordered))
    return tuple(ordered[np.ceil(np.arange(1, count + 1) * len(ordered) / count).astype(int) - 1].tolist())


def checked(confidence: Confidence, contract: Contract, predicted: Array, target: Array) -> dict[str, Any]:
    """On test rows: of each coverage asked the one found, how large its sets or intervals are, and the error of calibration."""
    document: dict[str, Any] = {"validation_rows": confidence.rows, "test_rows": len(target), "coverage": {}}
    if not len(target):
        return document
    after = predicted if predicted.ndim == 1 else confidence.calibrated(predicted)
    if predicted.ndim > 1:
        document |= {"temperature": confidence.temperature}
        document |= {f"ece_{when}": reliability(each, target).error for when, each in (("before", predicted), ("after", after))}
    for coverage in COVERAGES:
        if coverage > confidence.most:
            continue
        if predicted.ndim == 1:
            low, high = confidence.interval(after, coverage, contract.task)
            inside, size = (low <= target) & (target <= high), high - low
        else:
            sets = confidence.sets(after, coverage)
            inside, size = sets[np.arange(len(target)), target], sets.sum(axis=1)
        document["coverage"][f"{coverage}"] = {"found": float(inside.mean()), "size": float(size.mean())}
    return document
