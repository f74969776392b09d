"""Understudy: the main job as a scikit-learn estimator: fit with every column, predict with those that the student reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from understudy.artifact.predict import Artifact
from understudy.corpus import make_split
from understudy.corpus.importers.memory import corpus
from understudy.corpus.importers.target import class_names
from understudy.prepare.frames import Framed, framed
from understudy.process.progress import silent
from understudy.tasks import Classification

if TYPE_CHECKING:
    from understudy.study.run import Shipped

LEAST = 5
"""Rows below which nothing can be held out."""


def tells_classes(estimator: "Understudy") -> bool:
    """Whether it has probabilities: not of a number."""
    return getattr(estimator, "task_", estimator.task) != "regression"


class Understudy(BaseEstimator):
    """Distils a teacher that reads every modality into a student that needs some; answers through its artifact, without torch.

    student: modalities that it reads, all when empty; teacher: the same, or "all". method, options, plan, seeds: as `us.distill`
    takes them; one seed by default. settings: whatever else it takes by keyword. modalities: as `us.corpus` takes them; guessed
    from the columns of a frame when None, and of an array one vector `x`. task: "auto" takes numbers with fractions for a
    regression and all else for classes. test: share of the rows that are held out, on which teacher, plain and distilled student
    are compared. system: which of them answers.

    After `fit`: `results_` is the comparison, as a run's results.json; `artifact_` the exported student; `classes_` the classes;
    `guessed_` what was guessed of the columns. X is whatever `us.corpus` takes, or an array of numbers, NaN where missing; in
    `predict` only the columns that the student reads have to be there. A row without any of them is answered by the shares of
    the classes, or the mean.

    >>> import understudy as us
    >>> us.Understudy(student="note", plan={"epochs": 20}).get_params()["seeds"]
    1
    """

    def __init__(
        self,
        *,
        student: Sequence[str] | str = (),
        teacher: Sequence[str] | str = "all",
        method: str = "kd",
        options: Mapping[str, Any] | None = None,
        plan: Any = None,
        seeds: int = 1,
        settings: Mapping[str, Any] | None = None,
        modalities: Mapping[str, Any] | None = None,
        task: Literal["auto", "classification", "regression"] = "auto",
        test: float = 0.2,
        system: "Shipped" = "distilled",
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.method = method
        self.options = options
        self.plan = plan
        self.seeds = seeds
        self.settings = settings
        self.modalities = modalities
        self.task = task
        self.test = test
        self.system = system

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = {"classification": "classifier", "regression": "regressor"}.get(getattr(self, "task_", self.task))
        tags.classifier_tags = ClassifierTags() if tags.estimator_type == "classifier" else None
        tags.regressor_tags = RegressorTags() if tags.estimator_type == "regressor" else None
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Understudy":
        """Train the three systems on X and y and ship one. ValueError and KeyError say what cannot be done.

        sample_weight: how much each row counts in training, 2 as if it stood there twice; one number for all, or one a row, at
        least 0. Methods that learn from each row by itself heed it (kd, dkd, lskd, self_distillation), others refuse. What is
        held out is scored with all rows alike.
        """
        given = self._given(X, reset=True)
        table, weights = given.table, None
        if sample_weight is not None:
            rows = np.empty((len(table), 1))
            weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        truth = self._truth(y, weights, len(table))
        name, weight = free("target", table), free("weight", table)
        table = table.append_column(name, pa.array(truth))
        table = table if weights is None else table.append_column(weight, pa.array(weights))
        task = Classification(classes=self._names) if self.task_ == "classification" else "regression"
        more: Any = self.settings or {}
        modalities = self.modalities or ({} if is_frame(X) else {"x": f"vector:{','.join(given.table.column_names)}"})
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder, silent():
            from understudy.study.distill import distill

            told: Any = {"task": task, "modalities": modalities, "weight": None if weights is None else weight}
            made = corpus(table, target=name, out=Path(folder, "corpus"), **told)
            run = distill(
                made,
                student=self.student or tuple(made.modalities),
                teacher=() if self.teacher == "all" else self.teacher,
                split=make_split(made, name="fit", valid=0.0, test=self.test),
                method=self.method,
                options=self.options,
                plan=self.plan,
                seeds=self.seeds,
                out=Path(folder, "run"),
                report=False,
                **more,
            )
            system: Any = self.system
            shipped = run.export(Path(folder, "artifact"), system=system)
            self.results_, self.guessed_ = run.results, made.schema.about.get("guessed", "")
            self._files = {path.name: path.read_bytes() for path in shipped.iterdir()}
        self.artifact_ = opened(self._files)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """A class or a number for each row."""
        values = self._values(X)
        return values if self.task_ == "regression" else self.classes_[values.argmax(axis=1)]

    @available_if(tells_classes)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each of `classes_` `[N C]`."""
        return self._values(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of classes, R2 of numbers."""
        said = self.predict(X)
        measure = r2_score if self.task_ == "regression" else accuracy_score
        return float(measure(y, said, sample_weight=sample_weight))

    def _given(self, X: Any, *, reset: bool) -> Framed:
        """X as a table; an array's columns are named as those of the frame that was fitted, else x0, x1, ..."""
        if is_frame(X):
            given = framed(X)
            if reset:
                self.feature_names_in_ = np.array(given.table.column_names, object)
                self.n_features_in_ = len(given.table.column_names)
                if len(given.table) < LEAST:
                    raise ValueError(f"X has {len(given.table)} rows, n_samples = {len(given.table)}; give {LEAST} or more")
            return given
        asked = {"ensure_all_finite": "allow-nan", "dtype": np.float64, "ensure_min_samples": LEAST if reset else 1}
        array: Any = validate_data(self, X, reset=reset, **asked)
        names = getattr(self, "feature_names_in_", [f"x{at}" for at in range(array.shape[1])])
        return framed({str(name): array[:, at] for at, name in enumerate(names)})

    def _truth(self, y: Any, weights: NDArray[np.float64] | None, rows: int) -> NDArray[Any]:
        """The target of each row; task_, and of classes classes_ and their names in the artifact, follow from it."""
        if y is None:
            raise ValueError("Understudy requires y to be passed, but the target y is None; give one value a row")
        as_they_are: Any = None
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=as_they_are, input_name="y"), warn=True)
        check_consistent_length(np.empty(rows), y)
        kind = "regression" if type_of_target(y).startswith("continuous") else "classification"
        self.task_ = kind if self.task == "auto" else self.task
        if self.task_ == "regression":
            y = y.astype(np.float64)
            self._usual = np.array(np.average(y, weights=weights))
            return y
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        counts = np.bincount(codes, weights)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {str(self.classes_[0])!r}; a classifier needs two or more")
        self._names = class_names(self.classes_)
        self._usual = counts / counts.sum()
        return np.array(self._names, object)[codes]

    def _values(self, X: Any) -> NDArray[np.float64]:
        """Numbers `[N]` or probabilities `[N C]`."""
        check_is_fitted(self)
        given = self._given(X, reset=False)
        found = np.empty((len(given.table), *self._usual.shape))
        start = 0
        for each in self.artifact_.predict_table(given.table, folder=given.folder):
            values = np.asarray(each.values, np.float64)
            values /= 1.0 if self.task_ == "regression" else values.sum(axis=1, keepdims=True)
            seen = each.seen.reshape(-1, *[1] * self._usual.ndim)
            found[start : start + len(values)] = np.where(seen, values, self._usual)
            start += len(values)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Without the open artifact: its files are there."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "artifact_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:
            self.artifact_ = opened(self._files)


def free(name: str, table: pa.Table) -> str:
    """A name like this that no column of the table has."""
    return name if name not in table.column_names else free(f"{name}_", table)


def is_frame(X: Any) -> bool:
    """Whether columns have names and kinds: a frame, a table, a dict or a list of dicts, and no array."""
    if issparse(X):  # one of them is a dict of its cells
        return False
    rows = isinstance(X, Sequence) and len(X) > 0 and isinstance(X[0], Mapping)
    return rows or isinstance(X, Mapping) or hasattr(X, "columns") or hasattr(X, "column_names")


def opened(files: Mapping[str, bytes]) -> Artifact:
    """The artifact of these files, which it reads whole when it is opened."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        return Artifact(folder)
