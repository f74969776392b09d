"""The abstract Head, which turns what was encoded and fused into logits, and the linear one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Tokens
from understudy.encoders.encoder import Encoded

Features = dict[str, Tensor]
"""Declared name -> tensor with B first, which an `Output` carries for the objectives that need it."""


class Head(nn.Module, ABC):
    """From the fused embedding, and from each modality's own vector and tokens where it wants them.

    No layer may mix rows, and an absent modality says nothing: its vector is 0 and its tokens are masked, or it is missing
    from `encoded` altogether.
    """

    @abstractmethod
    def forward(
        self, embedding: Float[Tensor, "B D"], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> tuple[Float[Tensor, "B C"], Features]:
        """Logits of the task and the features that this head declares."""


class LinearHead(nn.Sequential, Head):  # pyright: ignore[reportIncompatibleVariableOverride]
    """Dropout and a linear layer on the fused embedding."""

    def __init__(self, width: int, outputs: int, *, dropout: float) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, outputs))

    def forward(self, embedding, encoded, present) -> tuple[Tensor, Features]:  # pyright: ignore
        return super().forward(embedding), {}


def visible(encoded: Encoded, present: Bool[Tensor, " B"]) -> Encoded:
    """`encoded` with nothing left of the rows where it is absent."""
    tokens = encoded.tokens
    if tokens is not None:
        values = tokens.values.where(present[:, None, None], 0.0)
        tokens = Tokens(values, tokens.mask & present[:, None], tokens.spans)
    return Encoded(encoded.pooled.where(present[:, None], 0.0), tokens)
