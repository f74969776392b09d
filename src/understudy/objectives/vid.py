"""VID: the teacher's features as a Gaussian around what the student's features predict.

Paper: Ahn, Hu, Damianou, Lawrence, Dai, "Variational Information Distillation for Knowledge Transfer", CVPR 2019, arXiv
1904.05835: -log q(t|s) bounds H(t|s), so making it small makes I(t;s) large. Our form of it: on the embeddings before the heads,
with three linear layers in place of 1 x 1 convolutions; per-feature variance, its start and the mean over features as in the
RepDistiller code.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from understudy.batches.batch import Batch, Output
from understudy.objectives.feature import embeddings
from understudy.objectives.objective import Objective, Term, over

FLOOR = 1e-5
"""The least variance, in squared feature units."""


def gaussian_cost(
    target: Float[Tensor, "B D"], mean: Float[Tensor, "B D"], variance: Float[Tensor, " D"]
) -> Float[Tensor, "B D"]:
    """-log N(target; mean, variance) of each feature in nats, less log(2 pi) / 2; below 0 where the variance is below 1."""
    return ((target - mean).square() / variance + variance.log()) / 2


class Variance(nn.Module):
    """A variance for each of `width` features: softplus above a floor, `start` at first."""

    def __init__(self, width: int, *, start: float) -> None:
        super().__init__()
        if not FLOOR < start < math.inf:
            raise ValueError(f"variance {start} given; it must be a finite number above {FLOOR}")
        above = start - FLOOR
        self.raw = nn.Parameter(torch.full((width,), above + math.log(-math.expm1(-above))))

    def forward(self) -> Float[Tensor, " D"]:
        return softplus(self.raw.float()) + FLOOR


class VID(Objective):
    """Mean over the teacher's features of their Gaussian cost given the student's, in nats; may be negative.

    variance: at the start, in squared feature units of the teacher. Three layers and the variances train with the student and are
    left behind at export.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(self, student_width: int, teacher_width: int, *, variance: float = 5.0) -> None:
        super().__init__()
        self.mean = nn.Sequential(
            nn.Linear(student_width, teacher_width, bias=False),
            nn.ReLU(),
            nn.Linear(teacher_width, teacher_width, bias=False),
            nn.ReLU(),
            nn.Linear(teacher_width, teacher_width, bias=False),
        )
        self.variance = Variance(teacher_width, start=variance)

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, target = embeddings(student, teacher)
        mean = self.mean(ours).float()
        return over(rows, gaussian_cost(target, mean, self.variance()).mean(dim=1))
