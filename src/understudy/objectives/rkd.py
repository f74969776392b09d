"""Relational knowledge distillation: the distances between rows, and the angles of their triangles, as the teacher has them.

Paper: Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068. Our form of it, on the embeddings
before the heads. An angle is had from three distances (law of cosines) and its gradient in the same pass, a few rows at a time,
so that memory grows with B^2 and not with B^3.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.gather import gathered
from understudy.objectives.objective import Known, Objective, Term, exactly, only, shared

CHUNK = 2**16
"""Angles held at once: 256 kB, which stay in a processor's cache."""
Found = tuple[Tensor, Tensor]
"""A sum and its gradient in the squared distances `[B B]` of the student's rows."""


def squared_distances(points: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """Squared Euclidean distances; exactly 0 between rows that are equal up to the rounding of float32."""
    # In float64, where the difference of nearly equal rows survives the products.
    wide = points.double()
    products = wide @ wide.T
    norms = products.diagonal()
    sizes = norms[:, None] + norms
    squares = torch.sub(sizes, products, alpha=2)
    return squares.masked_fill_(squares <= sizes.mul_(1e-12), 0.0).float()


def slope_of(squares: Float[Tensor, "B B"], points: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
    """From a gradient in squared distances, `squares`, to that in `points`."""
    wide, both = points.double(), squares.double()
    both = both + both.T
    return (wide * both.sum(dim=1, keepdim=True)).addmm_(both, wide, alpha=-1).mul_(2).float()


def inverse_distances(squares: Float[Tensor, "B B"], counted: Float[Tensor, " B"]) -> Float[Tensor, "B B"]:
    """1 / distance of two rows that count (1, not 0); 0 where they do not, or are equal."""
    return squares.rsqrt().masked_fill_(squares == 0, 0.0).mul_(counted[:, None]).mul_(counted)


def distance_difference(student: Tensor, teacher: Tensor, ours: Tensor, theirs: Tensor) -> Found:
    """Sum over pairs of the Huber difference of distances over the mean of those above 0, from squared and inverse ones `[B B]`.

    Rotation, translation and scale of either side change nothing.
    """
    distances, mean, count = relative(student, ours)
    wrong = torch.sub(distances, relative(teacher, theirs)[0])
    pull = wrong.clamp(-1, 1)
    # Each distance also moves the mean.
    shift = (pull.flatten() @ distances.flatten()) / count
    return huber(wrong, pull), (pull - shift).mul_(ours).div_(2 * mean)


def relative(squares: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances over their mean, that mean, and how many are above 0."""
    distances = squares * inverse
    count = inverse.count_nonzero().clamp(min=1)
    mean = distances.sum() / count
    mean = mean.where(mean > 0, 1.0)
    return distances.div_(mean), mean, count


def huber(wrong: Tensor, pull: Tensor) -> Float[Tensor, ""]:
    """Sum of the Huber distances of the differences `wrong`, which are used up; `pull` is their slopes, from -1 to 1."""
    return pull.flatten() @ wrong.sub_(pull, alpha=0.5).flatten()


def angle_difference(student: Tensor, teacher: Tensor, ours: Tensor, theirs: Tensor) -> Found:
    """Sum over triangles of the Huber difference of the cosine at each of their rows, from squared and inverse distances `[B B]`.

    With v = 1 / d and g = dL / dcos, the angle at j between i and k moves s_ji by g (v_ji v_jk - cos v_ji^2) / 2, s_jk likewise,
    and s_ik by -g v_ji v_jk / 2.
    """
    size = len(student)
    step = max(1, CHUNK // max(1, size) ** 2)
    held = student.new_empty(2, min(step, size), size, size)
    total, slope = student.new_zeros(()), torch.zeros_like(student)
    for at in (slice(first, min(first + step, size)) for first in range(0, size, step)):
        inverse = ours[at]
        cosine, wrong = held[0, : len(inverse)], held[1, : len(inverse)]
        cosines(student, ours, at, out=cosine)
        cosines(teacher, theirs, at, out=wrong)
        torch.sub(cosine, wrong, out=wrong).diagonal(dim1=1, dim2=2).zero_()
        pull = wrong.clamp(-1, 1)
        total += huber(wrong, pull)
        turned = cosine.mul_(pull).sum(dim=2)
        pull.mul_(inverse[:, :, None]).mul_(inverse[:, None, :])
        slope[at] += pull.sum(dim=2).addcmul_(turned, inverse.square(), value=-1)
        slope.sub_(pull.sum(dim=0), alpha=0.5)
    return total, slope


def cosines(squares: Tensor, inverse: Tensor, at: slice, *, out: Tensor) -> None:
    """Of the angle at j between i and k: (s_ji + s_jk - s_ik) / (2 d_ji d_jk), for the rows j of `at`; 0 beside equal rows."""
    arms, half = squares[at], inverse[at] / 2
    torch.add(arms[:, :, None], arms[:, None, :], out=out)
    out.sub_(squares).mul_(half[:, :, None]).mul_(inverse[at][:, None, :])


class RKD(Objective):
    """distance * relative distances + angle * cosines of angles, each the mean Huber difference from the teacher's; no unit.

    distance, angle: at least 0; what has weight 0 is left out. Relations are those between the rows of all processes.
    """

    counts = "rows where both the student and the teacher are valid, one without others as 0; labels are ignored"

    def __init__(self, *, distance: float = 25.0, angle: float = 50.0) -> None:
        super().__init__()
        if not (0 <= distance < float("inf") and 0 <= angle < float("inf")):
            raise ValueError(f"distance {distance}, angle {angle} given; both must be finite and at least 0")
        self.distance, self.angle = distance, angle

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher)
        with exactly(ours):
            found = self.difference(only(everyone, ours.detach()), theirs, everyone)
        return shared(rows, everyone, Known.apply(ours, *found))

    @torch.no_grad()
    def difference(self, student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]) -> Found:
        """The sum over `rows`, and its gradient in the student's points; 0 elsewhere."""
        counted = rows.float()
        given = [squared_distances(points) for points in (student, teacher)]
        given += [inverse_distances(squares, counted) for squares in given]
        others = (counted.sum() - 1).clamp(min=1)
        total, slope = student.new_zeros(()), torch.zeros_like(given[0])
        for weight, share, part in (
            (self.distance, 1 / others, distance_difference),
            (self.angle, 1 / (others * (others - 1).clamp(min=1)), angle_difference),
        ):
            if weight:
                found, pull = part(*given)
                total, slope = total + found * (weight * share), slope.addcmul_(pull, weight * share)
        return total, slope_of(slope, student)


def everywhere(
    student: Output, teacher: Output
) -> tuple[Bool[Tensor, " B"], Bool[Tensor, " N"], Float[Tensor, "N D"], Float[Tensor, "N E"]]:
    """The rows that both see; of all processes, the same, the student's embeddings, and the teacher's with 0 in other rows.

    The student's hold whatever stands in other rows: clean them with `only`. Their gradient has to be 0 there.
    """
    rows = student.valid & teacher.valid
    everyone, theirs = gathered(rows), gathered(teacher.need("embedding").detach().float())
    return rows, everyone, gathered(student.need("embedding").float()), only(everyone, theirs)
