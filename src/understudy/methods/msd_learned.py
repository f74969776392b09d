"""Weights of MSD that are learned: a small network, and the look-ahead step of the student by which it is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from zlib import crc32

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.objective import Known, Term

Parameters = Mapping[str, Tensor]


class Weigher(nn.Module):
    """Weights in (0, scale) from the saliency of each view and its present loss; all scale / 2 before training."""

    def __init__(self, modalities: int, *, scale: float, width: int = 16) -> None:
        super().__init__()
        self.scale = scale
        last = nn.Linear(width, modalities)
        self.layers = nn.Sequential(nn.Linear(2 * modalities, width), nn.GELU(), last)
        for each in last.parameters():
            nn.init.zeros_(each)

    def forward(self, salient: Float[Tensor, "B M"], losses: Float[Tensor, "B M"]) -> Float[Tensor, "B M"]:
        seen = torch.cat([salient.tanh(), losses.detach().log1p()], dim=1)
        return self.scale * self.layers(seen).float().sigmoid()


def look_ahead(
    student: nn.Module,
    weigher: nn.Module,
    learnt: Callable[[Parameters], Sequence[Term]],
    judged: Callable[[Parameters], Term],
    *,
    rate: float,
) -> Term:
    """`judged` of the student's parameters after one step of gradient descent, at `rate`, on what it learns.

    Its gradient, that of a gradient, is the weigher's alone. learnt: the terms with given parameters, of which the weigher has a
    say, each a mean over the rows of all processes.
    """
    own = [*weigher.parameters()]
    # Fused attention has no second derivative.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        here = {name: p.detach().requires_grad_() for name, p in student.named_parameters() if p.requires_grad}
        totals, counts = zip(*learnt(here), strict=True)
        everyone = gathered(torch.stack(counts)[None]).sum(dim=0).clamp(min=1)
        loss = (torch.stack(totals) / everyone).sum()
        slopes = torch.autograd.grad(loss, [*here.values()], create_graph=True, allow_unused=True, materialize_grads=True)
        slope = gathered(torch.cat([each.flatten() for each in slopes])[None]).sum(dim=0)
        steps = slope.split([each.numel() for each in here.values()])
        after = judged({name: p - rate * step.view_as(p) for (name, p), step in zip(here.items(), steps, strict=True)})
        found = torch.autograd.grad(after.total, own, allow_unused=True, materialize_grads=True)
    flat, gradient = (torch.cat([each.flatten() for each in some]) for some in (own, found))
    return Term(Known.apply(flat, after.total.detach(), gradient), after.count)


def held_out(ids: Sequence[str], share: float) -> Bool[Tensor, " B"]:
    """The rows that are kept back, the same whenever asked: `share` of all ids."""
    return torch.tensor([crc32(key.encode()) < share * 2**32 for key in ids], dtype=torch.bool)


def kept_back(batch: Batch, held: Bool[Tensor, " B"]) -> Batch:
    """The rows that are `held`; without any the first one, unlabelled, since every process has to take part."""
    rows = held.nonzero()[:, 0] if held.any() else torch.zeros(1, dtype=torch.long, device=held.device)
    found = batch.take(rows)
    return replace(found, labelled=found.labelled & held[rows])


def without_rows(output: Output, rows: Bool[Tensor, " B"]) -> Output:
    """As an answer that is valid in none of these rows."""
    return replace(output, valid=output.valid & ~rows)
