"""Conditional entropy H(teacher | student): how much of the teacher's embedding the student's leaves open.

Paper: Chen, Xing, Wang, Zhang, "Enhanced Multimodal Representation Learning with Cross-modal KD" (AMID), CVPR 2023, arXiv
2306.07646: it is made small by adversarial learning. Their discriminator and bound are unknown to us; all four variants are ours,
`alice` after Li et al., "ALICE", NIPS 2017, arXiv 1709.01215, `gaussian` after VID (arXiv 1904.05835).

alice     (t, t) against (t, G(s)): forces G(s) to be t, so it bounds H(t|s) implicitly
cgan      (s, t) against (s, G(s, z)): closes the gap between p(t|s) and the generator; not the entropy itself
repr_gan  t against G(s): the marginals alone; no bound
gaussian  -log N(t; G(s), variance): an upper bound of H(t|s) in nats, per feature of t
"""

import math
import warnings
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.objectives.adversary import Adversary, network
from understudy.objectives.feature import embeddings
from understudy.objectives.objective import Objective, Term, levelled, over
from understudy.objectives.vid import Variance, gaussian_cost

Game = Literal["alice", "cgan", "repr_gan"]
Variant = Literal[Game, "gaussian"]
LATENT = 16
"""Width of z, the generator's own randomness in `cgan`."""


def gaussian_bound(
    target: Float[Tensor, "B D"], mean: Float[Tensor, "B D"], variance: Float[Tensor, " D"]
) -> Float[Tensor, " B"]:
    """-log N(target; mean, variance) of each row in nats, divided by D: its weight means the same for any width.

    D times its mean is at least H(target | what the mean is made of).
    """
    return gaussian_cost(target, mean, variance).mean(dim=1) + math.log(2 * math.pi) / 2


def sides(
    student: Output, teacher: Output, *, scaled: bool
) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B S"], Float[Tensor, "B T"]]:
    """The rows that count, and both embeddings in float32, 0 elsewhere; scaled: the teacher's levelled, so that
    entropy cannot fall by shrinking, and no side is told by its size.
    """
    rows, s, t = embeddings(student, teacher, detach=False)
    return rows, s, levelled(t) if scaled else t


class AdversarialEntropy(Adversary):
    """A generator G makes the teacher's embedding from the student's, and a discriminator tells it from the real one.

    variant: what the discriminator sees, as above. scaled: bring t and G(s) to a mean square of 1. Others: see `Adversary`.
    """

    def __init__(
        self,
        student_width: int,
        teacher_width: int,
        *,
        variant: Game = "alice",
        hidden: int = 256,
        noise: float = 0.1,
        steepness: float = 1.0,
        scaled: bool = True,
        detach_teacher: bool = True,
    ) -> None:
        if variant not in get_args(Game):
            raise ValueError(f"variant {variant!r} given; choose from {', '.join(get_args(Game))}")
        beside = {"alice": teacher_width, "cgan": student_width, "repr_gan": 0}[variant]
        seen = beside + teacher_width
        super().__init__(seen, hidden=hidden, noise=noise, steepness=steepness, detach_teacher=detach_teacher)
        self.variant: Game = variant
        self.scaled = scaled
        self.generator = network(student_width + (LATENT if variant == "cgan" else 0), teacher_width, hidden)

    def sides(self, student: Output, teacher: Output):
        return sides(student, teacher, scaled=self.scaled)

    def made(self, s: Float[Tensor, "B S"]) -> Float[Tensor, "B T"]:
        """G(s); with `cgan` G(s, z), z Gaussian while training and 0 otherwise."""
        if self.variant == "cgan":
            z = s.new_zeros(len(s), LATENT)
            s = torch.cat([s, torch.randn_like(z) if self.training else z], dim=1)
        made = self.generator(s).float()
        return levelled(made) if self.scaled else made

    def beside(self, s: Float[Tensor, "B S"], t: Float[Tensor, "B T"]) -> list[Float[Tensor, "B _"]]:
        return {"alice": [t], "cgan": [s], "repr_gan": []}[self.variant]


class GaussianEntropy(Objective):
    """An upper bound of H(teacher | student) in nats per feature of the teacher: -log N(t; G(s), variance) / D.

    scaled: bring t to a mean square of 1 first; on that sphere the bound has no floor, and says only which of two students leaves
    less open. variance: at the start. detach_teacher: whether the teacher takes no gradient.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(
        self,
        student_width: int,
        teacher_width: int,
        *,
        hidden: int = 256,
        variance: float = 1.0,
        scaled: bool = True,
        detach_teacher: bool = True,
    ) -> None:
        super().__init__()
        self.scaled, self.detach_teacher = scaled, detach_teacher
        self.generator = network(student_width, teacher_width, hidden)
        self.variance = Variance(teacher_width, start=variance)

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, s, t = sides(student, teacher, scaled=self.scaled)
        t = t.detach() if self.detach_teacher else t
        return over(rows, gaussian_bound(t, self.generator(s).float(), self.variance()))


def conditional_entropy(
    variant: Variant, student_width: int, teacher_width: int, *, noise: float = 0.1, detach_teacher: bool = True
) -> AdversarialEntropy | GaussianEntropy:
    """The objective of a variant; a setting that then has no effect warns."""
    if variant != "gaussian":
        return AdversarialEntropy(student_width, teacher_width, variant=variant, noise=noise, detach_teacher=detach_teacher)
    if noise != 0.1:
        warnings.warn(f"noise {noise} has no effect: the gaussian variant has no discriminator")
    return GaussianEntropy(student_width, teacher_width, detach_teacher=detach_teacher)
