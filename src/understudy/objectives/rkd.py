"""Relational knowledge distillation: the distances between rows, and the angles of their triangles, as the teacher has them.

Paper: Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068. Our form of it, on the embeddings
before the heads. An angle is had from three distances (law of cosines) and its gradient in the same pass, a few rows at a time,
so that memory grows with B^2 and not with B^3.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from understudy.batch import Batch, Output
from understudy.gather import gathered
from understudy.objectives.feature import embeddings
from understudy.objectives.objective import Objective, Term, shared

CHUNK = 2**18
"""Angles held at once: 1 MB, which stays in a processor's cache."""


def pairs_of(rows: Bool[Tensor, " B"]) -> Bool[Tensor, "B B"]:
    """Which pairs are of two different rows that both count."""
    return rows[:, None] & rows & ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)


def squared_distances(points: Float[Tensor, "B D"]) -> Float[Tensor, "B B"]:
    """Squared Euclidean distances; 0 without a gradient between rows that are equal up to the rounding of float32."""
    # In float64, where the difference of nearly equal rows survives the products.
    wide = points.double()
    products = wide @ wide.T
    norms = products.diagonal()
    sizes = norms[:, None] + norms
    squares = sizes - 2 * products
    return squares.where(squares > 1e-12 * sizes, 0.0).float()


def relative_distances(squares: Float[Tensor, "B B"], pairs: Bool[Tensor, "B B"]) -> Float[Tensor, "B B"]:
    """Distances over the mean of those above 0; 0 where there is no pair. Rotation, translation and scale change nothing."""
    apart = pairs & (squares > 0)
    distances = squares.where(apart, 1.0).sqrt().where(apart, 0.0)
    mean = distances.sum() / apart.sum().clamp(min=1)
    return distances / mean.where(mean > 0, 1.0)


def distance_difference(
    student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """Of each of `rows`, the mean over its pairs with others of the Huber distance between relative distances."""
    pairs = pairs_of(rows)
    ours, theirs = (relative_distances(squared_distances(points), pairs) for points in (student, teacher))
    return smooth_l1_loss(ours, theirs, reduction="none").sum(dim=1) / (rows.sum() - 1).clamp(min=1)


def angle_difference(student: Float[Tensor, "B D"], teacher: Float[Tensor, "B E"], rows: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    """Sum over `rows` of the mean, over the triangles that a row makes with two others, of the Huber distance of its cosines."""
    total = AngleDifference.apply(squared_distances(student), squared_distances(teacher), pairs_of(rows))
    others = rows.sum() - 1
    return total / (others * (others - 1)).clamp(min=1)


def inverse_distances(squares: Float[Tensor, "B B"], pairs: Bool[Tensor, "B B"]) -> Float[Tensor, "B B"]:
    """1 / distance; 0 where there is no pair or no distance."""
    apart = pairs & (squares > 0)
    return squares.where(apart, 1.0).rsqrt().where(apart, 0.0)


def cosines(squares: Float[Tensor, "B B"], inverse: Float[Tensor, "B B"], at: slice) -> Float[Tensor, "J B B"]:
    """Of the angle at j between i and k: (s_ji + s_jk - s_ik) / (2 d_ji d_jk), for the rows j of `at`; 0 beside equal rows."""
    arms, scale = squares[at], inverse[at]
    found = (arms[:, :, None] + arms[:, None, :]).sub_(squares)
    return found.mul_(scale[:, :, None]).mul_(scale[:, None, :] / 2)


class AngleDifference(torch.autograd.Function):
    """Sum over all triangles of the Huber distance of their cosines, from the squared distances of student and teacher.

    The gradient of the angle (j; i, k), g = dL / dcos, goes with v = 1 / d to s_ji and s_jk as g (v_ji v_jk - cos v_ji^2) / 2 and
    likewise, and to s_ik as -g v_ji v_jk / 2.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, pairs: Tensor) -> Tensor:
        """The sum; its gradient is kept."""
        ours, theirs = inverse_distances(student, pairs), inverse_distances(teacher, pairs)
        total, slope = student.new_zeros(()), torch.zeros_like(student)
        step = max(1, CHUNK // max(1, len(student)) ** 2)
        for at in (slice(first, first + step) for first in range(0, len(student), step)):
            cosine = cosines(student, ours, at)
            difference = cosine - cosines(teacher, theirs, at)
            difference.diagonal(dim1=1, dim2=2).zero_()
            pull = difference.clamp(-1, 1)
            total += pull.flatten() @ (difference - pull / 2).flatten()
            inverse = ours[at]
            turned = (pull * cosine).sum(dim=2) * inverse
            pull.mul_(inverse[:, :, None]).mul_(inverse[:, None, :])
            slope[at] += pull.sum(dim=2) - turned * inverse
            slope -= pull.sum(dim=0) / 2
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """With respect to the student's squared distances alone."""
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None


class RelationalDistance(Objective):
    """The student's relative distances between rows are pulled towards the teacher's (Huber, no unit); rows of all processes."""

    counts = "rows where both the student and the teacher are valid, if there are two; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher, least=2)
        return shared(rows, everyone, distance_difference(ours, theirs, everyone).sum())


class RelationalAngle(Objective):
    """The cosines of the angles between rows are pulled towards the teacher's (Huber, no unit); rows of all processes."""

    counts = "rows where both the student and the teacher are valid, if there are three; labels are ignored"

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, everyone, ours, theirs = everywhere(student, teacher, least=3)
        return shared(rows, everyone, angle_difference(ours, theirs, everyone))


def everywhere(student: Output, teacher: Output, *, least: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Own rows that count, and those of all processes with both embeddings; none counts where there are fewer than `least`."""
    rows, ours, theirs = embeddings(student, teacher)
    everyone = gathered(rows)
    enough = everyone.sum() >= least
    return rows & enough, everyone & enough, gathered(ours), gathered(theirs)
