"""Decoupled knowledge distillation: the target class against the rest, and the classes of the rest among themselves, apart.

Paper: Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, arXiv 2203.08679. Our form of it: with b = (p_y, 1 - p_y) and
n the softmax over the C - 1 other classes, KL(p_t || p_s) = KL(b_t || b_s) + (1 - p_t[y]) * KL(n_t || n_s); the last factor,
which mutes the other classes where the teacher is sure, becomes a weight of its own. The target's logit is left out of n, not
set to 0.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.kd import answers, kl_divergence, logits_of
from understudy.objectives.objective import OUT, Known, Objective, Term, check_temperature, only, over


@torch.no_grad()
def decoupled(
    student: Float[Tensor, "B C"],
    teacher: Float[Tensor, "B C"],
    target: Int[Tensor, " B"],
    *,
    beta: float,
    temperature: float,
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B C"]]:
    """T^2 * (KL(b_t || b_s) + beta * KL(n_t || n_s)) of each row in nats, and its gradient in the student's logits.

    At least 0; with two classes the second part is 0. Any finite logits are safe.
    """
    (log_q, log_b), (log_p, log_a) = (apart(logits / temperature, target[:, None]) for logits in (student, teacher))
    p, a = log_p.exp(), log_a.exp()
    loss = (a * (log_a - log_b)).sum(dim=1).add_(log_p.sub_(log_q).mul_(p).sum(dim=1), alpha=beta)
    change = log_b.exp_().sub_(a)
    gradient = log_q.exp_().mul_(change[:, 1:] + beta).sub_(p, alpha=beta).scatter_(1, target[:, None], change[:, :1])
    return loss.mul_(temperature**2), gradient.mul_(temperature)


def apart(logits: Float[Tensor, "B C"], target: Int[Tensor, "B 1"]) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B 2"]]:
    """Logarithms of n, with about OUT at the target, and of b; `logits` is used up."""
    own = logits.gather(1, target)
    log_n = logits.scatter_(1, target, OUT).log_softmax(dim=1)
    # What the log-softmax took away is the mass of the others.
    mass = logits.amax(dim=1, keepdim=True).sub_(log_n.amax(dim=1, keepdim=True))
    return log_n, torch.cat([own, mass], dim=1).log_softmax(dim=1)


def non_target_divergence(
    student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], target: Int[Tensor, " B"], *, temperature: float
) -> Float[Tensor, " B"]:
    """T^2 * KL(n_t || n_s) of each row in nats; the target's logits have no part in it."""
    ours, theirs = (logits.scatter(1, target[:, None], OUT) for logits in (student, teacher))
    return kl_divergence(ours, theirs, temperature=temperature)


class DKD(Objective):
    """KL(b_t || b_s) + beta * KL(n_t || n_s) at `temperature` > 0, in nats. beta: at least 0; 1 to 8 is usual."""

    counts = "labelled rows where both the student and the teacher are valid"

    def __init__(self, *, beta: float = 4.0, temperature: float = 2.0) -> None:
        super().__init__()
        if not 0 <= beta < math.inf or not 0 < temperature < math.inf:
            raise ValueError(f"beta {beta}, temperature {temperature} given; beta must be finite and >= 0, temperature above 0")
        self.beta, self.temperature = beta, temperature

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = logits_of(student, teacher)
        rows = rows & batch.labelled
        loss, gradient = decoupled(ours, theirs, only(rows, batch.target), beta=self.beta, temperature=self.temperature)
        # Each row is for itself, so that rows that do not count can be left out afterwards: one pass instead of three.
        total, count = over(rows, loss, batch.weight)
        gradient = gradient if batch.weight is None else gradient * batch.weight[:, None]
        return Term(Known.apply(ours, total, only(rows, gradient)), count)


class NonTargetKD(Objective):
    """The classes beside the target alone: T^2 * KL(n_t || n_s) at `temperature` > 0, in nats."""

    counts = "labelled rows where both the student and the teacher are valid"

    def __init__(self, *, temperature: float = 2.0) -> None:
        super().__init__()
        check_temperature(temperature, usual="1 to 4")
        self.temperature = temperature

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, labelled=batch.labelled)
        return over(rows, non_target_divergence(ours, theirs, only(rows, batch.target), temperature=self.temperature))
