"""Which of a row's own K texts is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from understudy.tasks.task import Array, OneOf


@dataclass(frozen=True)
class Choice(OneOf):
    """Which of K texts is right. A model gives each of them one logit, together `[B K]`; targets are positions 0..K-1."""

    choices: int = 0

    kind: ClassVar[str] = "choice"
    judges: ClassVar[Mapping[str, bool]] = {"accuracy": True}

    def __post_init__(self) -> None:
        super().__post_init__()
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
        from understudy.tasks.metrics import choice_metrics

        return choice_metrics(prediction, target)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "choices": self.choices}
