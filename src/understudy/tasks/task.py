"""Tasks: what is predicted, how it is scored, and which direction is better. No torch at import.

A prediction is what a user gets: a number in the target's own unit `[N]` (regression), class probabilities `[N C]`
(classification, choice: `[N K]`, multilabel), or one embedding for each branch `[N M D]` (retrieval).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]


@dataclass(frozen=True)
class Task(ABC):
    """One prediction target. `primary` is a mean of `per_row`, which makes it ready for paired resampling.

    metric: the primary one, a name of `judges`; the first of them when "". ValueError for any other.
    """

    metric: str = field(default="", kw_only=True)

    kind: ClassVar[str]
    judges: ClassVar[Mapping[str, bool]]
    """The metrics that are means over rows, and whether higher is better."""
    discrete: ClassVar[bool]
    """Whether a target is an index: of a class, or of a row's own choices."""
    classed: ClassVar[bool] = False
    """Whether rows with an equal target are of one class, so that they can be found and contrasted by it."""

    def __post_init__(self) -> None:
        if self.metric and self.metric not in self.judges:
            raise ValueError(
                f"metric {self.metric!r} given; a {self.kind} is chosen and judged by {', '.join(self.judges)}, its metrics that "
                "are means over rows: of others no interval over rows could be drawn"
            )

    @property
    def primary(self) -> str:
        """What selects and judges."""
        return self.metric or next(iter(self.judges))

    @property
    def higher_is_better(self) -> bool:
        """Of the primary metric."""
        return self.judges[self.primary]

    @property
    def sign(self) -> float:
        """What the primary metric is multiplied by so that the larger is the better: 1 or -1."""
        return 1.0 if self.higher_is_better else -1.0

    @property
    def said(self) -> dict[str, Any]:
        """What `to_json` adds where the primary metric is not the usual one."""
        return {"metric": self.metric} if self.metric else {}

    @property
    def double(self) -> bool:
        """Whether targets and predictions need float64, since float32 would blur them."""
        return False

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
        return np.asarray(np.isfinite(prediction).all(axis=tuple(range(1, prediction.ndim))))

    @abstractmethod
    def per_row(self, prediction: Array, target: Array) -> Array:
        """The primary metric of each row `[N]`."""

    @abstractmethod
    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        """Every metric over all rows at once, the primary one first."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...


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
