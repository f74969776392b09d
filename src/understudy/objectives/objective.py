"""The abstract Objective, and the Term that every objective returns."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output

OUT = -1e30
"""The logit of a class or a row that is left out: its probability is exactly 0, and nothing is infinite."""
SHORTEST = 1e-12
"""The length of a row up to which it has no direction."""


class Term(NamedTuple):
    """A sum over rows and the number of rows in it; `fit` divides by the count over all processes and micro-batches."""

    total: Float[Tensor, ""]
    count: Float[Tensor, ""]  # pyright: ignore[reportIncompatibleMethodOverride]  (nobody counts the items of a Term)

    def times(self, weight: float) -> "Term":
        """The term weighted: the sum changes, the number of rows does not."""
        return Term(self.total * weight, self.count)


def together(terms: Sequence[Term]) -> Term:
    """One term over the rows of all: what each branch of a student adds."""
    first, *others = terms
    for term in others:
        first = Term(first.total + term.total, first.count + term.count)
    return first


def summed(objective: Callable[..., Term], answers: Sequence[tuple[Batch, Output]], *others: Output) -> Term:
    """One term over all branches of a player: what it is shown of a batch, and what it says of that."""
    return together([objective(seen, answer, *others) for seen, answer in answers])


def over(rows: Bool[Tensor, " B"], loss: Float[Tensor, " B"], weight: Float[Tensor, " B"] | None = None) -> Term:
    """The Term of per-row losses over `rows`; other rows, even NaN ones, change neither value nor gradient.

    weight: how often each row counts; a row of weight 2 is two rows.

    (A gradient of 0 through NaN is NaN: objectives therefore pick or fill their rows *before* the mathematics with `only`.)
    """
    loss = loss.where(rows, 0.0)
    if weight is None:
        return Term(loss.sum(), rows.sum(dtype=loss.dtype))
    weight = weight.to(loss.dtype)
    return Term((loss * weight).sum(), weight.where(rows, 0.0).sum())


def only(rows: Bool[Tensor, " B"], values: Tensor) -> Tensor:
    """`values` with the rows that do not count set to 0, so that nothing of them reaches value or gradient."""
    return values.where(rows.view(-1, *[1] * (values.ndim - 1)), values.new_zeros(()))


def unit(values: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
    """Each row over its length; one without a direction stays as it is, with a gradient like any other's."""
    lengths = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    return values / lengths.where(lengths > SHORTEST, 1.0)


def levelled(values: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
    """Each row scaled to a mean square of 1, so that neither size nor width matters; one of zeros stays one."""
    return unit(values) * values.shape[-1] ** 0.5


def shared(rows: Bool[Tensor, " B"], everyone: Bool[Tensor, " N"], total: Float[Tensor, ""]) -> Term:
    """The Term of a whole batch whose `total` every process has over the rows of `everyone`: this process's share of it.

    Shares go by own `rows`, so that sums over the processes are those of one process with all rows, gradients too.
    """
    own = rows.sum(dtype=total.dtype)
    return Term(total, own) if everyone is rows else Term(total * (own / everyone.sum().clamp(min=1)), own)


def check_temperature(temperature: float, *, usual: str) -> None:
    """ValueError for anything but a finite number above 0; usual: the range that the error then hints at."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature} given; it must be a finite number above 0 ({usual} is usual)")


def check_counts(**counts: int | float) -> None:
    """ValueError for what is no whole number of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name} {count} given; it must be a whole number, at least 1")


def exactly(values: Tensor) -> AbstractContextManager[object]:
    """Float32 inside, whatever the mixed precision outside: products of whole batches need their digits."""
    device = values.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


class Known(torch.autograd.Function):
    """A loss, one or one a row, whose gradient in `values` was found with it: `Known.apply(values, loss, gradient)`.

    By hand takes fewer passes over memory than recording each step and going back over it. One loss a row must depend on that row
    of `values` alone.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        """The loss as it is."""
        ctx.save_for_backward(gradient)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """With respect to `values` alone."""
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].view(-1, *[1] * (gradient.ndim - 1)), None, None


class Objective(nn.Module, ABC):
    """`forward(batch, *outputs) -> Term`. Holds no model; its own layers are left behind at export.

    Losses are computed in float32 whatever the outputs are in. With no row to count, the sum is 0 with a gradient.
    """

    counts: str
    """One line: which rows it counts."""

    @abstractmethod
    def forward(self, *args, **kwargs) -> Term: ...

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        """The training rows, once before training, for an objective that remembers rows."""

    def update(self) -> None:
        """Once after each step of training, for an objective that remembers rows: `forward` changes nothing that lasts."""
