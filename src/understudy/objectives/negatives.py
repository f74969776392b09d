"""Negatives: which rows of a bank a row is told apart from, and what that costs; thousands of them for each row of a batch."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

WORD = 0xFFFFFFFF
CHUNK = 2**20
"""Scores that are worked on at a time: enough that threads rarely wait for each other, few enough for a small memory."""


def scrambled(words: Int[Tensor, "*n"]) -> Int[Tensor, "*n"]:
    """Each of some numbers in [0, 2^32) as another one that looks random: the same on every machine, device and process.

    Wellons' lowbias32 (hash-prospector), a bijection.
    """
    words = ((words ^ (words >> 16)) * 0x7FEB352D) & WORD
    words = ((words ^ (words >> 15)) * 0x846CA68B) & WORD
    return words ^ (words >> 16)


def drawn(
    table: Int[Tensor, " K"], offset: Int[Tensor, " B"], first: Int[Tensor, " B"], length: Int[Tensor, " B"], size: int
) -> Int[Tensor, "B K"]:
    """K bank rows for each row, evenly with replacement from `size` ones less the `length` from `first` on.

    table, offset: random numbers in [0, 2^32). A row's draws are `table` turned by its offset: independent of each other, and any
    one of them of any other row's.
    """
    places = (table + offset[:, None]).bitwise_and_(WORD)
    places.mul_((size - length)[:, None]).bitwise_right_shift_(32)
    # The sign of first - 1 - place, all ones or all zeros, keeps or drops the length: half the passes of a comparison.
    return places.add_((first[:, None] - 1 - places).bitwise_right_shift_(63).bitwise_and_(length[:, None]))


@torch.no_grad()
def negative_cost(
    anchors: Float[Tensor, "B D"],
    bank: Float[Tensor, "M D"],
    negatives: Int[Tensor, "B K"],
    shift: Float[Tensor, ""],
    *,
    temperature: float,
    sloped: bool,
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B D"]]:
    """Sum over a row's negatives of softplus(score / temperature - shift), the cost of taking them for positives; its gradient.

    All B x M scores come from one matrix product and are picked from it, instead of B x K rows of the bank; the gradient likewise
    is one product with the picked weights scattered into place. sloped: False leaves it out, as 0, and so half of the work.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        scores = (anchors / temperature) @ bank.T
        costs = []
        for row, places in zip(*(x.split(max(1, CHUNK // negatives.shape[1])) for x in (scores, negatives)), strict=True):
            picked = row.gather(1, places).sub_(shift)
            costs.append(softplus(picked).sum(dim=1))
            if sloped:
                row.zero_().scatter_add_(1, places, picked.sigmoid_())
        return torch.cat(costs), (scores @ bank).div_(temperature) if sloped else torch.zeros_like(anchors)
