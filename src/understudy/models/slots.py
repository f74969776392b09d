"""Slots: modalities that never met join in one space: each is laid out over the same slots, and what is there is added up.

Architecture after Zhang, Doughty, Snoek, "Learning Unseen Modality Interaction", NeurIPS 2023, arXiv 2306.12795; `methods/umi.py`
says what is theirs. The words and the code are ours.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from understudy.encoders.encoder import Encoded
from understudy.encoders.transformer import Transformer
from understudy.models.fusion import Fused, Fusion, as_tokens
from understudy.models.head import Features, Head
from understudy.tasks import Choice, MultiLabel, Task

BRANCHES = (".branch-0", ".branch-1")
"""How the features that hold each branch's own logits are named; no modality is called "", so none of its features is."""
MEAN = ".slots"
"""How the features of a modality that hold the mean of its slots are named; 0 where it is absent."""


class Layout(nn.Module):
    """One modality's tokens, as many as there are, over k slots: F* = P^T E, and a linear layer into the common space.

    Each token's share of each slot is a softmax over the slots of a linear layer on what a transformer makes of the tokens, E.
    """

    def __init__(self, enters: int, *, width: int, slots: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.LayerNorm(enters), nn.Linear(enters, width), nn.LayerNorm(width))
        self.transformer = Transformer(width=width, steps=None, depth=depth, heads=heads, dropout=dropout)
        self.shares = nn.Linear(width, slots)
        self.leave = nn.Linear(width, width)

    def forward(self, values: Float[Tensor, "B T E"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B S D"]:
        """Nothing of a masked token enters."""
        states = self.transformer(self.enter(values.where(mask[:, :, None], 0.0)), mask)
        return self.leave(self.laid(states, mask).transpose(1, 2) @ states)

    def laid(self, states: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B T S"]:
        """P: of each token the shares of the slots, which add up to 1, and to 0 of one that is masked."""
        return self.shares(states).softmax(dim=-1).where(mask[:, :, None], 0.0)


class Slots(Fusion):
    """The sum over the present modalities of their slots, which one transformer reads in two halves that never meet.

    Each half has a [CLS] of its own; the embedding is both of their states side by side. `features` are the mean over the slots
    of each modality's layout. slots: even. A modality whose encoder gives no tokens enters as one, its vector. Where a token
    stands is for its encoder to say. ValueError for slots that two halves cannot share, or a width that the heads do not divide.
    """

    def __init__(
        self, widths: Mapping[str, int], *, width: int, slots: int = 16, depth: int = 2, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__(widths)
        if slots < 2 or slots % 2:
            raise ValueError(f"slots={slots}: expected an even number of at least 2, half of them for each branch")
        self.slots, self.width = slots, 2 * width
        sizes = {"width": width, "depth": depth, "heads": heads, "dropout": dropout}
        self.layouts = nn.ModuleDict({m: Layout(each, slots=slots, **sizes) for m, each in widths.items()})
        self.first = nn.Parameter(torch.randn(2, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(slots, width) * 0.02)
        self.transformer = Transformer(steps=None, **sizes)

    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused:
        rows, width = next(iter(present.values())).shape[0], self.places.shape[1]
        joined, features = self.places.expand(rows, -1, -1), {}
        for modality in self.widths:
            here = present[modality]
            if modality not in encoded:
                features[modality + MEAN] = self.places.new_zeros(rows, width)
                continue
            tokens = as_tokens(encoded[modality])
            laid = self.layouts[modality](tokens.values, tokens.mask & here[:, None]).where(here[:, None, None], 0.0)
            joined = joined + laid
            features[modality + MEAN] = laid.mean(dim=1)
        return Fused(self.read(joined), {}, features)

    def read(self, joined: Float[Tensor, "B S D"]) -> Float[Tensor, "B E"]:
        """Both [CLS], side by side; halves are rows of their own, so that neither can attend to the other."""
        rows, width = joined.shape[0], joined.shape[2]
        halves = torch.cat([self.first.expand(rows, -1, -1, -1), joined.view(rows, 2, -1, width)], dim=2).flatten(0, 1)
        states = self.transformer(halves, torch.ones_like(halves[:, :, 0], dtype=torch.bool))
        return states[:, 0].reshape(rows, -1)


class Branches(Head):
    """A linear layer on each half of the embedding; what is said is the mean of what both say.

    Of probabilities where there are classes, of numbers otherwise. `features` hold each branch's own logits, by `BRANCHES`.
    """

    def __init__(self, task: Task, width: int, *, dropout: float) -> None:
        super().__init__()
        self.task, self.choices = task, task.choices if isinstance(task, Choice) else 0
        self.dropout = nn.Dropout(dropout)
        self.branches = nn.ModuleList(nn.Linear(width // 2, task.outputs) for _ in BRANCHES)

    def forward(
        self, embedding: Float[Tensor, "B D"], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> tuple[Float[Tensor, "B C"], Features]:
        halves = self.dropout(embedding).chunk(2, dim=1)
        one, other = (branch(half) for branch, half in zip(self.branches, halves, strict=True))
        return self.mean(one, other), dict(zip(BRANCHES, (one, other), strict=True))

    def mean(self, one: Float[Tensor, "B C"], other: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """Logits of the mean answer."""
        if self.choices:
            pair = (each.view(-1, self.choices).log_softmax(dim=1).view(-1, 1) for each in (one, other))
            return torch.logaddexp(*pair) - math.log(2)
        if isinstance(self.task, MultiLabel):
            yes = torch.logaddexp(logsigmoid(one), logsigmoid(other))
            return yes - torch.logaddexp(logsigmoid(-one), logsigmoid(-other))
        if self.task.discrete:
            return torch.logaddexp(one.log_softmax(dim=1), other.log_softmax(dim=1)) - math.log(2)
        return (one + other) / 2
