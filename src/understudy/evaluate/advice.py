"""Advise: should this be distilled at all, and from which modality? Quick probes on train rows, before any network trains."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus, Split
from understudy.evaluate.probe import features, folds_of, held_out
from understudy.evaluate.significance import Resampled, crossed_bootstrap
from understudy.tasks import Choice, Classification, Retrieval, Task

Array = NDArray[Any]

FOLDS, MOST_ROWS, WORTH = 5, 2000, 0.05
"""Folds; rows probed at most; the share of the student's error below which an improvement is not worth a teacher (ours)."""


@dataclass(frozen=True)
class Gain:
    """How much better than the student's probe, in the metric and with its sign turned so that positive is better."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Advice:
    """Scores of probes (not of models): a network may find more, and distillation passes on only a part of the headroom.

    verdict: "yes" when the headroom's 95 % interval lies above 0, "no" when even its upper end is below 5 % of the student's
    error, else "undecided". probes: metric by what was read. gains: of the student with one more modality, the best one first.
    """

    verdict: Literal["yes", "no", "undecided"]
    student: tuple[str, ...]
    metric: str
    rows: int
    probes: dict[str, float]
    headroom: Gain
    gains: dict[str, Gain]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"student": list(self.student)}

    def __str__(self) -> str:
        room = self.headroom
        lines = [
            f"Distil {'+'.join(self.student)}? {self.verdict}. All modalities against these alone, {self.metric}: "
            f"{room.value:+.4f} [{room.low:+.4f}, {room.high:+.4f}] (positive is better).",
            f"Probes, not models: ridge regression on {self.rows} labelled train rows, cross-validated by group.",
        ]
        lines += [f"  {read:40s} {score:.4f}" for read, score in self.probes.items()]
        found = [f"{name} {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]" for name, gain in self.gains.items()]
        return "\n".join([*lines, f"What one more modality adds: {'; '.join(found)}."])


def advise(corpus: Corpus, student: Sequence[str], *, split: Split, seed: int = 0) -> Advice:
    """Probe the student's modalities, each other one, and all together on labelled *train* rows; test rows are never read.

    The interval is a bootstrap over groups of rows. At most 2,000 rows are used, drawn by `seed`.
    """
    extra = [name for name in corpus.modalities if name not in student]
    check(corpus, student, extra)
    rows = chosen_rows(corpus, student, split, seed)
    groups = groups_of(corpus, rows)
    target, task = corpus.target[rows], corpus.task
    strata = target if isinstance(task, Classification) else np.zeros(len(rows), np.intp)
    fold = folds_of(groups, strata, folds=FOLDS, seed=seed)
    blocks = {name: features(corpus.cells(name, rows), modality) for name, modality in corpus.modalities.items()}
    reads = {"+".join(student): list(student)} | {name: [name] for name in extra}
    reads |= {"+".join([*student, name]): [*student, name] for name in extra} | {"all": list(corpus.modalities)}
    rated = {name: task.per_row(held_out(task, blocks, use, target, fold), target) for name, use in reads.items()}
    return judged(task, tuple(student), extra, rated, groups, seed)


def check(corpus: Corpus, student: Sequence[str], extra: Sequence[str]) -> None:
    """KeyError for a modality that is not there, ValueError where there is nothing to learn from."""
    if isinstance(corpus.task, Retrieval | Choice):
        raise ValueError(f"there is no probe for a {corpus.task.kind}: distil it, and compare with the plain control")
    unknown = [name for name in student if name not in corpus.modalities]
    if unknown:
        raise KeyError(f"unknown modality {', '.join(unknown)}; the corpus has {', '.join(corpus.modalities)}")
    if not student or not extra:
        raise ValueError(
            f"the student reads {', '.join(student) or 'nothing'} of {', '.join(corpus.modalities)}: name some, not all"
        )


def chosen_rows(corpus: Corpus, student: Sequence[str], split: Split, seed: int) -> Array:
    """Labelled train rows that the student can see, 2,000 at most."""
    rows = np.sort(split.labelled)
    rows = rows[np.any([corpus.present(name)[rows] for name in student], axis=0)]
    if len(rows) < 2 * FOLDS:
        raise ValueError(f"{len(rows)} labelled train rows show {', '.join(student)}; probes need at least {2 * FOLDS}")
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def groups_of(corpus: Corpus, rows: Array) -> Array:
    """The group of each row; a row without one is grouped with its exact duplicates."""
    groups = corpus.groups
    own = [corpus.content[row].hex() for row in rows]
    return np.array([o if groups is None or groups[r] is None else str(groups[r]) for o, r in zip(own, rows, strict=True)])


def judged(
    task: Task, student: tuple[str, ...], extra: Sequence[str], rated: dict[str, Array], groups: Array, seed: int
) -> Advice:
    """The verdict on per-row scores of every probe."""
    sign = 1.0 if task.higher_is_better else -1.0
    alone = rated["+".join(student)]
    better = ["all", *("+".join([*student, name]) for name in extra)]
    difference = np.stack([sign * (rated[name] - alone) for name in better])[:, None]
    found = crossed_bootstrap(difference, groups, draws=4000, seed=seed)
    headroom, *each = (gain(found, place) for place in range(len(better)))
    error = float(1 - alone.mean() if task.higher_is_better else alone.mean())
    verdict = "yes" if headroom.low > 0 else "no" if headroom.high < WORTH * error else "undecided"
    order = sorted(zip(extra, each, strict=True), key=lambda item: -item[1].value)
    probes = {name: float(score.mean()) for name, score in rated.items()}
    return Advice(verdict, student, task.primary, len(alone), probes, headroom, dict(order))


def gain(found: Resampled, place: int) -> Gain:
    """One estimate with its interval."""
    return Gain(float(found.estimate[place]), *found.interval(place))
