"""DKD, RKD and PKT by hand: loss and gradient in the fewest passes over memory that we could write.

No rows are left out, no weights, no edges: what a training loop could use if every row counts and no two are alike.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from understudy.objectives.pkt import LEAST

Answer = tuple[Tensor, Tensor]
"""A loss, a mean over rows, and its gradient in the student's logits or points."""
BETA, TEMPERATURE = 4.0, 2.0
CHUNK = 2**16
"""Angles held at once; fewer and more were slower."""


class ByHand(torch.autograd.Function):
    """The loss, with the gradient that was found with it."""

    @staticmethod
    def forward(ctx: Any, what: Callable[..., Answer], student: Tensor, *others: Tensor) -> Tensor:
        loss, gradient = what(student, *others)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """It is the last step: the gradient from behind is 1."""
        (gradient,) = ctx.saved_tensors
        return None, gradient, *[None] * (len(ctx.needs_input_grad) - 2)


def dkd(student: Tensor, teacher: Tensor, target: Tensor) -> Answer:
    """One log-softmax a side; the mass of the other classes comes out of it."""
    at, rows = target[:, None], len(student)
    sides = []
    for logits in (student, teacher):
        scaled = logits / TEMPERATURE
        own = scaled.gather(1, at)
        rest = scaled.scatter_(1, at, -1e30).log_softmax(dim=1)
        mass = scaled.amax(dim=1, keepdim=True) - rest.amax(dim=1, keepdim=True)
        sides.append((rest, torch.cat([own, mass], dim=1).log_softmax(dim=1)))
    (log_q, log_b), (log_p, log_a) = sides
    p, a = log_p.exp(), log_a.exp()
    loss = (a * (log_a - log_b)).sum() + BETA * torch.dot(p.flatten(), log_p.sub_(log_q).flatten())
    change = log_b.exp_().sub_(a)
    gradient = log_q.exp_().mul_(change[:, 1:] + BETA).sub_(p, alpha=BETA).scatter_(1, at, change[:, :1])
    return loss * (TEMPERATURE**2 / rows), gradient.mul_(TEMPERATURE / rows)


def rkd(student: Tensor, teacher: Tensor) -> Answer:
    """Distances and angles together: one gradient in the squared distances, and one product from there to the points."""
    rows = len(student)
    ours, theirs = squares(student), squares(teacher)
    pairs, d, e = rows * (rows - 1), ours.sqrt(), theirs.sqrt()
    mean = d.sum() / pairs
    v, w = (x.clone().fill_diagonal_(1).reciprocal_().fill_diagonal_(0) for x in (d, e))
    wrong = d / mean - e.mul_(pairs / e.sum())
    pull = wrong.clamp(-1, 1)
    loss = torch.dot(pull.flatten(), wrong.sub_(pull, alpha=0.5).flatten()) / pairs
    shift = torch.dot(pull.flatten(), d.flatten()) / (mean * pairs)
    slope = pull.sub_(shift).mul_(v).mul_(1 / (2 * mean * pairs))
    total, turns = angles(ours, theirs, v, w)
    triangles = pairs * (rows - 2)
    slope.add_(turns, alpha=1 / triangles)
    both = slope + slope.T
    gradient = (student * both.sum(dim=1, keepdim=True)).addmm_(both, student, alpha=-1).mul_(2)
    return loss + total / triangles, gradient


def squares(points: Tensor) -> Tensor:
    """Squared distances in float32 throughout: rows that are nearly alike would lose digits."""
    norms = points.square().sum(dim=1)
    return torch.addmm(norms[:, None] + norms, points, points.T, alpha=-2).clamp_(min=0).fill_diagonal_(0)


def angles(ours: Tensor, theirs: Tensor, v: Tensor, w: Tensor) -> Answer:
    """The sum over triangles and its gradient in the squared distances; v and w are inverse distances."""
    rows = len(ours)
    step = max(1, CHUNK // rows**2)
    cosine, other, slope = torch.empty(step, rows, rows), torch.empty(step, rows, rows), torch.zeros_like(ours)
    total = torch.zeros(())
    for first in range(0, rows, step):
        at = slice(first, min(first + step, rows))
        own, inverse, far, off = ours[at], v[at], theirs[at], w[at]
        c, x = cosine[: len(own)], other[: len(own)]
        torch.add(own[:, :, None], own[:, None, :], out=c).sub_(ours).mul_(inverse[:, :, None] / 2).mul_(inverse[:, None, :])
        torch.add(far[:, :, None], far[:, None, :], out=x).sub_(theirs).mul_(off[:, :, None] / 2).mul_(off[:, None, :])
        torch.sub(c, x, out=x).diagonal(dim1=1, dim2=2).zero_()
        g = x.clamp(-1, 1)
        total += torch.dot(g.flatten(), x.sub_(g, alpha=0.5).flatten())
        turned = c.mul_(g).sum(dim=2)
        g.mul_(inverse[:, :, None]).mul_(inverse[:, None, :])
        slope[at] += torch.addcmul(g.sum(dim=2), turned, inverse.square(), value=-1)
        slope.sub_(g.sum(dim=0), alpha=0.5)
    return total, slope


def pkt(student: Tensor, teacher: Tensor) -> Answer:
    """One product a side, and one back."""
    rows = len(student)
    lengths = torch.linalg.vector_norm(student, dim=1, keepdim=True)
    units = student / lengths
    near = []
    for points in (units, teacher / torch.linalg.vector_norm(teacher, dim=1, keepdim=True)):
        near.append(torch.addmm(points.new_full((1, 1), 0.5 + LEAST), points, points.T, alpha=0.5).fill_diagonal_(0))
    ours, theirs = near
    sums, others = ours.sum(dim=1), theirs.sum(dim=1)
    ratio = (theirs / ours).fill_diagonal_(1)
    loss = (theirs.mul_(ratio.log()).sum(dim=1).div_(others) + (sums / others).log_()).sum() / rows
    slope = ratio.mul_((-1 / others)[:, None]).add_((1 / sums)[:, None]).fill_diagonal_(0)
    turn = (slope + slope.T).mul_(0.5 / rows) @ units
    along = (turn * units).sum(dim=1, keepdim=True)
    return loss, turn.addcmul_(along, units, value=-1).div_(lengths)
