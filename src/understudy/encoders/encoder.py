"""The abstract Encoder, and what it returns."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from understudy.batches.batch import Fields, Tokens
from understudy.prepare.view import View


class Encoded(NamedTuple):
    """One vector a row, and one a token where the encoder has tokens."""

    pooled: Float[Tensor, "B D"]
    tokens: Tokens | None = None


class Encoder(nn.Module, ABC):
    """Turns the fields of its `view` into vectors. Finite on all-zero fields with an all-False mask.

    No layer may mix rows (no BatchNorm): an absent row's filler must not influence another row.
    """

    view: View
    """Fitted; the loader prepares it, the artifact ships it."""
    width: int
    """D of `pooled`."""
    fine_tuned: bool = False
    """Whether weights of it came from elsewhere."""
    located: bool = False
    """Whether its tokens say where in a picture they lie."""

    @abstractmethod
    def forward(self, fields: Fields) -> Encoded: ...

    def published(self) -> Iterator[nn.Parameter]:
        """The parameters that take the plan's `pretrained_rate`."""
        return iter(self.parameters() if self.fine_tuned else ())


def keep_statistics(module: nn.Module) -> None:
    """Every BatchNorm in it answers by the statistics that it has, in training too: those of a batch would mix rows."""
    for each in module.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):
            each.eval()
