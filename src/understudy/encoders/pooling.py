"""Pooling of steps or tokens that leaves the padding out."""

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(values: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B D"]:
    """Mean over the steps in the mask; 0 where there is none."""
    steps = mask.sum(dim=1, keepdim=True).clamp_min(1).to(values.dtype)
    return values.where(mask[:, :, None], 0.0).sum(dim=1) / steps


def attended(mask: Bool[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
    """The mask for attention: a row without any step attends to its filler, since a softmax over nothing is NaN."""
    return mask | ~mask.any(dim=1, keepdim=True)
