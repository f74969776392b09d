"""View KD: what the student says of one modality alone, all others blank, is to be what the teacher says of that.

Paper: Jin, Sanjabi, Nie, Tan, Ren, Firooz, "MSD: Saliency-aware Knowledge Distillation for Multimodal Understanding", Findings of
EMNLP 2021, arXiv 2101.01881: an auxiliary term for each modality. All formulas are ours: the paper's own were not at hand.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output, shown
from understudy.objectives.kd import AnswerKD
from understudy.objectives.objective import Objective, Term, only, over


class ViewKD(Objective):
    """The sum over modalities m of weight_m * D(teacher shown m alone, student shown m alone); all modalities in one pass.

    modalities: what both players say something of alone, by `shown`. of: the divergence D of two answers.
    """

    counts = "rows where both the student and the teacher are valid, a modality that a row lacks as 0; labels are ignored"

    def __init__(self, modalities: Sequence[str], of: AnswerKD) -> None:
        super().__init__()
        self.modalities, self.of = tuple(modalities), of

    def losses(self, student: Output, teacher: Output) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B M"]]:
        """The rows that count, and D of each modality: 0 in other rows, and where a row lacks it."""
        rows, names = student.valid & teacher.valid, [shown((m,)) for m in self.modalities]
        ours, theirs = (torch.stack([each.need(name).float() for name in names], dim=1) for each in (student, teacher))
        here = (theirs.any(dim=2) & rows[:, None]).flatten()
        ours, theirs = (only(here, each.flatten(0, 1)) for each in (ours, theirs.detach()))
        return rows, self.of.divergence(ours, theirs).where(here, 0.0).view(len(rows), len(names))

    def forward(self, batch: Batch, student: Output, teacher: Output, weight: Float[Tensor, "B M"] | None = None) -> Term:
        """weight: of each row's modalities; 1 when None."""
        rows, losses = self.losses(student, teacher)
        return over(rows, (losses if weight is None else losses * weight).sum(dim=1), batch.weight)
