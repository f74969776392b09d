"""Similarity preserving: rows that are alike to the teacher are to be alike to the student.

Paper: Tung, Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv 1907.09682. Our form of it: the products of
all embeddings of the batch, each row of them scaled to length 1, compared by squared difference and averaged over all pairs.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, exactly, only, shared, unit
from understudy.objectives.rkd import everywhere


def product_difference(
    student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Of each row, the mean over `rows` of the squared difference of its scaled products; rows that do not count are 0."""
    ours, theirs = (unit(points @ points.T) for points in (student, teacher))
    return (ours - theirs).square().sum(dim=1) / rows.sum().clamp(min=1)


class SimilarityPreserving(Objective):
    """The squared difference of scaled products, without a unit; rows of all processes."""

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher)
        with exactly(ours):
            loss = product_difference(only(everyone, ours), theirs, everyone)
        return shared(rows, everyone, loss.sum())
