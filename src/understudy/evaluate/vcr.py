"""VCR: Q->A, QA->R and Q->AR of each example, joined by annotation id; never the product of two accuracies. Torch-free."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.importers.vcr_annotations import CHOICES, STAGES
from understudy.evaluate.predictions import Predictions

Metrics = dict[str, float]


def examples(ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Example -> stage -> position in `ids`. Rows of other kinds are refused, as is a stage that stands twice."""
    found: dict[str, dict[str, int]] = {}
    for row, each in enumerate(ids):
        annotation, _, rest = each.partition("/")
        stage, _, variant = rest.partition("/")
        if stage not in (*STAGES, *(f"rationale-{answer}" for answer in range(CHOICES))):
            raise ValueError(f"row {each!r} is none of a VCR corpus; its ids are ANNOTATION/answer and ANNOTATION/rationale")
        stages = found.setdefault(f"{annotation}/{variant}" if variant else annotation, {})
        if stages.setdefault(stage, row) != row:
            raise ValueError(f"row {each!r} stands twice")
    return found


def vcr_metrics(answer_right: NDArray[np.bool_], rationale_right: NDArray[np.bool_]) -> Metrics:
    """Shares of examples with a right answer, a right rationale given the right answer, and both at once."""
    if len(answer_right) != len(rationale_right) or not len(answer_right):
        raise ValueError(
            f"{len(answer_right)} answers and {len(rationale_right)} rationales; expected as many of both, one or more"
        )
    both = answer_right & rationale_right
    return {"q_a": float(answer_right.mean()), "qa_r": float(rationale_right.mean()), "q_ar": float(both.mean())}


def vcr_scores(
    answers: NDArray[np.floating],
    rationales: NDArray[np.floating],
    answer_labels: NDArray[np.integer],
    rationale_labels: NDArray[np.integer],
) -> Metrics:
    """Of scores `[N 4]` of both stages, rows in the same order; the first of equal scores counts, as in NumPy's argmax."""
    for name, each in (("answers", answers), ("rationales", rationales)):
        if each.ndim != 2 or each.shape[1] != CHOICES or not np.isfinite(each).all():
            raise ValueError(f"{name} of shape {each.shape}; expected finite numbers [N {CHOICES}]")
    return vcr_metrics(answers.argmax(axis=1) == answer_labels, rationales.argmax(axis=1) == rationale_labels)


def stage_scores(predictions: Predictions) -> Metrics:
    """The same of a model's predictions of a VCR corpus's rows, and of how many examples (`examples`).

    ValueError where an example lacks a stage, or where nothing can be scored: Q->AR needs both of each.
    """
    kept = predictions.take(np.flatnonzero(predictions.has_target & predictions.seen))
    found = examples(kept.id.tolist())
    lacking = next((name for name, rows in found.items() if set(rows) != set(STAGES)), None)
    if lacking is not None:
        raise ValueError(
            f"example {lacking!r} has {' and '.join(found[lacking])} alone; Q->AR needs answer and rationale of each"
        )
    answer, rationale = (np.array([rows[stage] for rows in found.values()], np.intp) for stage in STAGES)
    right = kept.values.argmax(axis=1) == kept.target
    return vcr_metrics(right[answer], right[rationale]) | {"examples": float(len(found))}
