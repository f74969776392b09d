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

from understudy.batch import Batch, Output
from understudy.objectives.kd import answers, kl_divergence
from understudy.objectives.objective import Objective, Term, only, over


def decoupled(
    student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], target: Int[Tensor, " B"], *, temperature: float
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """T^2 * KL(b_t || b_s) and T^2 * KL(n_t || n_s) in nats, each >= 0, the latter 0 for C = 2; any finite logits are safe."""
    (ours, our_rest), (theirs, their_rest) = (apart(logits / temperature, target) for logits in (student, teacher))
    binary = kl_divergence(ours, theirs, temperature=1.0)
    return binary * temperature**2, kl_divergence(our_rest, their_rest, temperature=1.0) * temperature**2


def apart(logits: Float[Tensor, "B C"], target: Int[Tensor, " B"]) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B R"]]:
    """Logits of the target against all R = C - 1 other classes as one, and those of the other classes."""
    rest = logits.gather(1, others(target, logits.shape[1]))
    return torch.stack([logits.gather(1, target[:, None])[:, 0], rest.logsumexp(dim=1)], dim=1), rest


def others(target: Int[Tensor, " B"], classes: int) -> Int[Tensor, "B R"]:
    """The indices of every class but the target, ascending."""
    index = torch.arange(classes - 1, device=target.device)
    return index + (index >= target[:, None])


def non_target_divergence(
    student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], target: Int[Tensor, " B"], *, temperature: float
) -> Float[Tensor, " B"]:
    """T^2 * KL(n_t || n_s) in nats; the target's logits have no part in it."""
    rest = others(target, student.shape[1])
    return kl_divergence(student.gather(1, rest), teacher.gather(1, rest), temperature=temperature)


class DKD(Objective):
    """KL(b_t || b_s) + beta * KL(n_t || n_s) at `temperature` > 0, in nats. beta: at least 0; 1 to 8 is usual."""

    counts = "labelled rows where both the student and the teacher are valid"

    def __init__(self, *, beta: float = 4.0, temperature: float = 2.0) -> None:
        super().__init__()
        if not 0 <= beta < math.inf or not 0 < temperature < math.inf:
            raise ValueError(f"beta {beta}, temperature {temperature} given; beta must be finite and >= 0, temperature above 0")
        self.beta, self.temperature = beta, temperature

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, labelled=batch.labelled)
        target, non_target = decoupled(ours, theirs, only(rows, batch.target), temperature=self.temperature)
        return over(rows, target + self.beta * non_target)


class NonTargetKD(Objective):
    """The classes beside the target alone: T^2 * KL(n_t || n_s) at `temperature` > 0, in nats."""

    counts = "labelled rows where both the student and the teacher are valid"

    def __init__(self, *, temperature: float = 2.0) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature {temperature} given; it must be a finite number above 0 (1 to 4 is usual)")
        self.temperature = temperature

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, labelled=batch.labelled)
        return over(rows, non_target_divergence(ours, theirs, only(rows, batch.target), temperature=self.temperature))
