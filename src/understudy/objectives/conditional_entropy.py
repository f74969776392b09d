"""Conditional entropy H(teacher | student): how much of the teacher's embedding the student's leaves open.

Paper: Chen, Xing, Wang, Zhang, "Enhanced Multimodal Representation Learning with Cross-modal KD" (AMID), CVPR 2023, arXiv
2306.07646: it is made small by adversarial learning. Their discriminator and bound are unknown to us; all four variants are ours,
`alice` after Li et al., "ALICE", NIPS 2017, arXiv 1709.01215, `gaussian` after VID (arXiv 1904.05835).

alice     (t, t) against (t, G(s)): forces G(s) to be t, so it bounds H(t|s) implicitly
cgan      (s, t) against (s, G(s, z)): closes the gap between p(t|s) and the generator; not the entropy itself
repr_gan  t against G(s): the marginals alone; no bound
gaussian  -log N(t; G(s), variance): an upper bound of H(t|s) in nats
"""

import math
import warnings
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from understudy.batches.batch import Batch, Output
from understudy.objectives.feature import embeddings
from understudy.objectives.objective import Objective, Term, levelled, over
from understudy.objectives.vid import Variance, gaussian_cost

Game = Literal["alice", "cgan", "repr_gan"]
Variant = Literal[Game, "gaussian"]
LATENT = 16
"""Width of z, the generator's own randomness in `cgan`."""


def tells_apart(real: Float[Tensor, " B"], fake: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """The discriminator's loss: cross-entropy in nats of its logits, real to 1 and fake to 0; 2 log 2 where it knows nothing."""
    return softplus(-real) + softplus(fake)


def gaussian_bound(
    target: Float[Tensor, "B D"], mean: Float[Tensor, "B D"], variance: Float[Tensor, " D"]
) -> Float[Tensor, " B"]:
    """-log N(target; mean, variance) of each row in nats; its mean is at least H(target | what the mean is made of)."""
    return (gaussian_cost(target, mean, variance) + math.log(2 * math.pi) / 2).sum(dim=1)


def network(inputs: int, outputs: int, hidden: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def sides(
    student: Output, teacher: Output, *, scaled: bool
) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B S"], Float[Tensor, "B T"]]:
    """The rows that count, and both embeddings in float32, 0 elsewhere; scaled: the teacher's levelled, so that
    entropy cannot fall by shrinking, and no side is told by its size.
    """
    rows, s, t = embeddings(student, teacher, detach=False)
    return rows, s, levelled(t) if scaled else t


class AdversarialEntropy(Objective):
    """A generator G that makes the teacher's embedding from the student's, and a discriminator D that tells it from the real one.

    `critic` is D's loss, with both players and G detached; `forward` is what G and the student pay, with D held still. Train
    `discriminator` in the critic's step, everything else in the main one.
    noise: standard deviation of Gaussian noise, one draw for the real and the made embedding, while training; without it D may
    tell (t, t) by exact equality. scaled: bring t and G(s) to a mean square of 1. detach_teacher: False lets the teacher play
    against D too, with both labels flipped as in ALICE's code.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(
        self,
        student_width: int,
        teacher_width: int,
        *,
        variant: Game = "alice",
        hidden: int = 256,
        noise: float = 0.1,
        scaled: bool = True,
        detach_teacher: bool = True,
    ) -> None:
        super().__init__()
        if variant not in get_args(Game):
            raise ValueError(f"variant {variant!r} given; choose from {', '.join(get_args(Game))}")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise {noise} given; it must be a finite number, at least 0")
        self.variant: Game = variant
        self.noise, self.scaled, self.detach_teacher = noise, scaled, detach_teacher
        self.generator = network(student_width + (LATENT if variant == "cgan" else 0), teacher_width, hidden)
        beside = {"alice": teacher_width, "cgan": student_width, "repr_gan": 0}[variant]
        self.discriminator = network(beside + teacher_width, 1, hidden)

    def critic(self, batch: Batch, student: Output, teacher: Output) -> Term:
        """D's cross-entropy in nats; its gradient reaches D alone."""
        rows, s, t = sides(student, teacher, scaled=self.scaled)
        real, fake = self.seen(s.detach(), t.detach(), self.made(s).detach())
        return over(rows, tells_apart(self.discriminator(real)[:, 0].float(), self.discriminator(fake)[:, 0].float()))

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, s, t = sides(student, teacher, scaled=self.scaled)
        real, fake = self.seen(s, t.detach() if self.detach_teacher else t, self.made(s))
        still = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        cost = softplus(-functional_call(self.discriminator, still, (fake,))[:, 0].float())
        if not self.detach_teacher:
            cost = cost + softplus(functional_call(self.discriminator, still, (real,))[:, 0].float())
        return over(rows, cost)

    def made(self, s: Float[Tensor, "B S"]) -> Float[Tensor, "B T"]:
        """G(s); with `cgan` G(s, z), z Gaussian while training and 0 otherwise."""
        if self.variant == "cgan":
            z = s.new_zeros(len(s), LATENT)
            s = torch.cat([s, torch.randn_like(z) if self.training else z], dim=1)
        made = self.generator(s).float()
        return levelled(made) if self.scaled else made

    def seen(
        self, s: Float[Tensor, "B S"], t: Float[Tensor, "B T"], made: Float[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B P"]]:
        """What D sees of the real and of the made embedding."""
        haze = torch.randn_like(t) * self.noise if self.training and self.noise else torch.zeros_like(t)
        beside = {"alice": [t], "cgan": [s], "repr_gan": []}[self.variant]
        return torch.cat([*beside, t + haze], dim=1), torch.cat([*beside, made + haze], dim=1)


class GaussianEntropy(Objective):
    """An upper bound of H(teacher | student) in nats: -log N(t; G(s), variance), summed over the teacher's features.

    scaled: bring t to a mean square of 1 first; on that sphere the bound has no floor, and says only which of two students leaves
    less open. variance: at the start. detach_teacher: whether the teacher takes no gradient. `critic` is the same bound with both
    players detached: it trains G and the variances alone, and so watches without moving anyone.
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

    def critic(self, batch: Batch, student: Output, teacher: Output) -> Term:
        """The bound; its gradient reaches this objective's own parameters alone."""
        rows, s, t = sides(student, teacher, scaled=self.scaled)
        return over(rows, gaussian_bound(t.detach(), self.generator(s.detach()).float(), self.variance()))

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
