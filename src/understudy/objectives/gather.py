"""Gather: the rows of all processes, for losses of a whole batch; the gradient of a row goes back to the process it came from."""

from typing import Any

import torch
from torch import Tensor, distributed


def gathered(values: Tensor) -> Tensor:
    """The rows of all processes in process order, each process with its own number of them; alone, `values` itself.

    The gradient is that of the sum over all processes of what they make of it: a process that adds up the losses of its own rows
    alone gets the gradient of one process with all rows. Every process has to call this equally often, and to run backward.
    """
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return values
    return Gathered.apply(values)


class Gathered(torch.autograd.Function):
    """Shorter shares are padded for the exchange; the gradient is summed over the processes, and each takes its share."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """All rows."""
        rank, processes = distributed.get_rank(), distributed.get_world_size()
        sizes = torch.zeros(processes, dtype=torch.long, device=values.device)
        sizes[rank] = len(values)
        distributed.all_reduce(sizes)
        counts: list[int] = sizes.tolist()
        padded = values.new_zeros(max(counts), *values.shape[1:])
        padded[: len(values)] = values
        shares = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(shares, padded)
        first = sum(counts[:rank])
        ctx.own = slice(first, first + len(values))
        return torch.cat([share[:count] for share, count in zip(shares, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The own rows' share."""
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[ctx.own]
