"""Gradient: the exact gradient of an update, however its rows are spread over batches and processes."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from understudy.batches.batch import Batch
from understudy.methods.method import Method, Terms
from understudy.training.checkpoint import random_state, set_random_state

Figures = dict[str, tuple[float, float]]
"""term -> (sum, count) over all rows of an update."""


class Gradient:
    """d/dw of the sum over terms of total / count, both taken over all batches of the update and all processes.

    ready: the method as the accelerator prepared it. share: sums a vector over the processes.
    """

    def __init__(
        self, method: Method, ready: nn.Module, accelerator: Accelerator, *, share: Callable[[Tensor], list[float]]
    ) -> None:
        self.method, self.ready, self.accelerator, self.share = method, ready, accelerator, share

    def __call__(self, part: str, window: list[Batch], *, first: int) -> Figures:
        """Add the gradient of `part` over the batches of `window`; {} and no gradient where no row counts.

        first: position of the window's first batch in the whole run; each batch draws its own randomness from its position.
        Raises FloatingPointError for a term that is not finite, before it reaches any gradient.
        """
        alone = len(window) == 1
        said = [self._answer(self.ready, part, window[0], first)] if alone else self._rehearse(part, window, first)
        figures = self._sum(part, said)
        if not any(count for _, count in figures.values()):
            return {}
        # DistributedDataParallel averages gradients over processes; the sum is wanted.
        weights = {name: self.accelerator.num_processes / count if count else 0.0 for name, (_, count) in figures.items()}
        for index, batch in enumerate(window):
            with self._apart(until_last=index < len(window) - 1):
                terms = said[0] if alone else self._answer(self.ready, part, batch, first + index)
                self._backward(terms, weights)
        return figures

    def _answer(self, model: nn.Module, part: str, batch: Batch, position: int) -> Terms:
        self.method.step = position
        return model(batch, part)

    def _rehearse(self, part: str, window: list[Batch], first: int) -> list[Terms]:
        """The terms of each batch without gradient, leaving the random generators as they were: the same draws come again."""
        before = random_state()
        with torch.no_grad():
            said = [self._answer(self.method, part, batch, first + index) for index, batch in enumerate(window)]
        set_random_state(before)
        return said

    def _sum(self, part: str, said: list[Terms]) -> Figures:
        """One transfer to the host: counts decide whether the update happens, and a NaN stops it before it does harm."""
        names = list(said[0])
        if not names:
            raise ValueError(f"the method gave no term for part {part!r}; each part needs one")
        stacked = torch.stack([value.detach() for terms in said for name in names for value in terms[name]])
        values = self.share(stacked.view(len(said), -1).sum(dim=0))
        figures = {name: (values[2 * i], values[2 * i + 1]) for i, name in enumerate(names)}
        for name, (total, _) in figures.items():
            if not math.isfinite(total):
                raise FloatingPointError(f"loss term {name!r} of part {part!r} is {total}")
        return figures

    def _backward(self, terms: Terms, weights: dict[str, float]) -> None:
        """d/dw of the weighted sum, without taking the sum: each term's weight is what its gradient starts from."""
        learnt = {name: term.total for name, term in terms.items() if term.total.requires_grad}
        if not learnt:
            # torch finds nothing wrong with the gradient of nothing, and a part that learns nothing would pass for trained.
            raise RuntimeError(f"no term takes a gradient: {', '.join(terms)}")
        totals, starts = [*learnt.values()], [total.new_tensor(weights[name]) for name, total in learnt.items()]
        scaler = self.accelerator.scaler
        torch.autograd.backward(totals, starts if scaler is None else scaler.scale(starts))

    def _apart(self, *, until_last: bool) -> AbstractContextManager:
        """Gradients of all but the last batch wait, so that the processes exchange them once."""
        return self.accelerator.no_sync(self.ready) if until_last else nullcontext()
