"""Probabilistic knowledge transfer: who is near whom, as probabilities, as the teacher has it.

Paper: Passalis, Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018, arXiv 1803.10837. Our
form of it: cosine kernel, KL divergence, on the embeddings before the heads; a row is no neighbour of itself, and each row's
divergence counts whole.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Known, Objective, Term, exactly, only, shared
from understudy.objectives.rkd import everywhere

LEAST = 1e-6
"""Added to every similarity, so that opposite rows have a finite logarithm."""


def similarities(directions: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """(cosine + 1) / 2 of each pair, and LEAST; 0 of a row with itself."""
    least = directions.new_full((1, 1), 0.5 + LEAST)
    return torch.addmm(least, directions, directions.T, alpha=0.5).fill_diagonal_(0)


@torch.no_grad()
def neighbour_divergence(
    student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "B D"]]:
    """Sum over i and j, two of `rows`, of p_t(j|i) log(p_t(j|i) / p_s(j|i)) in nats, and its gradient in the student's points."""
    counted, inverse = rows.float(), inverse_lengths(student)
    directions = student * inverse
    ours, theirs = similarities(directions), similarities(teacher * inverse_lengths(teacher))
    # Next to nothing instead of 0 for a row without another, which is divided by and counts as 0.
    nothing = counted.new_full((1,), 1e-12)
    our_sum, their_sum = (torch.addmv(nothing, near, counted) for near in (ours, theirs))
    ratio = (theirs / ours).fill_diagonal_(1)
    total = (theirs.mul_(ratio.log()) @ counted).div_(their_sum).add_((our_sum / their_sum).log_()) @ counted
    slope = ratio.mul_((counted / their_sum)[:, None]).sub_((counted / our_sum)[:, None]).fill_diagonal_(0)
    turn = torch.addmm(directions, slope + slope.T, directions, beta=0, alpha=-0.5)
    along = (turn * directions).sum(dim=1, keepdim=True)
    return total, turn.addcmul_(along, directions, value=-1).mul_(inverse)


def inverse_lengths(points: Float[Tensor, "B D"]) -> Float[Tensor, "B 1"]:
    """1 / length of each row; 0 for a row of zeros, which so has direction 0 and takes no gradient."""
    lengths = torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return lengths.reciprocal_().nan_to_num_(nan=torch.nan, posinf=0.0)


class PKT(Objective):
    """The divergence between the teacher's neighbourhoods and the student's, in nats; rows of all processes."""

    counts = "rows where both the student and the teacher are valid, one without another as 0; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher)
        with exactly(ours):
            found = neighbour_divergence(only(everyone, ours.detach()), theirs, everyone)
        return shared(rows, everyone, Known.apply(ours, *found))
