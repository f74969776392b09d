"""One of C named classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from understudy.tasks.task import Array, OneOf

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Classification(OneOf):
    """One of C named classes; targets are indices into `classes`.

    balanced: whether each class counts alike in the loss, however many rows are of it; `weights` [C] are then fitted on the
    labelled train rows: rows / (classes that occur * rows of the class). smoothing: of labels in the loss, the share that goes to
    all classes evenly (Szegedy et al., CVPR 2016, arXiv 1512.00567, section 7).
    """

    classes: tuple[str, ...] = ()
    balanced: bool = field(default=False, kw_only=True)
    smoothing: float = field(default=0.0, kw_only=True)
    weights: tuple[float, ...] = field(default=(), kw_only=True)

    kind: ClassVar[str] = "classification"
    judges: ClassVar[Mapping[str, bool]] = {"accuracy": True, "balanced_accuracy": True, "nll": False}
    classed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"label smoothing {self.smoothing} given; it is a share, from 0 to below 1")

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def fit(self, targets: Array) -> "Classification":
        if not self.balanced or not len(targets):
            return self
        count = np.bincount(targets, minlength=self.outputs)
        weights = np.divide(len(targets), (count > 0).sum() * count, out=np.zeros(len(count)), where=count > 0)
        return replace(self, weights=tuple(weights.tolist()))

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        """Cross-entropy of each row, in nats, of smoothed labels and weighted by class where that is asked for."""
        from torch.nn.functional import cross_entropy

        if not self.weights and not self.smoothing:
            return super().loss(logits, target)
        found = cross_entropy(logits, target, reduction="none", label_smoothing=self.smoothing)
        return found * logits.new_tensor(self.weights)[target] if self.weights else found

    def per_row(self, prediction: Array, target: Array) -> Array:
        """The primary metric; of balanced accuracy a row that is right counts as much as its class is rare among these rows."""
        from understudy.tasks.metrics import likelihood_of

        if self.primary == "nll":
            return -np.log(likelihood_of(np.asarray(prediction, np.float64), target))
        right = (prediction.argmax(axis=-1) == target).astype(np.float64)
        if self.primary == "accuracy":
            return right
        count = np.bincount(target, minlength=self.outputs)
        return right * len(target) / ((count > 0).sum() * count[target])

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.tasks.metrics import classification_metrics

        found = classification_metrics(prediction, target)
        return {self.primary: found[self.primary]} | found

    def to_json(self) -> dict[str, Any]:
        loss = {name: getattr(self, name) for name in ("balanced", "smoothing") if getattr(self, name)}
        fitted = {"weights": list(self.weights)} if self.weights else {}
        return {"kind": self.kind, "classes": list(self.classes)} | loss | fitted | self.said
