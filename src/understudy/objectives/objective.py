"""The abstract Objective, and the Term that every objective returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batch import Batch, Output


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


def over(rows: Bool[Tensor, " B"], loss: Float[Tensor, " B"]) -> Term:
    """The Term of per-row losses over `rows`; other rows, even NaN ones, change neither value nor gradient.

    (A gradient of 0 through NaN is NaN: objectives therefore pick or fill their rows *before* the mathematics with `only`.)
    """
    return Term(loss.where(rows, 0.0).sum(), rows.sum().to(loss.dtype))


def only(rows: Bool[Tensor, " B"], values: Tensor) -> Tensor:
    """`values` with the rows that do not count set to 0, so that nothing of them reaches value or gradient."""
    return values.where(rows.view(-1, *[1] * (values.ndim - 1)), values.new_zeros(()))


def shared(rows: Bool[Tensor, " B"], everyone: Bool[Tensor, " N"], total: Float[Tensor, ""]) -> Term:
    """The Term of a whole batch whose `total` every process has over the rows of `everyone`: this process's share of it.

    Shares go by own `rows`, so that sums over the processes are those of one process with all rows, gradients too.
    """
    own = rows.sum().to(total.dtype)
    return Term(total * (own / everyone.sum().clamp(min=1)), own)


class Objective(nn.Module, ABC):
    """`forward(batch, *outputs) -> Term`. Holds no model; its own layers are left behind at export.

    Losses are computed in float32 whatever the outputs are in. With no row to count, the sum is 0 with a gradient.
    """

    counts: str
    """One line: which rows it counts."""

    @abstractmethod
    def forward(self, *args, **kwargs) -> Term: ...
