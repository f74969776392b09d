"""Baselines: what the student has to beat besides its plain control: a constant guess and the best simple model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus, Split
from understudy.evaluate.significance import crossed_bootstrap, verdict
from understudy.evaluate.simple import Columns, best_of, fitted, folds_of_rows, groups_of, guess, quality, usable
from understudy.tasks import Classification, Regression, Task

Array = NDArray[Any]
CHOOSING, LEAST, MOST = 3, 10, 10_000
"""Folds by which a simple model is chosen; rows below which none is, and rows drawn at most to fit it."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """Predictions of test rows `[N ...]` by id, and the model's name."""

    model: str
    id: Array
    values: Array


def baselines_of(corpus: Corpus, split: Split, modalities: Sequence[str], *, seed: int = 0) -> dict[str, Baseline]:
    """`constant` and `simple`: the best simple model on these modalities by cross-validation on labelled train rows.

    At most 10,000 of them; test rows are read once, to be answered. No simple model where there are fewer than 10 such rows or
    they are of one group, none at all where a target is neither a number nor a class.
    """
    task, test = corpus.task, split.test
    if not isinstance(task, Classification | Regression):
        return {}
    ids, target = corpus.ids[test].astype(str), corpus.target[split.labelled]
    found = {"constant": Baseline("constant", ids, guess(task, target, len(test)))}
    rows = split.labelled[np.any([corpus.present(name)[split.labelled] for name in modalities], axis=0)]
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST])
    if len(rows) < LEAST or len(set(groups_of(corpus, rows).tolist())) < 2:
        return found
    train, held = Columns.read(corpus, modalities, rows, test)
    fold = folds_of_rows(corpus, rows, folds=CHOOSING, seed=seed)
    target = corpus.target[rows]
    best = best_of(usable(task, len(rows)), task, train, target, fold, seed=seed).best
    values = fitted(best, task, train.of(best), target, seed=seed)(held.of(best))
    return found | {"simple": Baseline(best, ids, values)}


def against(
    task: Task, baselines: Mapping[str, Baseline], ids: Array, target: Array, group: Array | None, rows: Array
) -> dict[str, Any]:
    """Of each baseline its primary metric on the rows `ids`, and the distilled student against it, for `results.json`.

    rows: the distilled student's quality of each seed and row `[S N]`, larger is better.
    """
    found = {}
    for name, baseline in baselines.items():
        place = {key: row for row, key in enumerate(baseline.id.tolist())}
        values = baseline.values[[place[key] for key in ids.tolist()]]
        known = np.isfinite(rows).all(axis=0)
        theirs = quality(task, values, target)
        drawn = crossed_bootstrap((rows - theirs)[None, :, known], None if group is None else group[known])
        low, high = drawn.interval()
        said = {"difference": float(drawn.estimate[0]), "low": low, "high": high, "p": drawn.p()}
        metric = float(task.per_row(values, target)[known].mean())
        found[name] = {"model": baseline.model, "metric": metric} | said | {"verdict": verdict(low, high, len(rows))}
    return found
