"""Confidence: what validation rows say of how sure an answer is, and what a user may ask of it. No torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.process.document import Shape, refuse_misfit

Array = NDArray[Any]
SMALLEST = 1e-12
"""Of a probability whose logarithm is taken."""
SHAPE: Shape = {"rows": int, "temperature": float, "scores": [float], "edges": [float], "spread": [float]}


@dataclass(frozen=True)
class Wish:
    """What an answer says beside the prediction.

    coverage: a set of classes, or an interval, that holds the truth of this share of rows; 0 asks for none. least: the confidence
    below which there is no prediction, of classes.
    """

    coverage: float = 0.0
    least: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("coverage", self.coverage), ("min_confidence", self.least)):
            if not 0 <= value < 1:
                raise ValueError(f"{name}={value} given; expected a share from 0 up to but not 1, such as 0.9")


NOTHING = Wish()


@dataclass(frozen=True)
class Confidence:
    """Fitted on `rows` validation rows.

    temperature: divides the logarithms of probabilities (Guo et al., ICML 2017). scores: how strange each of those rows was, from
    the least: 1 - the truth's probability (Sadinle et al., JASA 2019), or of numbers |error| / spread (Lei et al., JASA 2018).
    edges, spread: the mean |error| of rows whose prediction is up to each edge, and above the last one.
    """

    rows: int
    temperature: float
    scores: tuple[float, ...]
    edges: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def calibrated(self, probabilities: Array) -> Array:
        """`[N C]` that add to one, in their own type; rows of NaN stay so."""
        if self.temperature == 1:
            return probabilities
        return tempered(probabilities, self.temperature).astype(probabilities.dtype)

    def spreads(self, values: Array) -> Array:
        """The error `[N]` to expect of predicted numbers, in their unit."""
        return np.array(self.spread)[np.searchsorted(self.edges, values)]

    def sureness(self, values: Array) -> Array:
        """`[N]`, the larger the surer: the likeliest class's probability, or the expected error with a minus."""
        return -self.spreads(values) if values.ndim == 1 else values.max(axis=1)

    @property
    def most(self) -> float:
        """The largest coverage that so many rows can promise."""
        return self.rows / (self.rows + 1)

    def bound(self, coverage: float) -> float:
        """The score that the truths of that share of rows like the validation rows do not exceed; ValueError beyond them."""
        place = int(np.ceil(np.round((self.rows + 1) * coverage, 6)))
        if place > self.rows:
            enough = int(np.ceil(np.round(coverage / (1 - coverage), 6)))
            had = f"this artifact had {self.rows}: ask for at most {self.most:.3f}"
            raise ValueError(f"coverage {coverage} needs {enough} validation rows, {had}")
        kept = len(self.scores)
        return self.scores[min(kept - 1, int(np.ceil(place * kept / self.rows)) - 1)]

    def interval(self, values: Array, coverage: float, task: Mapping[str, Any]) -> tuple[Array, Array]:
        """The lower and upper ends `[N]`, within the task's own."""
        reach = self.bound(coverage) * self.spreads(values)
        low, high = task.get("low", -np.inf), task.get("high", np.inf)
        return np.clip(values - reach, low, high), np.clip(values + reach, low, high)

    def sets(self, probabilities: Array, coverage: float) -> NDArray[np.bool_]:
        """Which classes `[N C]` may be the truth; the likeliest always."""
        with np.errstate(invalid="ignore"):
            inside = 1 - probabilities <= self.bound(coverage)
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return inside

    def to_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Confidence":
        """What `to_json` wrote; ValueError for anything else."""
        refuse_misfit(document, SHAPE, "the confidence")
        parts = {name: tuple(document[name]) for name in ("scores", "edges", "spread")}
        found = Confidence(document["rows"], document["temperature"], **parts)
        if (
            not 0 < len(found.scores) <= found.rows
            or not found.temperature > 0
            or len(found.spread) not in (0, len(found.edges) + 1)
        ):
            raise ValueError("the confidence's rows, scores, edges and spreads do not fit together; export the artifact again")
        return found


def tempered(probabilities: Array, temperature: float) -> Array:
    """Softmax of the logarithms over the temperature, in float64."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
