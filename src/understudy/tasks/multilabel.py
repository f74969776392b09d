"""Answers that several people gave, each with its credit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from understudy.tasks.entries import NONE, check_entries, credit, dense
from understudy.tasks.task import Array, Task

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MultiLabel(Task):
    """Answers that several people gave, each with a soft target and a credit: see `entries`.

    entries: E, the most classes that one row names. A prediction is one probability a class, apart from the others; a model
    that must say one class says the likeliest. accuracy: the mean credit of that.
    """

    classes: tuple[str, ...] = ()
    entries: int = 0

    kind: ClassVar[str] = "multilabel"
    judges: ClassVar[Mapping[str, bool]] = {"accuracy": True}
    discrete: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
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
        from understudy.tasks.metrics import multilabel_metrics

        return multilabel_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes), "entries": self.entries}
