"""Simple models: what anyone would fit first on the same columns and rows, scikit-learn's, with its defaults. No torch."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from understudy.corpus import Corpus
from understudy.corpus.assign import assign
from understudy.evaluate.features import Features
from understudy.tasks import Classification, MultiLabel, Regression, Task

Array = NDArray[Any]
ModelName = Literal["linear", "forest", "boosting", "svm"]
MODELS: tuple[ModelName, ...] = get_args(ModelName)
"""Logistic regression (of numbers ridge), random forest, histogram boosting, and a support vector machine."""
FOLDS, MOST_CLASSES, MOST_KERNEL = 5, 20, 5000
"""Folds; classes above which boosting grows too many trees; rows above which a kernel takes too long."""
PENALTIES = np.logspace(-2, 4, 13)
ANSWERS = 100
"""Of many possible answers a linear model is asked about the most given ones."""
ALL_ROUNDS: Any = False
"""Boosting stops early by rows that it holds out only where there are many, which few classes survive: never, here."""
Answer = Callable[[Any], Array]
"""Columns `[N D]` to predictions: probabilities `[N C]`, or numbers `[N]`."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What rows of some modalities are to simple models: `wide` for linear ones, `narrow` for trees and kernels."""

    wide: Any
    narrow: Array

    def of(self, model: ModelName) -> Any:
        """The columns that a model reads."""
        return self.wide if model == "linear" else self.narrow

    @staticmethod
    def read(corpus: Corpus, modalities: Sequence[str], fit: Array, *others: Array) -> list["Columns"]:
        """Of the rows `fit`, on which the reading is fitted, and of other rows."""
        chosen = {name: corpus.modalities[name] for name in modalities}
        features = Features.fit({name: corpus.cells(name, fit) for name in chosen}, chosen)
        found = []
        for rows in (fit, *others):
            cells = {name: corpus.cells(name, rows) for name in chosen}
            found.append(Columns(features.wide(cells), features.narrow(cells)))
        return found


def usable(task: Task, rows: int) -> tuple[ModelName, ...]:
    """The models that this task and so many rows allow; none of choices, retrieval and several answers but `linear` of these."""
    if isinstance(task, MultiLabel):
        return ("linear",)
    if not isinstance(task, Classification | Regression):
        return ()
    many = task.outputs > MOST_CLASSES
    return tuple(m for m in MODELS if not (m == "boosting" and many) and not (m == "svm" and rows > MOST_KERNEL))


def fitted(model: ModelName, task: Task, x: Any, target: Array, *, seed: int = 0) -> Answer:
    """The model fitted on columns and targets; a class that no row has is never answered."""
    if isinstance(task, MultiLabel):
        return several(task, x, target)
    if isinstance(task, Regression):
        number = regressor(model, x, seed).fit(x, target)
        return lambda x: np.asarray(number.predict(x), np.float64)
    if len(np.unique(target)) == 1:
        return lambda x: np.tile(np.eye(task.outputs)[target[0]], (x.shape[0], 1))
    with warnings.catch_warnings():
        # A class of one row, and a hundred steps that did not converge: both answer well enough here.
        warnings.simplefilter("ignore")
        found = classifier(model, seed).fit(x, target)

    def answer(x: Any) -> Array:
        values = np.zeros((x.shape[0], task.outputs))
        values[:, found.classes_] = found.predict_proba(x) if hasattr(found, "predict_proba") else shares(found, x)
        return values

    return answer


def several(task: MultiLabel, x: Any, target: Array) -> Answer:
    """Ridge regression on the soft targets of the most given answers."""
    from sklearn.linear_model import Ridge

    soft = task.collate(target)
    most = np.argsort(-soft.sum(axis=0), kind="stable")[:ANSWERS]
    found = Ridge().fit(x, soft[:, most])

    def answer(x: Any) -> Array:
        values = np.zeros((x.shape[0], task.outputs))
        values[:, most] = np.clip(found.predict(x).reshape(len(values), -1), 0, 1)
        return values

    return answer


def classifier(model: ModelName, seed: int) -> Any:
    """scikit-learn's defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    return {
        "linear": lambda: LogisticRegression(max_iter=200),
        "forest": lambda: RandomForestClassifier(random_state=seed),
        "boosting": lambda: HistGradientBoostingClassifier(early_stopping=ALL_ROUNDS, random_state=seed),
        "svm": SVC,
    }[model]()


def regressor(model: ModelName, x: Any, seed: int) -> Any:
    """scikit-learn's defaults; the penalty of dense columns is chosen by leave-one-out."""
    from scipy.sparse import issparse
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.svm import SVR

    return {
        "linear": lambda: Ridge() if issparse(x) else RidgeCV(alphas=PENALTIES),
        "forest": lambda: RandomForestRegressor(random_state=seed),
        "boosting": lambda: HistGradientBoostingRegressor(early_stopping=ALL_ROUNDS, random_state=seed),
        "svm": SVR,
    }[model]()


def shares(found: Any, x: Any) -> Array:
    """Of a model without probabilities: 1 for the class it says."""
    return (found.predict(x)[:, None] == found.classes_).astype(np.float64)


def constant(task: Task, target: Array) -> Array:
    """The best guess that reads nothing `[1 ...]`: the classes' shares, the answers' means, or the median."""
    if isinstance(task, Regression):
        return np.median(target)[None]
    if isinstance(task, Classification):
        return np.bincount(target, minlength=task.outputs)[None] / len(target)
    return task.collate(target).mean(axis=0, keepdims=True)


def guess(task: Task, target: Array, rows: int) -> Array:
    """`constant` for each of so many rows."""
    return np.repeat(constant(task, target), rows, axis=0)


def out_of_fold(model: ModelName, task: Task, x: Any, target: Array, fold: Array, *, seed: int = 0) -> Array:
    """Every row's prediction by a model that saw no row of its fold."""
    return held_out(lambda x, target: fitted(model, task, x, target, seed=seed), x, target, fold)


def held_out(fit: Callable[[Any, Array], Callable[[Any], Array]], x: Any, target: Array, fold: Array) -> Array:
    """What is said of each row of `x` by what `fit` made of the rows of the other folds."""
    said = {held: fit(x[fold != held], target[fold != held])(x[fold == held]) for held in np.unique(fold)}
    found = np.zeros((len(target), *next(iter(said.values())).shape[1:]))
    for held, values in said.items():
        found[fold == held] = values
    return found


def folds_of(groups: Array, strata: Array, *, folds: int = FOLDS, seed: int = 0) -> Array:
    """The fold of each row; a group is in one fold, and each stratum is spread over the folds as evenly as groups allow.

    strata: the class of each row. Without them a fold holds more of the classes that the other folds lack, and a probe that has
    nothing to go by says the class that is rarest where it is asked: an accuracy below chance.
    """
    _, codes = np.unique(groups, return_inverse=True)
    many = int(codes.max()) + 1
    if many < 2:
        raise ValueError("all rows are of one group, so nothing can be held out: a probe needs at least two groups")
    parts = min(folds, many)
    return assign(codes, strata, [1 / parts] * parts, seed)


def folds_of_rows(corpus: Corpus, rows: Array, *, folds: int = FOLDS, seed: int = 0) -> Array:
    """`folds_of` rows of a corpus, by its groups and classes; duplicates stay together."""
    classes = isinstance(corpus.task, Classification)
    strata = np.where(corpus.has_target[rows], corpus.target[rows], -1) if classes else np.zeros(len(rows), np.intp)
    return folds_of(groups_of(corpus, rows), strata, folds=folds, seed=seed)


def groups_of(corpus: Corpus, rows: Array) -> Array:
    """The group of each row; a row without one is grouped with its exact duplicates."""
    groups, content = corpus.groups, corpus.content
    own = [content[row].hex() for row in rows]
    return np.array([o if groups is None or groups[r] is None else str(groups[r]) for o, r in zip(own, rows, strict=True)])


def quality(task: Task, values: Array, target: Array) -> Array:
    """The primary metric of each row, signed so that larger is better."""
    return task.per_row(values, target) * task.sign


@dataclass(frozen=True, eq=False)
class Choice:
    """Out-of-fold predictions of several models, and which of them is best."""

    best: ModelName
    values: Mapping[ModelName, Array]

    @property
    def chosen(self) -> Array:
        """The best one's."""
        return self.values[self.best]


def best_of(models: Sequence[ModelName], task: Task, columns: Columns, target: Array, fold: Array, *, seed: int = 0) -> Choice:
    """The best of some models by their out-of-fold predictions of labelled train rows."""
    values: dict[ModelName, Array] = {
        model: out_of_fold(model, task, columns.of(model), target, fold, seed=seed) for model in models
    }
    best: ModelName = max(values, key=lambda model: quality(task, values[model], target).mean())
    return Choice(best, values)
