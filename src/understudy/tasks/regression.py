"""One real number, and the field's sentiment scores."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from understudy.tasks.task import Array, Task

if TYPE_CHECKING:
    from torch import Tensor


BLURRED = 1e-4
"""Float32's error of a target, in deviations, from which on targets are float64."""


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
    judges: ClassVar[Mapping[str, bool]] = {"mae": False, "mse": False}
    discrete: ClassVar[bool] = False

    @property
    def double(self) -> bool:
        """So it is where the deviation is small beside the mean, as of a time in seconds: 1.7e9 +- 30 is one float32."""
        return abs(self.mean) * 2.0**-24 > BLURRED * self.scale

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
        return (logits[:, 0] - ((target - self.mean) / self.scale).to(logits.dtype)).abs()

    def decode(self, logits: "Tensor") -> "Tensor":
        if not self.double:
            return logits[:, 0] * self.scale + self.mean
        import torch

        # As tensors, since an exporter writes plain numbers in single precision.
        mean, scale = torch.tensor([self.mean, self.scale], dtype=torch.float64, device=logits.device)
        return logits[:, 0].double() * scale + mean

    def per_row(self, prediction: Array, target: Array) -> Array:
        size = np.abs(np.asarray(prediction, np.float64) - target)
        return size if self.primary == "mae" else size**2

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.tasks.metrics import regression_metrics, sentiment_metrics, sims_metrics

        found = regression_metrics(prediction, target)
        if self.primary == "mse":
            found = {"mse": found["rmse"] ** 2} | found
        if not self.sentiment:
            return found
        return found | (sims_metrics if self.high == 1 else sentiment_metrics)(prediction, target)

    def to_json(self) -> dict[str, Any]:
        finite = {name: end for name, end in (("low", self.low), ("high", self.high)) if np.isfinite(end)}
        named = {"unit": self.unit, "sentiment": self.sentiment, "mean": self.mean, "scale": self.scale}
        return {"kind": self.kind} | finite | named | self.said
