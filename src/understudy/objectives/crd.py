"""CRD: a row's two embeddings against thousands of others', remembered in a bank for each side.

Paper: Tian, Krishnan, Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv 1910.10699. Settings as in the code of
RepDistiller: cosine over a temperature of linear projections, the normaliser fixed by the first batch, momentum banks, the same
negatives for both sides, from other classes. Ours: negatives are drawn evenly with replacement; the loss is the mean of both
sides (theirs is the sum) less log K, so that with `contrast="instances"` it is minus a bound on the mutual information in nats,
which lies about one nat below it even at best; no epsilon in the logarithms.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.infonce import Sphere
from understudy.objectives.negatives import WORD, drawn, negative_cost, scrambled
from understudy.objectives.objective import Known, Objective, Term, check_counts, check_temperature, exactly, over, unit

Contrast = Literal["classes", "instances"]
Positive = Literal["exact", "relax"]


class Seen(NamedTuple):
    """What a step has to remember of a batch: bank places (-1 = none), both sides, and the normaliser in use."""

    place: Tensor
    left: Tensor
    right: Tensor
    level: Tensor


class CRD(Objective):
    """Tell a row's other side from `negatives` remembered ones; nats, least where the two sides tell most of each other.

    Call `meet` with the training rows before training, and `update` after each step.
    contrast: "classes" draws negatives from other classes, holds labelled rows only and is no clean bound; "instances" from all
    other rows. positive: the row itself ("exact"), or a random one of its class ("relax", with classes only). negatives: K, at
    most the bank's rows less one; a row with fewer than K to draw from gets some of them more than once. momentum: in [0, 1),
    what a bank row keeps. detach_left, detach_right: whether that player takes no gradient; the projections always do.
    """

    counts = "rows where both players are valid and that are in the bank; contrast='classes' banks labelled rows only"

    left_bank: Tensor
    right_bank: Tensor
    level: Tensor
    steps: Tensor
    salt: Tensor
    first: Tensor
    length: Tensor

    def __init__(
        self,
        left_width: int,
        right_width: int,
        *,
        dimension: int = 128,
        temperature: float = 0.07,
        negatives: int = 4096,
        momentum: float = 0.5,
        contrast: Contrast = "classes",
        positive: Positive = "exact",
        detach_left: bool = False,
        detach_right: bool = False,
    ) -> None:
        super().__init__()
        check_temperature(temperature, usual="0.07 to 0.1")
        check_counts(negatives=negatives)
        check_momentum(momentum)
        if contrast not in get_args(Contrast) or positive not in get_args(Positive):
            raise ValueError(
                f"contrast {contrast!r}, positive {positive!r} given; {get_args(Contrast)}, {get_args(Positive)} exist"
            )
        if positive == "relax" and contrast == "instances":
            raise ValueError("positive='relax' takes a row of the same class, so it needs contrast='classes'")
        self.temperature, self.negatives, self.momentum = temperature, negatives, momentum
        self.contrast: Contrast = contrast
        self.positive: Positive = positive
        self.detach_left, self.detach_right = detach_left, detach_right
        self.left, self.right = Sphere(left_width, dimension), Sphere(right_width, dimension)
        self.place: dict[str, int] = {}
        self.seen: list[Seen] = []
        self.register_buffer("salt", torch.randint(WORD, ()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        # NaN: not fixed yet.
        self.register_buffer("level", torch.full((2,), math.nan))
        self.fixed = False
        self.register_load_state_dict_post_hook(look)

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        """Make the banks: a random row on the sphere for each id, or for each labelled one, ordered by class.

        Rows that never come are negatives that never change. ValueError where nothing is left to tell apart, or for an id given
        twice.
        """
        if len(set(ids)) < len(ids):
            raise ValueError(f"{len(ids) - len(set(ids))} ids are given twice; a bank has one row for each id")
        if self.contrast == "classes":
            order, first, length = by_class(target, labelled)
        else:
            order = np.arange(len(ids))
            first, length = order, np.ones_like(order)
        if len(order) < 2:
            raise ValueError(f"{len(order)} row for a bank given; it needs two at least, one to tell the other from")
        self.place = dict.fromkeys(ids, -1) | {ids[row]: place for place, row in enumerate(order.tolist())}
        device, dimension = self.salt.device, self.left.projection.out_features
        draw = torch.Generator().manual_seed(int(self.salt))
        for name in ("left_bank", "right_bank"):
            bank = torch.rand(len(order), dimension, generator=draw) * 2 - 1
            self.register_buffer(name, unit(bank).to(device))
        self.register_buffer("first", torch.from_numpy(first).to(device), persistent=False)
        self.register_buffer("length", torch.from_numpy(length).to(device), persistent=False)

    def forward(self, batch: Batch, left: Output, right: Output) -> Term:
        place = self.places(batch)
        rows = left.valid & right.valid & (place >= 0)
        u, v = self.left(rows, left, detach=self.detach_left), self.right(rows, right, detach=self.detach_right)
        known = place.clamp(min=0)
        positives, negatives = self.draw(known)
        sides = ((u, self.right_bank), (v, self.left_bank))
        level = self.level if self.fixed else torch.stack([self.measured(*side, rows, positives, negatives) for side in sides])
        if self.training and torch.is_grad_enabled():
            self.seen.append(Seen(place.where(rows, -1), u.detach(), v.detach(), level))
        costs = [self.cost(*side, positives, negatives, each) for side, each in zip(sides, level, strict=True)]
        return over(rows, (costs[0] + costs[1]) / 2 - math.log(negatives.shape[1]))

    @torch.no_grad()
    def ceiling(self, batch: Batch, left: Output, right: Output) -> Term:
        """The most that each row can show, in nats: log K."""
        rows = left.valid & right.valid & (self.places(batch) >= 0)
        return over(rows, torch.full(rows.shape, math.log(self.drawn), device=rows.device))

    @property
    def drawn(self) -> int:
        """K as it is: at most the bank's rows less one."""
        return min(self.negatives, len(self.left_bank) - 1)

    def places(self, batch: Batch) -> Int[Tensor, " B"]:
        """Bank rows of a batch, -1 for ids that were met without a label; KeyError for one that was not met."""
        if not self.place:
            raise ValueError("CRD has no bank yet; call meet() with the training rows first")
        unknown = [each for each in batch.id if each not in self.place]
        if unknown:
            raise KeyError(f"row {unknown[0]!r} has no place in the bank of {len(self.place)} ids; meet() all training rows")
        return torch.tensor([self.place[each] for each in batch.id], dtype=torch.long, device=batch.labelled.device)

    def draw(self, place: Int[Tensor, " B"]) -> tuple[Int[Tensor, " B"], Int[Tensor, "B K"]]:
        """Bank rows of the positive and of K negatives, from (salt, step, place) alone."""
        size = len(self.left_bank)
        seed = scrambled((self.salt + scrambled(self.steps)) & WORD)
        keys = scrambled((seed + torch.arange(3, device=place.device)) & WORD)
        table = scrambled((keys[0] + torch.arange(self.drawn, device=place.device)) & WORD)
        offset, pick = (scrambled((key + place) & WORD) for key in keys[1:])
        first, length = self.first[place], self.length[place]
        positives = first + ((pick * length) >> 32) if self.positive == "relax" else place
        return positives, drawn(table, offset, first, length, size)

    def cost(self, anchors: Tensor, bank: Tensor, positives: Tensor, negatives: Tensor, level: Tensor) -> Float[Tensor, " B"]:
        """-log h of the positive less log(1 - h) of each negative, h = e / (e + K), e = exp(score / temperature) / exp(level)."""
        shift = level + math.log(negatives.shape[1])
        own = (anchors * bank[positives]).sum(dim=1) / self.temperature - shift
        sloped = torch.is_grad_enabled() and anchors.requires_grad
        rest = negative_cost(anchors, bank, negatives, shift, temperature=self.temperature, sloped=sloped)
        return softplus(-own) + Known.apply(anchors, *rest)

    @torch.no_grad()
    def measured(self, anchors: Tensor, bank: Tensor, rows: Tensor, positives: Tensor, negatives: Tensor) -> Float[Tensor, ""]:
        """log of the mean of exp(score / temperature) over all pairs of the rows that count, in all processes; 0 with none."""
        pairs = torch.cat([positives[:, None], negatives], dim=1)
        with exactly(anchors):
            scores = (anchors @ bank.T).gather(1, pairs) / self.temperature
        of_row, counted = gathered(scores.logsumexp(dim=1)), gathered(rows)
        total = of_row.masked_fill(~counted, -math.inf).logsumexp(dim=0)
        return (total - (counted.sum() * pairs.shape[1]).log()).where(counted.any(), 0.0)

    @torch.no_grad()
    def update(self) -> None:
        """Move the bank rows of the batches since the last update, of all processes; the first one fixes the normaliser."""
        for each in self.seen:
            place, left, right = gathered(each.place), gathered(each.left), gathered(each.right)
            known = place >= 0
            for bank, side in ((self.left_bank, left), (self.right_bank, right)):
                bank[place[known]] = unit(bank[place[known]].lerp(side[known], 1 - self.momentum))
            if not self.fixed and known.any():
                self.level.copy_(each.level)
                self.fixed = True
        self.seen.clear()
        self.steps += 1


def by_class(target: NDArray[Any], labelled: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The labelled rows ordered by class, and where the class of each begins and how long it is; ValueError for less than two."""
    if not np.issubdtype(target.dtype, np.integer):
        raise ValueError("contrast='classes' needs classes, and the target is a number; use contrast='instances'")
    rows = np.flatnonzero(labelled)
    order = rows[np.argsort(target[rows], kind="stable")]
    _, first, index, length = np.unique(target[order], return_index=True, return_inverse=True, return_counts=True)
    if len(first) < 2:
        raise ValueError(f"the {len(order)} labelled rows are of {len(first)} class; use contrast='instances' to tell rows apart")
    return order, first[index], length[index]


def check_momentum(momentum: float) -> None:
    """ValueError for what a bank row cannot keep."""
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum {momentum} given; it must be in [0, 1), 0 keeps nothing")


def look(crd: CRD, keys: Any) -> None:
    """After a state was loaded: whether its normaliser is fixed."""
    crd.fixed = not bool(crd.level.isnan().any())
