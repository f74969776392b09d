"""The parity gate: the artifact re-scores the test split and must say what the torch model says."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.artifact.answers import Predicted, whole
from understudy.artifact.predict import Artifact
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Split
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import predict
from understudy.models.model import Model, views_of
from understudy.tasks import Regression, Retrieval, Task

SAME = 2e-3
"""Mean difference, of the target's scale, up to which another machine's arithmetic may be the cause."""
ROWS_AT_ONCE = 1024
"""Rows of thousands of classes that are compared in float64 together."""


class ParityError(ValueError):
    """The exported graph does not say what the model says; nothing was shipped."""


def check_parity(
    folder: Path, model: Model, *, corpus: Corpus, split: Split, tolerance: float, recorded: Predictions | None = None
) -> dict[str, Any]:
    """Compare both on every test row; ParityError when one differs by more than `tolerance` or is answered by one side only.

    recorded: what the run says that the model predicted; ParityError where it predicts something else now. Differences are
    relative to the target's scale for a regression, absolute for class probabilities, and for embeddings relative to their
    deviation where that is above 1.
    """
    rows = np.asarray(split.test)
    if not len(rows):
        raise ValueError(f"split {split.name!r} has no test rows, so nothing could show that the artifact is right")
    shipped = predict_corpus(Artifact(folder), corpus, rows)
    loader = Loader(corpus, rows, views_of(model), task=model.task, batch_size=64, shuffle=False)
    trained = predict(model, loader).ordered(np.asarray(corpus.ids)[rows])
    if not np.array_equal(shipped.seen, trained.seen):
        raise ParityError(f"the artifact answers {shipped.seen.sum()} of {len(rows)} test rows, the model {trained.seen.sum()}")
    scale = target_scale(model.task, trained.values)
    off = differences(shipped.values, trained.values, shipped.seen) / scale
    worst = float(off.max(initial=0.0))
    if not worst <= tolerance:
        row = corpus.ids[rows[shipped.seen][int(np.nan_to_num(off, nan=np.inf).argmax())]]
        raise ParityError(
            f"parity failed: the exported graph is off by {worst:.3g} of the target's scale in test row {row!r}, "
            f"{tolerance:g} is allowed; nothing was written"
        )
    if recorded is not None:
        refuse_other_model(trained, recorded, model.task, scale)
    scored = shipped.seen & corpus.has_target[rows]
    target = corpus.target[rows][scored]
    metric = {"name": model.task.primary, "model": None, "artifact": None}
    if scored.any():
        # A search with nothing to find has no score.
        metric["model"] = float(np.nanmean(model.task.per_row(trained.values[scored], target)))
        metric["artifact"] = float(np.nanmean(model.task.per_row(shipped.values[scored], target)))
    return {
        "split": split.name,
        "rows": len(rows),
        "answered": int(shipped.seen.sum()),
        "tolerance": tolerance,
        "scale": scale,
        "max_difference": worst,
        "mean_difference": float(off.mean()) if len(off) else 0.0,
        "metric": metric,
    }


def refuse_other_model(trained: Predictions, recorded: Predictions, task: Task, scale: float) -> None:
    """ParityError where the model is plainly not the one whose predictions and metric the run recorded."""
    recorded = recorded.ordered(trained.id)
    off = differences(trained.values, recorded.values, trained.seen & recorded.seen) / scale
    if np.array_equal(trained.seen, recorded.seen) and (not len(off) or np.nan_to_num(off, nan=np.inf).mean() <= SAME):
        return
    kept = trained.seen & recorded.seen & trained.has_target
    now, then = (float(np.nanmean(task.per_row(each.values[kept], each.target[kept]))) for each in (trained, recorded))
    raise ParityError(
        f"the model does not say what the run recorded of it: {task.primary} {now:.4f} on its test rows now, {then:.4f} then; "
        "its weights or the rows are not those of the run; nothing was written"
    )


def predict_corpus(artifact: Artifact, corpus: Corpus, rows: NDArray[np.intp]) -> Predicted:
    """The artifact's own path over rows of a corpus, some at a time."""
    pieces = [rows[start : start + artifact.rows_at_once] for start in range(0, len(rows), artifact.rows_at_once)]
    return whole([artifact.predict_cells({m: corpus.cells(m, some) for m in artifact.modalities}) for some in pieces])


def target_scale(task: Task, trained: NDArray[Any]) -> float:
    """What a difference is measured against: the train targets' deviation, 1 for probabilities, at least 1 for embeddings."""
    if isinstance(task, Retrieval):
        return max(1.0, float(np.nan_to_num(np.nanstd(trained))))
    return task.scale if isinstance(task, Regression) else 1.0


def differences(a: NDArray[Any], b: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The largest absolute difference of each seen row; none where both lack an embedding."""
    rows = np.flatnonzero(seen)
    parts = [difference(a[some], b[some]) for some in np.array_split(rows, max(1, len(rows) // ROWS_AT_ONCE))]
    return np.concatenate(parts)


def difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """The same of a few rows, all of which are seen."""
    off = np.abs(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64))
    off = np.where(np.isnan(a) & np.isnan(b), 0.0, off)
    return off.reshape(len(off), -1).max(axis=1, initial=0.0)
