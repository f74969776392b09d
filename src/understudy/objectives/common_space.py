"""Common space: what each modality lays into the space that all share is drawn to one learnt token: that of its row's class.

Paper: after Zhang, Doughty, Snoek, "Learning Unseen Modality Interaction", NeurIPS 2023, arXiv 2306.12795.
Ours: the squared distance is summed over the space and over the modalities that a row has, and a mean over rows.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, only, over
from understudy.tasks import Task

AlignTo = Literal["class", "nearest"]


class CommonSpace(Objective):
    """The sum over `features` x of ||x - u||^2, where u is the token of the row's class, or the one that is nearest to x.

    features: names of vectors of the student, all of this width, 0 where a row lacks what they are of. by: "class" counts
    labelled rows alone, as only these have one, and needs classes; of "nearest" there are `tokens`.
    """

    counts = "rows that the student sees; to classes, labelled ones alone"

    def __init__(self, features: Sequence[str], width: int, task: Task, *, by: AlignTo = "class", tokens: int = 128) -> None:
        super().__init__()
        if by == "class" and not task.classed:
            raise ValueError(f"by 'class' given, but a {task.kind} has no classes; use 'nearest'")
        self.features, self.by = tuple(features), by
        self.tokens = nn.Parameter(torch.randn(task.outputs if by == "class" else tokens, width) * 0.02)

    def forward(self, batch: Batch, student: Output) -> Term:
        rows = student.valid & batch.labelled if self.by == "class" else student.valid
        target = only(rows, batch.target) if self.by == "class" else None
        loss = rows.new_zeros(len(rows), dtype=torch.float32)
        for name in self.features:
            said = only(rows, student.need(name).float())
            place = self.nearest(said) if target is None else target
            away = (said - self.tokens[place]).square().sum(dim=1)
            loss = loss + away.where(said.any(dim=1), 0.0)
        return over(rows, loss, batch.weight)

    @torch.no_grad()
    def nearest(self, said: Float[Tensor, "B D"]) -> Int[Tensor, " B"]:
        """The place of each row's nearest token; of equals the first."""
        return (self.tokens.square().sum(dim=1) - 2 * said @ self.tokens.T).argmin(dim=1)
