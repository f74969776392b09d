"""Advise: does the teacher know more than the student, and does distilling pass it on? Simple probes of train rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus, Given, Split, named, opened_split
from understudy.evaluate.distilled_probe import Side, distillable, distilled_and_plain
from understudy.evaluate.significance import Resampled, crossed_bootstrap
from understudy.evaluate.simple import Columns, ModelName, best_of, folds_of_rows, groups_of, guess, quality, usable
from understudy.tasks import Choice, Retrieval, Task

Array = NDArray[Any]
Verdict = Literal["yes", "no", "undecided"]

FOLDS, LEAST, MOST_ROWS, WORTH = 3, 10, 1500, 0.05
"""Folds, also of the distilled probe, whose teacher is cross-fitted inside each; rows probed at least and at most; the share of
the student's error below which an improvement is not worth a teacher (ours)."""
PROBES: tuple[ModelName, ...] = ("linear", "forest")


@dataclass(frozen=True)
class Gain:
    """How much better, in the metric and with its sign turned so that positive is better; with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


@dataclass(frozen=True)
class Probe:
    """What a simple model reads out of some modalities: its name, and the metric out of fold."""

    model: str
    score: float


@dataclass(frozen=True)
class Advice:
    """Scores of probes, not of networks. `says` is the advice in words.

    probes: by what was read, `constant` nothing. knows: all modalities over the student's. passes: the distilled over the plain
    probe, None where the task has none. verdict: "yes" where what all know more is passed on (both intervals above 0), "no" where
    it is not there, not passed on or not worth a teacher (upper end below 5 % of the student's error), else "undecided".
    left_out: labelled train rows in which the student would see nothing. more: how many more labels would decide, of "undecided".
    gains: of the student with one more modality, the best one first.
    """

    verdict: Verdict
    says: str
    student: tuple[str, ...]
    metric: str
    rows: int
    unlabelled: int
    left_out: int
    probes: dict[str, Probe]
    knows: Gain
    passes: Gain | None
    gains: dict[str, Gain]
    more: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"student": list(self.student)}

    def __str__(self) -> str:
        passed = "no probe of this task" if self.passes is None else str(self.passes)
        lines = [
            f"Distil {'+'.join(self.student)}? {self.says}",
            f"Does the teacher know more? All modalities against {'+'.join(self.student)}, {self.metric}: {self.knows}.",
            f"Does distilling pass it on? A distilled probe against a plain one: {passed}.",
            f"Positive is better. Probes, not networks: the better of linear and forest, cross-validated by group on {self.rows} "
            f"labelled train rows (and {self.unlabelled} unlabelled ones).",
        ]
        if self.left_out:
            lines.append(f"{self.left_out} labelled train rows without {' and '.join(self.student)} are left out.")
        lines += [f"  {read:40s} {probe.score:.4f}  {probe.model}" for read, probe in self.probes.items()]
        return "\n".join([*lines, f"What one more modality adds: {'; '.join(f'{name} {g}' for name, g in self.gains.items())}."])


def advise(corpus: Given, student: Sequence[str] | str, *, split: Split | str = "", target: str = "", seed: int = 0) -> Advice:
    """Probe the student's modalities, each one alone, and all together on labelled *train* rows; test rows are never read.

    Then a distilled against a plain probe, with unlabelled train rows. The intervals are bootstraps over groups of rows. At most
    1,500 rows of each kind are used, drawn by `seed`.
    corpus: a Corpus or its folder; or data, as `us.corpus` takes it, with the name of its `target`: then modalities are guessed,
    and a split `default` is drawn where the data has none. split: a name or a Split; needed when the corpus has several.

    >>> import understudy as us
    >>> rows = [{"note": f"{'warm' if i % 2 else 'cold'} day {i} of it", "x": i % 2 + i % 7 / 9, "y": i % 2} for i in range(80)]
    >>> us.advise(rows, "note", target="y").verdict
    'no'
    """
    corpus, split = opened_split(corpus, split, target=target)
    student = named(student)
    extra = [name for name in corpus.modalities if name not in student]
    check(corpus, student, extra)
    rows = chosen_rows(corpus, student, split.labelled, seed)
    unseen = int((~seen_by(corpus, student, split.labelled)).sum())
    if len(rows) < LEAST:
        raise ValueError(f"{len(rows)} labelled train rows show {', '.join(student)}; probes need at least {LEAST}")
    more = chosen_rows(corpus, student, np.setdiff1d(split.train, split.labelled), seed)
    truth, task, groups = corpus.target[rows], corpus.task, groups_of(corpus, rows)
    own, every = "+".join(student), list(corpus.modalities)
    reads = {own: list(student)} | {name: [name] for name in every}
    reads |= {f"{own}+{name}": [*student, name] for name in extra} | {"all": every}
    fold = folds_of_rows(corpus, rows, folds=FOLDS, seed=seed)
    models: list[ModelName] = [model for model in PROBES if model in usable(task, len(rows))]
    columns = {name: Columns.read(corpus, use, rows, more) for name, use in reads.items()}
    found = {name: best_of(models, task, columns[name][0], truth, fold, seed=seed) for name in (own, *every, "all")}
    # What one more modality adds is asked of the model that reads the student's best.
    found |= {n: best_of([found[own].best], task, c[0], truth, fold, seed=seed) for n, c in columns.items() if n not in found}
    rated = {"constant": quality(task, guess(task, truth, len(rows)), truth)}
    rated |= {name: quality(task, each.chosen, truth) for name, each in found.items()}
    passed = None
    if distillable(task):
        lead, pupil = (Side(found[name].best, *columns[name]) for name in ("all", own))
        distilled, plain = distilled_and_plain(task, pupil, lead, truth, fold, seed=seed)
        passed = quality(task, distilled, truth) - quality(task, plain, truth)
    models_of: dict[str, str] = {"constant": "guess"} | {name: each.best for name, each in found.items()}
    return judged(task, student, extra, rated, models_of, passed, groups, (len(more), unseen), seed)


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


def chosen_rows(corpus: Corpus, student: Sequence[str], rows: Array, seed: int) -> Array:
    """Rows that the student can see, 1,500 at most."""
    rows = np.sort(rows)
    rows = rows[seen_by(corpus, student, rows)]
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def seen_by(corpus: Corpus, student: Sequence[str], rows: Array) -> Array:
    """Whether the student has something to read in each of these rows."""
    return np.any([corpus.present(name)[rows] for name in student], axis=0)


def judged(
    task: Task,
    student: tuple[str, ...],
    extra: Sequence[str],
    rated: Mapping[str, Array],
    models: Mapping[str, str],
    passed: Array | None,
    groups: Array,
    others: tuple[int, int],
    seed: int,
) -> Advice:
    """The advice on per-row scores (larger is better) of every probe, and on what was `passed` on in each row.

    others: how many unlabelled rows were read, and how many labelled ones left out.
    """
    own, sign = "+".join(student), task.sign
    alone, everything = rated[own], rated["all"]
    differences = {"knows": everything - alone, "anything": alone - rated["constant"]}
    differences |= {f"+{name}": rated[f"{own}+{name}"] - alone for name in extra}
    differences |= {f"all-{name}": everything - rated[name] for name in {own, *student, *extra}}
    differences |= {} if passed is None else {"passes": passed}
    found = crossed_bootstrap(np.stack(list(differences.values()))[:, None], groups, draws=4000, seed=seed)
    gains = {name: gain(found, place) for place, name in enumerate(differences)}
    small, nothing = (WORTH * float(task.higher_is_better - rated[name].mean()) for name in (own, "constant"))
    verdict = decided(gains["knows"], gains.get("passes"), small)
    more = labels_more(gains.get("passes", gains["knows"]), small, len(alone)) if verdict == "undecided" else None
    order = sorted(((name, gains[f"+{name}"]) for name in extra), key=lambda item: -item[1].value)
    return Advice(
        verdict=verdict,
        says=in_words(verdict, own, extra, gains, small, nothing, more),
        student=student,
        metric=task.primary,
        rows=len(alone),
        unlabelled=others[0],
        left_out=others[1],
        probes={name: Probe(models[name], sign * float(score.mean())) for name, score in rated.items()},
        knows=gains["knows"],
        passes=gains.get("passes"),
        gains=dict(order),
        more=more,
    )


def decided(knows: Gain, passes: Gain | None, small: float) -> Verdict:
    """Both questions in one word; `small` is what is not worth a teacher."""
    asked = [knows] if passes is None else [knows, passes]
    if all(each.low > 0 for each in asked):
        return "yes"
    return "no" if any(each.high < small or each.value <= 0 for each in asked) else "undecided"


def labels_more(gain: Gain, small: float, rows: int) -> int:
    """How many more labels would make the interval of this gain leave 0 or what is not worth it outside, were it to stay so."""
    half = (gain.high - gain.low) / 2
    needed = rows * (half / max(gain.value, small - gain.value, 1e-9)) ** 2
    return max(1, int(np.ceil(min(needed - rows, 100 * rows))))


def in_words(
    verdict: Verdict, own: str, extra: Sequence[str], gains: Mapping[str, Gain], small: float, nothing: float, more: int | None
) -> str:
    """What to do. nothing: what is not worth mentioning beside a constant."""
    anything = gains["anything"]
    if anything.value <= 0 or anything.high < nothing:
        return f"{verdict}. {own} knows no more than a constant"
    if anything.low <= 0:
        return f"{verdict}. Whether {own} knows more than a constant cannot be told from these rows: {anything}"
    enough = [name for name in (own, *extra) if gains[f"all-{name}"].high < small]
    if enough and verdict != "yes":
        return f"{verdict}. Ship {enough[0]} alone: it knows as much as all"
    if verdict == "yes":
        return f"yes, {gains.get('passes', gains['knows'])}"
    if verdict == "undecided":
        return f"undecided: {more} more labels would decide"
    return "no: distilling passes on nothing that would be worth a teacher"


def gain(found: Resampled, place: int) -> Gain:
    """One estimate with its interval."""
    return Gain(float(found.estimate[place]), *found.interval(place))
