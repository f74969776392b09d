"""Tasks: what is predicted, how it is scored, and which direction is better. No torch at import.

A prediction is what a user gets: a number in the target's own unit `[N]` (regression) or class probabilities `[N C]`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]


@dataclass(frozen=True)
class Task(ABC):
    """One prediction target. `primary` is a mean of `per_row`, which makes it ready for paired resampling."""

    kind: ClassVar[str]
    primary: ClassVar[str]
    higher_is_better: ClassVar[bool]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width C of a model's logits."""

    @abstractmethod
    def fit(self, targets: Array) -> "Task":
        """A copy whose standardisation is fitted on the labelled train targets; it ships with the student."""

    @abstractmethod
    def check(self, targets: Array) -> None:
        """Raise ValueError for the first target that is impossible; absent targets are left out by the caller."""

    @abstractmethod
    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """Per-row loss `[B]` of float32 logits `[B C]`."""

    @abstractmethod
    def decode(self, logits: "Tensor") -> "Tensor":
        """Predictions from logits; runs inside the exported graph."""

    @abstractmethod
    def per_row(self, prediction: Array, target: Array) -> Array:
        """The primary metric of each row `[N]`."""

    @abstractmethod
    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        """Every metric over all rows at once, the primary one first."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Regression(Task):
    """One real number. `sentiment` adds the field's sentiment metrics (target in [-3, 3])."""

    low: float = float("-inf")
    high: float = float("inf")
    unit: str = ""
    sentiment: bool = False
    mean: float = 0.0
    scale: float = 1.0

    kind: ClassVar[str] = "regression"
    primary: ClassVar[str] = "mae"
    higher_is_better: ClassVar[bool] = False

    @property
    def outputs(self) -> int:
        return 1

    def fit(self, targets: Array) -> "Regression":
        scale = float(np.std(targets)) if len(targets) else 1.0
        return replace(self, mean=float(np.mean(targets)) if len(targets) else 0.0, scale=scale if scale > 0 else 1.0)

    def check(self, targets: Array) -> None:
        wrong = ~np.isfinite(targets) | (targets < self.low) | (targets > self.high)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"target {targets[row]!r} in labelled row {row}: expected a number in [{self.low}, {self.high}]")

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        return (logits[:, 0] - (target - self.mean) / self.scale).abs()

    def decode(self, logits: "Tensor") -> "Tensor":
        return logits[:, 0] * self.scale + self.mean

    def per_row(self, prediction: Array, target: Array) -> Array:
        return np.abs(prediction - target)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import regression_metrics, sentiment_metrics

        found = regression_metrics(prediction, target)
        return found | sentiment_metrics(prediction, target) if self.sentiment else found

    def to_json(self) -> dict[str, Any]:
        finite = {name: end for name, end in (("low", self.low), ("high", self.high)) if np.isfinite(end)}
        named = {"unit": self.unit, "sentiment": self.sentiment, "mean": self.mean, "scale": self.scale}
        return {"kind": self.kind} | finite | named


@dataclass(frozen=True)
class Classification(Task):
    """One of C named classes; targets are indices into `classes`."""

    classes: tuple[str, ...] = ()

    kind: ClassVar[str] = "classification"
    primary: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def fit(self, targets: Array) -> "Classification":
        return self

    def check(self, targets: Array) -> None:
        wrong = (targets < 0) | (targets >= len(self.classes))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"class index {targets[row]} in labelled row {row}: expected 0..{len(self.classes) - 1}")

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, target, reduction="none")

    def decode(self, logits: "Tensor") -> "Tensor":
        return logits.softmax(dim=-1)

    def per_row(self, prediction: Array, target: Array) -> Array:
        return (prediction.argmax(axis=-1) == target).astype(np.float64)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import classification_metrics

        return classification_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes)}


def task_from_json(document: Mapping[str, Any]) -> Task:
    """The task that `to_json` wrote; ValueError for anything else."""
    kinds: dict[str, type[Task]] = {t.kind: t for t in (Regression, Classification)}
    options = dict(document)
    kind = options.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"unknown task kind {kind!r}; known: {', '.join(kinds)}")
    if "classes" in options:
        options["classes"] = tuple(options["classes"])
    try:
        return kinds[kind](**options)
    except TypeError as error:
        raise ValueError(f"task {kind!r} does not take these settings: {error}") from None
