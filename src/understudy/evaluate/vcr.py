"""VCR: Q->A, QA->R and Q->AR of each example, joined by annotation id; never the product of two accuracies. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.importers.vcr_annotations import CHOICES, STAGES
from understudy.evaluate.predictions import Array, Predictions


@dataclass(frozen=True, eq=False)
class Stages:
    """Which examples `[N]` were right in each stage; groups of rows to resample together, where there are any."""

    answer: NDArray[np.bool_]
    rationale: NDArray[np.bool_]
    group: Array | None = None

    def __post_init__(self) -> None:
        if len(self.answer) != len(self.rationale) or not len(self.answer):
            said = f"{len(self.answer)} answers and {len(self.rationale)} rationales"
            raise ValueError(f"{said}; expected as many of both, one or more")

    @property
    def both(self) -> NDArray[np.bool_]:
        """Right answer and, given the right answer, right rationale."""
        return self.answer & self.rationale

    def metrics(self) -> dict[str, float]:
        """Shares of examples: `q_a`, `qa_r`, and of those with both right, `q_ar`."""
        named = {"q_a": self.answer, "qa_r": self.rationale, "q_ar": self.both}
        return {name: float(each.mean()) for name, each in named.items()}


def stages_of_scores(answers: Array, rationales: Array, answer_labels: Array, rationale_labels: Array) -> Stages:
    """Of scores `[N 4]` of both stages, rows in the same order; the first of equal scores counts, as in NumPy's argmax."""
    for name, each in (("answers", answers), ("rationales", rationales)):
        if each.ndim != 2 or each.shape[1] != CHOICES or not np.isfinite(each).all():
            raise ValueError(f"{name} of shape {each.shape}; expected finite numbers [N {CHOICES}]")
    return Stages(answers.argmax(axis=1) == answer_labels, rationales.argmax(axis=1) == rationale_labels)


def stages_of(predictions: Predictions) -> Stages:
    """The same of a model's predictions of rows of a VCR corpus; rows without a target, or that it cannot see, are left out.

    ValueError where an example has one stage alone: Q->AR needs both.
    """
    kept = predictions.take(np.flatnonzero(predictions.has_target & predictions.seen))
    answer, rationale = joined(kept.id.tolist())
    right = kept.values.argmax(axis=1) == kept.target
    return Stages(right[answer], right[rationale], None if kept.group is None else kept.group[answer])


def joined(ids: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of each example's answer row and of its rationale row; ValueError where an example has one of them alone."""
    found = by_stage(ids)
    answered, reasoned = (found.get(stage, {}) for stage in STAGES)
    lacking = min(answered.keys() ^ reasoned.keys(), default=None)
    if lacking is not None:
        only = STAGES[lacking not in answered]
        raise ValueError(f"example {lacking!r} has its {only} row alone; Q->AR needs answer and rationale of each")
    answer = np.fromiter(answered.values(), np.intp, len(answered))
    return answer, np.fromiter(map(reasoned.__getitem__, answered), np.intp, len(answered))


def by_stage(ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Stage -> example -> position in `ids`; ValueError for a row of another kind, and for one that stands twice."""
    found: dict[str, dict[str, int]] = {stage: {} for stage in (*STAGES, *(f"rationale-{answer}" for answer in range(CHOICES)))}
    for row, each in enumerate(ids):
        annotation, _, rest = each.partition("/")
        stage, _, variant = rest.partition("/")
        if stage not in found:
            raise ValueError(f"row {each!r} is none of a VCR corpus; its ids are ANNOTATION/answer and ANNOTATION/rationale")
        if found[stage].setdefault(f"{annotation}/{variant}" if variant else annotation, row) != row:
            raise ValueError(f"row {each!r} stands twice")
    return found
