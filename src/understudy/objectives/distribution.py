"""Similarity distributions: how a row of one modality spreads over the rows of another, as with the teacher; for retrieval.

Paper: none; our form of what is called similarity-matrix distillation or affinity mimicking: cosines over a temperature,
softmax over rows and over columns, KL divergence of each.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.kd import kl_divergence
from understudy.objectives.objective import OUT, Objective, Term, check_temperature, exactly, only, shared, unit


def spread_divergence(
    student: Float[Tensor, "B B"], teacher: Float[Tensor, "B B"], rows: Bool[Tensor, " B"], *, temperature: float
) -> Float[Tensor, " B"]:
    """T^2 / 2 of the KL divergences, in nats, between the distributions of each row, and of each column, over `rows`."""
    ours, theirs = ((scores / temperature).masked_fill(~(rows[:, None] & rows), OUT) for scores in (student, teacher))
    both = kl_divergence(ours, theirs, temperature=1.0) + kl_divergence(ours.T, theirs.T, temperature=1.0)
    return both * (temperature**2 / 2)


class SimilarityDistribution(Objective):
    """Between cosines of two students' embeddings, left to right, and of two teachers', in nats; rows of all processes.

    A teacher that sees both sides at once stands on both. temperature: of the cosines, above 0; 0.05 to 0.2 is usual.
    """

    counts = "rows where all four are valid; labels are ignored"

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature, usual="0.05 to 0.2")
        self.temperature = temperature

    def forward(self, batch: Batch, left: Output, right: Output, teacher_left: Output, teacher_right: Output) -> Term:
        rows = left.valid & right.valid & teacher_left.valid & teacher_right.valid
        everyone = gathered(rows)
        sides = [unit(gathered(only(rows, side.need("embedding").float()))) for side in (left, right)]
        theirs = [unit(gathered(only(rows, o.need("embedding").detach().float()))) for o in (teacher_left, teacher_right)]
        with exactly(sides[0]):
            scores, wanted = sides[0] @ sides[1].T, theirs[0] @ theirs[1].T
        loss = only(everyone, spread_divergence(scores, wanted, everyone, temperature=self.temperature))
        return shared(rows, everyone, loss.sum())
