"""Alignment: only rows whose classes two players rank alike teach, and only about the classes beside the target.

Paper: Huo et al., "C2KD: Bridging the Modality Gap for Cross-Modal Knowledge Distillation", CVPR 2024. Our form of it:
Kendall's tau-b of both logits, all rows at once instead of row by row; the target's logit is left out, not set to 0; a row that
is not chosen counts as 0, so that the term says how much is taught.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.dkd import non_target_divergence
from understudy.objectives.kd import answers
from understudy.objectives.objective import Objective, Term, check_temperature, only, over

CHUNK = 2**22
"""Pairs of classes held at once."""


def kendall_tau(one: Float[Tensor, "B C"], two: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
    """Kendall's tau-b of each row, in [-1, 1]: 1 = the same order, -1 = reversed; NaN where either is constant, as in SciPy."""
    step = max(1, CHUNK // max(1, one.shape[1]) ** 2)
    return torch.cat([tau_of(a, b) for a, b in zip(one.split(step), two.split(step), strict=True)])


def tau_of(one: Float[Tensor, "B C"], two: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
    """The same, all pairs at once."""
    # Whole numbers below 2^24 are exact in float32, whatever their order.
    ours, theirs = ((x[:, :, None] - x[:, None, :]).sign().flatten(1) for x in (one, two))
    agreed = (ours * theirs).sum(dim=1)
    return agreed / (ours.abs().sum(dim=1) * theirs.abs().sum(dim=1)).sqrt()


class AlignedKD(Objective):
    """T^2 * KL(n_t || n_s) over the classes beside the target, in nats, of rows whose rankings agree by more than `threshold`.

    threshold: of Kendall's tau-b over all classes, in [-1, 1]; at 1 no row teaches. A constant ranking agrees with none.
    temperature: above 0.
    """

    counts = "labelled rows where both the student and the teacher are valid"

    def __init__(self, *, threshold: float = 0.0, temperature: float = 1.0) -> None:
        super().__init__()
        check_temperature(temperature, usual="1 to 4")
        if not -1 <= threshold <= 1:
            raise ValueError(f"threshold {threshold} given; Kendall's tau lies in [-1, 1]")
        self.threshold, self.temperature = threshold, temperature

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, labelled=batch.labelled)
        loss = non_target_divergence(ours, theirs, only(rows, batch.target), temperature=self.temperature)
        return over(rows, only(self.aligned(ours, theirs), loss))

    def aligned(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Bool[Tensor, " B"]:
        """Which rows teach."""
        return kendall_tau(student.detach(), teacher.detach()) > self.threshold
