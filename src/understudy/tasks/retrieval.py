"""Finding the rows of the same class through another modality."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from understudy.tasks.task import Array, OneOf

if TYPE_CHECKING:
    from torch import Tensor

Space = Literal["probabilities", "log_probabilities", "hidden"]


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
    judges: ClassVar[Mapping[str, bool]] = {"map": True}
    classed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
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
        from understudy.tasks.ranking import mean_ap_of_rows

        return mean_ap_of_rows(np.asarray(prediction, np.float64), target)

    def metrics(self, prediction: Array, target: Array) -> dict[str, float]:
        from understudy.tasks.ranking import retrieval_metrics

        return retrieval_metrics(prediction, target, self.branches)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "classes": list(self.classes), "branches": list(self.branches), "space": self.space}
