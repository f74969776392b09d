"""Feature regression: the student's embedding, linearly projected, against the teacher's.

Paper: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv 1412.6550. Our form of it: on the embedding before
the head instead of a middle layer, with a linear projection instead of a convolution, trained beside the other terms instead of
in a stage of its own.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, only, over


def mean_squared_difference(projected: Float[Tensor, "B D"], teacher: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
    """Mean over D of the squared difference, in squared feature units; so width does not change the weight."""
    return (projected - teacher).square().mean(dim=-1)


class FeatureRegression(Objective):
    """||P f_s - f_t||^2 / D_t. P, of shape [D_t D_s], trains with the student and is left behind at export."""

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(self, student_width: int, teacher_width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(student_width, teacher_width, bias=False)

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = embeddings(student, teacher)
        return over(rows, mean_squared_difference(self.projection(ours).float(), theirs), batch.weight)


def embeddings(
    student: Output, teacher: Output, *, detach: bool = True
) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B D"], Float[Tensor, "B E"]]:
    """The rows that both see, and both float32 embeddings with 0 elsewhere; detach: the teacher's takes no gradient."""
    rows = student.valid & teacher.valid
    ours, theirs = (only(rows, output.need("embedding").float()) for output in (student, teacher))
    return rows, ours, theirs.detach() if detach else theirs
