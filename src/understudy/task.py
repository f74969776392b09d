"""Tasks: what is predicted, how it is scored, and which direction is better. No torch at import.

A prediction is what a user gets: a number in the target's own unit `[N]` (regression), class probabilities `[N C]`
(classification, choice: `[N K]`, multilabel), or one embedding for each branch `[N M D]` (retrieval).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from understudy.entries import NONE, check_entries, credit, dense

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
Space = Literal["probabilities", "log_probabilities", "hidden"]


@dataclass(frozen=True)
class Task(ABC):
    """One prediction target. `primary` is a mean of `per_row`, which makes it ready for paired resampling."""

    kind: ClassVar[str]
    primary: ClassVar[str]
    higher_is_better: ClassVar[bool]
    discrete: ClassVar[bool]
    """Whether a target is an index: of a class, or of a row's own choices."""
    classed: ClassVar[bool] = False
    """Whether rows with an equal target are of one class, so that they can be found and contrasted by it."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Width C of a model's logits; of one choice's, where a row has several."""

    @property
    def filler(self) -> Array:
        """What stands at rest for one row that has no target, in the shape of one: a single number, here."""
        return np.zeros(())

    def filled(self, target: Array, known: Array) -> Array:
        """Targets at rest, with filler where they are not `known` [N]."""
        return np.where(known.reshape(-1, *[1] * self.filler.ndim), target, self.filler)

    def collate(self, target: Array) -> Array:
        """Targets at rest as a batch holds them."""
        return target

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

    def answered(self, prediction: Array) -> Array:
        """Which rows `[N]` hold a whole prediction: finite numbers wherever there has to be one."""
        return np.asarray(np.isfinite(prediction).reshape(len(prediction), -1).all(axis=1))

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
    """One real number. `sentiment` adds the field's sentiment metrics: those of CH-SIMS where `high` is 1, else MOSI's."""

    low: float = float("-inf")
    high: float = float("inf")
    unit: str = ""
    sentiment: bool = False
    mean: float = 0.0
    scale: float = 1.0

    kind: ClassVar[str] = "regression"
    primary: ClassVar[str] = "mae"
    higher_is_better: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

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
        return np.abs(np.asarray(prediction, np.float64) - target)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import regression_metrics, sentiment_metrics, sims_metrics

        found = regression_metrics(prediction, target)
        if not self.sentiment:
            return found
        return found | (sims_metrics if self.high == 1 else sentiment_metrics)(prediction, target)

    def to_json(self) -> dict[str, Any]:
        finite = {name: end for name, end in (("low", self.low), ("high", self.high)) if np.isfinite(end)}
        named = {"unit": self.unit, "sentiment": self.sentiment, "mean": self.mean, "scale": self.scale}
        return {"kind": self.kind} | finite | named


class OneOf(Task, ABC):
    """A target is the index of one of `count` classes or texts; answers are compared by cross-entropy."""

    discrete: ClassVar[bool] = True

    @property
    def count(self) -> int:
        """How many there are to be right."""
        return self.outputs

    def fit(self, targets: Array) -> "OneOf":
        return self

    def check(self, targets: Array) -> None:
        wrong = (targets < 0) | (targets >= self.count)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"class index {targets[row]} in labelled row {row}: expected 0..{self.count - 1}")

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """Cross-entropy of each row, in nats."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, target, reduction="none")

    def decode(self, logits: "Tensor") -> "Tensor":
        """Probabilities; of one branch that searches, what it alone would say of the class."""
        return logits.softmax(dim=-1)


@dataclass(frozen=True)
class Classification(OneOf):
    """One of C named classes; targets are indices into `classes`."""

    classes: tuple[str, ...] = ()

    kind: ClassVar[str] = "classification"
    primary: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    classed: ClassVar[bool] = True

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def per_row(self, prediction: Array, target: Array) -> Array:
        return (prediction.argmax(axis=-1) == target).astype(np.float64)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import classification_metrics

        return classification_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes)}


@dataclass(frozen=True)
class Retrieval(OneOf):
    """Find the rows of the same class through another modality; targets are indices into `classes`.

    branches: the modalities that search and are searched, M of them; empty in a corpus, where a student's modalities are meant.
    space: where they meet. The "probabilities" of the classes less 1/C (their cosine is then a correlation), centred
    "log_probabilities", or the "hidden" embedding before the head.
    A prediction is `[N M D]`, NaN where a row lacks that branch.
    """

    classes: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    space: Space = "probabilities"

    kind: ClassVar[str] = "retrieval"
    primary: ClassVar[str] = "map"
    higher_is_better: ClassVar[bool] = True
    classed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise ValueError(f"space {self.space!r} given; choose from {', '.join(get_args(Space))}")
        if len(self.branches) == 1 or len(set(self.branches)) < len(self.branches):
            raise ValueError(f"branches {', '.join(self.branches)} given; retrieval needs two modalities or more, each once")

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def embed(self, logits: "Tensor", embedding: "Tensor | None") -> "Tensor":
        """One branch's place `[B D]` in the common space; runs inside its exported graph."""
        if self.space == "hidden":
            if embedding is None:
                raise ValueError("the hidden space needs a model's embedding, and this one gives none; choose a space of classes")
            return embedding
        shares = logits.softmax(dim=-1) if self.space == "probabilities" else logits.log_softmax(dim=-1)
        return shares - shares.mean(dim=-1, keepdim=True)

    def answered(self, prediction: Array) -> Array:
        here, absent = np.isfinite(prediction), np.isnan(prediction)
        whole = np.asarray(here.all(axis=2) | absent.all(axis=2))
        return np.asarray(whole.all(axis=1) & here.any(axis=(1, 2)))

    def per_row(self, prediction: Array, target: Array) -> Array:
        """The AP of each row as a query against all rows, averaged over the directions; NaN where nothing is relevant to it."""
        from understudy.evaluate.retrieval import mean_ap_of_rows

        return mean_ap_of_rows(np.asarray(prediction, np.float64), target)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.retrieval import retrieval_metrics

        return retrieval_metrics(prediction, target, self.branches)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes), "branches": list(self.branches), "space": self.space}


@dataclass(frozen=True)
class Choice(OneOf):
    """Which of K texts is right. A model gives each of them one logit, together `[B K]`; targets are positions 0..K-1."""

    choices: int = 0

    kind: ClassVar[str] = "choice"
    primary: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.choices < 2:
            raise ValueError(f"choices={self.choices} given; there must be at least 2 to choose from")

    @property
    def outputs(self) -> int:
        return 1

    @property
    def count(self) -> int:
        return self.choices

    def per_row(self, prediction: Array, target: Array) -> Array:
        return (prediction.argmax(axis=-1) == target).astype(np.float64)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import choice_metrics

        return choice_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "choices": self.choices}


@dataclass(frozen=True)
class MultiLabel(Task):
    """Answers that several people gave, each with a soft target and a credit: see `entries`.

    entries: E, the most classes that one row names. A prediction is one probability a class, apart from the others; a model
    that must say one class says the likeliest. accuracy: the mean credit of that.
    """

    classes: tuple[str, ...] = ()
    entries: int = 0

    kind: ClassVar[str] = "multilabel"
    primary: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    discrete: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes) or self.entries < 1:
            raise ValueError(
                f"{len(self.classes)} classes ({len(set(self.classes))} different), entries={self.entries} given; "
                "expected at least 2 different classes, and entries of at least 1"
            )

    @property
    def outputs(self) -> int:
        return len(self.classes)

    @property
    def filler(self) -> Array:
        return np.full((self.entries, 3), NONE, np.float32)

    def collate(self, target: Array) -> Array:
        """Soft targets `[B C]` of entries `[B E 3]`."""
        return dense(target, len(self.classes))

    def fit(self, targets: Array) -> "MultiLabel":
        return self

    def check(self, targets: Array) -> None:
        check_entries(targets, len(self.classes))

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """Binary cross-entropy, summed over the classes, in nats."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits, target, reduction="none").sum(dim=-1)

    def decode(self, logits: "Tensor") -> "Tensor":
        return logits.sigmoid()

    def answered(self, prediction: Array) -> Array:
        # A sum of shares is finite where all of them are, and needs no second array of thousands of columns.
        return np.isfinite(prediction.sum(axis=1))

    def per_row(self, prediction: Array, target: Array) -> Array:
        """The credit of the likeliest class."""
        return credit(prediction.argmax(axis=-1), target)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.evaluate.metrics import multilabel_metrics

        return multilabel_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes), "entries": self.entries}


def task_from_json(document: Mapping[str, Any]) -> Task:
    """The task that `to_json` wrote; ValueError for anything else."""
    kinds: dict[str, type[Task]] = {t.kind: t for t in (Regression, Classification, Retrieval, Choice, MultiLabel)}
    options = dict(document)
    kind = options.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"unknown task kind {kind!r}; known: {', '.join(kinds)}")
    options |= {name: tuple(options[name]) for name in ("classes", "branches") if name in options}
    try:
        return kinds[kind](**options)
    except TypeError as error:
        raise ValueError(f"task {kind!r} does not take these settings: {error}") from None
