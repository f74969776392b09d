"""Classes of a number: cross-entropy of class logits against the class that a real target falls into.

Paper: Wang, Zeng, Wada, Kurihara, "VideoAdviser", IEEE Access 2023, arXiv 2309.15494: the teacher answers class prompts. That its
classes are trained by cross-entropy, and both rules from a label to its class, are ours; the binned rule is the one of the
CMU-MultimodalSDK README.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, only, over

Rule = Literal["round", "bin"]


def nearest_class(target: Float[Tensor, " B"], anchors: Float[Tensor, " C"]) -> tuple[Int[Tensor, " B"], Bool[Tensor, " B"]]:
    """The class whose anchor is nearest, and whether there is one; anchors -3 to 3 are rounding after clipping.

    Of two as near, the even one in steps of the anchors, as NumPy rounds; with two classes neither, so that 0 is no sentiment.
    """
    away = (target[:, None] - anchors).abs()
    near = away == away.amin(dim=1, keepdim=True)
    if len(anchors) == 2:
        return near.long().argmax(dim=1), near.sum(dim=1) == 1
    odd = (anchors / (anchors[1] - anchors[0])).round().remainder(2)
    return (near.long() * 2 - (near * odd).long()).argmax(dim=1), torch.ones_like(target, dtype=torch.bool)


def binned_class(target: Float[Tensor, " B"], anchors: Float[Tensor, " C"]) -> tuple[Int[Tensor, " B"], Bool[Tensor, " B"]]:
    """The SDK's bins about the middle anchor: only an exact middle is the middle class, all else is rounded away from it."""
    middle = len(anchors) // 2
    steps = (target - anchors[middle]) / (anchors[1] - anchors[0])
    away = (steps.sign() * steps.abs().ceil()).clamp(-middle, middle)
    return away.long() + middle, torch.ones_like(target, dtype=torch.bool)


class ClassCrossEntropy(Objective):
    """Cross-entropy in nats of the feature "classes" `[B C]` against the class of the target.

    anchors: value of each class in the target's unit, ascending. rule: "round" to the nearest anchor, or "bin", for an odd number
    of evenly spaced ones. ValueError otherwise.
    """

    counts = "labelled rows that the model sees; with two classes not those halfway between them"

    anchors: Tensor

    def __init__(self, anchors: Sequence[float], *, rule: Rule = "round") -> None:
        super().__init__()
        values = torch.tensor(anchors, dtype=torch.float32)
        steps = values.diff()
        if len(values) < 2 or not (steps > 0).all():
            raise ValueError(f"anchors {list(anchors)} given; they must ascend, and be two or more")
        if rule not in get_args(Rule):
            raise ValueError(f"class rule {rule!r} given; allowed: {', '.join(get_args(Rule))}")
        if rule == "bin" and (len(values) % 2 == 0 or not torch.allclose(steps, steps[0])):
            raise ValueError(f"class rule 'bin' needs an odd number of evenly spaced anchors; given {list(anchors)}")
        self.rule: Rule = rule
        self.register_buffer("anchors", values, persistent=False)

    def forward(self, batch: Batch, teacher: Output) -> Term:
        logits = teacher.need("classes").float()
        if logits.shape[1] != len(self.anchors):
            raise ValueError(f"{teacher.source} gives {logits.shape[1]} classes; the anchors are {self.anchors.tolist()}")
        rows = batch.labelled & teacher.valid
        known = only(rows, batch.target).float()
        index, sure = (nearest_class if self.rule == "round" else binned_class)(known, self.anchors)
        rows = rows & sure
        return over(rows, cross_entropy(only(rows, logits), index, reduction="none"))
