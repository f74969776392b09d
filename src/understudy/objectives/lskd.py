"""Standardised answer distillation: the student's logits against the teacher's, each row of both first brought to one scale.

Paper: Sun, Ren, Li, Wang, Cao, "Logit Standardization in Knowledge Distillation", CVPR 2024, arXiv 2403.01427. Our form of it:
each row less its mean, over its standard deviation (of all C classes; the published code divides by C - 1), then the divergence
of `LogitKD`. A row of equal logits, which has no scale, becomes zeros.
"""

from jaxtyping import Float
from torch import Tensor

from understudy.objectives.kd import SoftenedKD, kl_divergence
from understudy.objectives.objective import levelled


def standardised(logits: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
    """Each row with mean 0 and standard deviation 1."""
    return levelled(logits - logits.mean(dim=-1, keepdim=True))


class LSKD(SoftenedKD):
    """The student's standardised logits are pulled towards the teacher's; size and shift of a row's logits are left free."""

    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        return kl_divergence(standardised(student), standardised(teacher), temperature=self.temperature)
