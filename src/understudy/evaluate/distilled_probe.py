"""Distilled probe: does a simple student learn more from a simple teacher's answers than from labels alone? No torch.

The teacher's answers to labelled rows are out-of-fold, so that they are not the labels again; unlabelled rows have answers, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.simple import Columns, ModelName, fitted, out_of_fold
from understudy.tasks import Classification, Regression, Task

Array = NDArray[Any]
SHARE, FAINT = 0.5, 0.01
"""What the teacher's answer counts against the label of a labelled row, and the probability below which a class is left out."""


@dataclass(frozen=True, eq=False)
class Side:
    """A probe: its model, and the columns that labelled and unlabelled rows are to it."""

    model: ModelName
    labelled: Columns
    unlabelled: Columns

    def read(self, columns: Columns) -> Any:
        """What the model reads of them."""
        return columns.of(self.model)


def soft_fitted(model: ModelName, task: Task, x: Any, goal: Array, *, seed: int = 0) -> Callable[[Any], Array]:
    """The model fitted on soft answers `[N C]`, or on numbers `[N]`; predictions as `simple.fitted` gives them."""
    if isinstance(task, Regression):
        return fitted(model, task, x, goal, seed=seed)
    if model == "forest":
        from sklearn.ensemble import RandomForestRegressor

        as_classifiers: Any = "sqrt"
        forest = RandomForestRegressor(max_features=as_classifiers, random_state=seed).fit(x, goal)
        return lambda x: np.asarray(forest.predict(x)).reshape(x.shape[0], -1)
    from sklearn.linear_model import LogisticRegression

    # Cross-entropy with soft targets is that of each class with the weight of its probability.
    rows, classes = np.nonzero(goal > FAINT)
    if len(np.unique(classes)) == 1:
        return lambda x: np.tile(goal[:1], (x.shape[0], 1))
    found = LogisticRegression(max_iter=200).fit(x[rows], classes, sample_weight=goal[rows, classes])

    def answer(x: Any) -> Array:
        values = np.zeros((x.shape[0], task.outputs))
        values[:, found.classes_] = found.predict_proba(x)
        return values

    return answer


def distilled_and_plain(
    task: Task,
    student: Side,
    teacher: Side,
    target: Array,
    fold: Array,
    *,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Out-of-fold predictions of labelled rows by the distilled and by the plain student.

    The teacher of a fold sees no row of it; its answers to the other labelled rows are out-of-fold among them.
    """
    name, x, more = student.model, student.read(student.labelled), student.read(student.unlabelled)
    lead, seen, others = teacher.model, teacher.read(teacher.labelled), teacher.read(teacher.unlabelled)
    goal = target if isinstance(task, Regression) else np.eye(task.outputs)[target]
    distilled, plain = (np.zeros((len(target), *goal.shape[1:])) for _ in range(2))
    for held in np.unique(fold):
        train = fold != held
        inside = fold[train]
        if len(np.unique(inside)) < 2:
            inside = np.arange(len(inside)) % 2
        said = out_of_fold(lead, task, seen[train], target[train], inside, seed=seed)
        mixed = SHARE * said + (1 - SHARE) * goal[train]
        columns = x[train]
        if more.shape[0]:
            mixed = np.concatenate([mixed, fitted(lead, task, seen[train], target[train], seed=seed)(others)])
            columns = stacked(columns, more)
        distilled[~train] = soft_fitted(name, task, columns, mixed, seed=seed)(x[~train])
        plain[~train] = soft_fitted(name, task, x[train], goal[train], seed=seed)(x[~train])
    return distilled, plain


def stacked(one: Any, other: Any) -> Any:
    """Rows under rows, dense or sparse."""
    from scipy import sparse

    return sparse.vstack([one, other]).tocsr() if sparse.issparse(one) else np.concatenate([one, other])


def distillable(task: Task) -> bool:
    """Whether there is a probe for it."""
    return isinstance(task, Classification | Regression)
