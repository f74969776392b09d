"""One of C named classes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from understudy.tasks.task import Array, OneOf


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
        from understudy.tasks.metrics import classification_metrics

        return classification_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes)}
