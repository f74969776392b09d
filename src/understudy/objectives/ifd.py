"""Information flow: who is near whom at one layer, as probabilities under two kernels, as the teacher has it at its own.

Paper: Passalis, Tzelepi, Tefas, "Heterogeneous Knowledge Distillation using Information Flow Modeling", CVPR 2020.
Our form of it: kernels and divergence are those of its published code; a row is no neighbour of itself, and a row's divergence
counts whole, where the code means over all pairs and keeps the diagonal.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.objective import Known, Objective, Term, exactly, only, shared
from understudy.objectives.pkt import inverse_lengths, similarities
from understudy.objectives.rkd import inverse_distances, slope_of, squared_distances

Kernel = Literal["combined", "cosine", "student_t"]
Divergence = Literal["jeffreys", "kl"]
Found = tuple[Float[Tensor, ""], Float[Tensor, "B D"]]


def divergence_of(ours: Tensor, theirs: Tensor, counted: Float[Tensor, " B"], *, divergence: Divergence) -> tuple[Tensor, Tensor]:
    """Sum over rows of KL(p_t || p_s) or of Jeffreys' divergence, in nats, and its gradient in the student's kernel `ours` [B B].

    p of a row: its kernel over the sum of it, among the rows that are counted; kernels are 0 on the diagonal and positive beside.
    """
    # Next to nothing instead of 0 for a row without another, which is divided by and counts as 0.
    nothing = counted.new_full((1,), 1e-12)
    our_sum, their_sum = (torch.addmv(nothing, near, counted)[:, None] for near in (ours, theirs))
    p, t = ours / our_sum, theirs / their_sum
    ratio = (t / p).fill_diagonal_(1)
    log = ratio.log()
    away = t - p if divergence == "jeffreys" else t
    total = counted @ (away * log) @ counted
    slope = (1 - log - ratio if divergence == "jeffreys" else -ratio).mul_(counted)
    slope = (slope - (p * slope).sum(dim=1, keepdim=True)).mul_(counted).mul_(counted[:, None] / our_sum)
    return total, slope.fill_diagonal_(0)


def by_cosine(student: Tensor, teacher: Tensor, counted: Tensor, *, divergence: Divergence) -> Found:
    """Under (cosine + 1) / 2: turning and scaling either side changes nothing."""
    inverse = inverse_lengths(student)
    directions = student * inverse
    kernels = similarities(directions), similarities(teacher * inverse_lengths(teacher))
    total, slope = divergence_of(*kernels, counted, divergence=divergence)
    turn = torch.addmm(directions, slope + slope.T, directions, beta=0, alpha=0.5)
    along = (turn * directions).sum(dim=1, keepdim=True)
    return total, turn.addcmul_(along, directions, value=-1).mul_(inverse)


def by_distance(student: Tensor, teacher: Tensor, counted: Tensor, *, divergence: Divergence) -> Found:
    """Under 1 / (1 + distance), Student's t of one degree: turning and moving either side changes nothing."""
    squares = [squared_distances(points) for points in (student, teacher)]
    ours, theirs = ((1 + each.sqrt()).reciprocal_().fill_diagonal_(0) for each in squares)
    total, slope = divergence_of(ours, theirs, counted, divergence=divergence)
    slope.mul_(ours.square_()).mul_(inverse_distances(squares[0], torch.ones_like(counted))).mul_(-0.5)
    return total, slope_of(slope, student)


@torch.no_grad()
def flow_difference(
    student: Float[Tensor, "B D"],
    teacher: Float[Tensor, "B E"],
    rows: Bool[Tensor, " B"],
    *,
    kernel: Kernel,
    divergence: Divergence,
) -> Found:
    """The sum over `rows`, and its gradient in the student's points; of "combined", both kernels' divergences added."""
    counted, total, slope = rows.float(), student.new_zeros(()), torch.zeros_like(student)
    for name, under in (("cosine", by_cosine), ("student_t", by_distance)):
        if kernel in (name, "combined"):
            found, pull = under(student, teacher, counted, divergence=divergence)
            total, slope = total + found, slope + pull
    return total, slope


class IFD(Objective):
    """The divergence between the neighbourhoods at one layer of the student and one of the teacher; rows of all processes.

    ours, theirs: what is said of the two layers, "embedding" or a feature's name; a row where either is all 0 lacks it. kernel,
    divergence: of the published code; "kl" under "cosine" is PKT.
    """

    counts = "rows where both the student and the teacher are valid, one without another as 0; labels are ignored"

    def __init__(
        self,
        *,
        ours: str = "embedding",
        theirs: str = "embedding",
        kernel: Kernel = "combined",
        divergence: Divergence = "jeffreys",
    ) -> None:
        super().__init__()
        check_flow(kernel, divergence)
        self.ours, self.theirs = ours, theirs
        self.kernel: Kernel = kernel
        self.divergence: Divergence = divergence

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        if self.ours not in ("embedding", *student.features):
            # A branch of another modality has no such layer.
            logits = only(student.valid, student.need("logits").float())
            return Term(logits.sum() * 0, logits.new_zeros(()))
        ours, theirs = student.need(self.ours).float(), teacher.need(self.theirs).detach().float()
        rows = student.valid & teacher.valid
        if self.ours != "embedding":
            rows = rows & theirs.any(dim=1) & ours.detach().any(dim=1)
        everyone, theirs, ours = gathered(rows), gathered(theirs), gathered(ours)
        with exactly(ours):
            clean = only(everyone, ours.detach()), only(everyone, theirs)
            found = flow_difference(*clean, everyone, kernel=self.kernel, divergence=self.divergence)
        return shared(rows, everyone, Known.apply(ours, *found))


def check_flow(kernel: str, divergence: str) -> None:
    """ValueError for a kernel or a divergence that there is not."""
    for what, given, known in (("kernel", kernel, Kernel), ("divergence", divergence, Divergence)):
        if given not in get_args(known):
            raise ValueError(f"{what} {given!r} given; choose from {', '.join(get_args(known))}")


def pairs_by_depth(student: int, teacher: int) -> Sequence[tuple[int, int]]:
    """Of each of the student's layers, counted from 0, the teacher's at the same share of its depth, the last to the last."""
    if not teacher:
        return []
    return [(k, max(0, round((k + 1) * teacher / student) - 1)) for k in range(student)]
