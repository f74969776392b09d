"""Probabilistic knowledge transfer: who is near whom, as probabilities, as the teacher has it.

Paper: Passalis, Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018, arXiv 1803.10837. Our
form of it: cosine kernel, KL divergence, on the embeddings before the heads; a row is no neighbour of itself, and each row's
divergence counts whole.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, shared
from understudy.objectives.rkd import everywhere, pairs_of

LEAST = 1e-6
"""Added to every similarity, so that opposite rows have a finite logarithm."""


def unit(values: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
    """Each row over its length; a row of zeros stays one."""
    squares = values.square().sum(dim=-1, keepdim=True)
    return values * squares.where(squares > 0, 1.0).rsqrt()


def similarities(points: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """(cosine + 1) / 2 of each pair, and LEAST."""
    directions = unit(points)
    return (directions / 2) @ directions.T + (0.5 + LEAST)


def neighbour_divergence(
    student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Sum over j of p_t(j|i) log(p_t(j|i) / p_s(j|i)) in nats, i and j two of `rows`; 0 for a row without another."""
    pairs = pairs_of(rows).float()
    ours, theirs = similarities(student), similarities(teacher)
    near = theirs * pairs
    our_sum, their_sum = ((ours * pairs).sum(dim=1).clamp(min=LEAST / 2), near.sum(dim=1).clamp(min=LEAST / 2))
    return (near * (theirs / ours).log()).sum(dim=1) / their_sum + (our_sum / their_sum).log()


class PKT(Objective):
    """The divergence between the teacher's neighbourhoods and the student's, in nats; rows of all processes."""

    counts = "rows where both the student and the teacher are valid, if there are two; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher, least=2)
        return shared(rows, everyone, neighbour_divergence(ours, theirs, everyone).sum())
