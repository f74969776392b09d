"""The abstract Adversary: a discriminator that tells the teacher's from what is made of the student's, and is kept from winning.

A discriminator that has won leaves the student no gradient to follow. Three things keep it from that: its slope where the teacher
is costs it (R1, Mescheder, Geiger, Nowozin 2018, arXiv 1801.04406), it is asked to be less than sure of what is real (one-sided
label smoothing, Salimans et al. 2016, arXiv 1606.03498), and it never takes more than one step for one of the student's.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, exactly, over

SURE = 0.9
"""What the discriminator is asked to say of the real: its probability, of which the rest is smoothed away."""


def tells_apart(real: Float[Tensor, " B"], fake: Float[Tensor, " B"], *, sure: float = 1.0) -> Float[Tensor, " B"]:
    """The discriminator's loss: nats of its logits, real to `sure`, fake to 0; 2 log 2 where it knows nothing."""
    return sure * softplus(-real) + (1 - sure) * softplus(real) + softplus(fake)


def network(inputs: int, outputs: int, hidden: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class Adversary(Objective, ABC):
    """A discriminator D that tells (beside, t) from (beside, what is made of s).

    `critic` is D's loss, with everything else detached; `forward` is what the student's side pays, with D held still. Train
    `discriminator` in the critic's step, everything else in the main one.
    inputs: numbers that D sees. noise: standard deviation of Gaussian noise, one draw for the real and the made, while training;
    without it D may tell (t, t) by exact equality. steepness: weight of R1, half the squared gradient of D's logit at the real.
    detach_teacher: False lets the teacher play against D too, with both labels flipped as in ALICE's code.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(self, inputs: int, *, hidden: int, noise: float, steepness: float, detach_teacher: bool) -> None:
        super().__init__()
        if not (0 <= noise < math.inf and 0 <= steepness < math.inf):
            raise ValueError(f"noise {noise}, steepness {steepness} given; they must be finite numbers, at least 0")
        self.noise, self.steepness, self.detach_teacher = noise, steepness, detach_teacher
        self.discriminator = network(inputs, 1, hidden)

    @abstractmethod
    def sides(self, student: Output, teacher: Output) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B S"], Float[Tensor, "B T"]]:
        """The rows that count, and what both say in float32, 0 elsewhere."""

    @abstractmethod
    def made(self, s: Float[Tensor, "B S"]) -> Float[Tensor, "B T"]:
        """What is to be taken for the teacher's."""

    @abstractmethod
    def beside(self, s: Float[Tensor, "B S"], t: Float[Tensor, "B T"]) -> list[Float[Tensor, "B _"]]:
        """What D sees beside the real and the made."""

    def critic(self, batch: Batch, student: Output, teacher: Output) -> Term:
        """D's cross-entropy in nats and the price of its slope; the gradient reaches D alone."""
        rows, s, t = self.sides(student, teacher)
        real, fake = (side.detach() for side in self.seen(s, t, self.made(s)))
        with exactly(s):
            told, slope = self.steep(real) if self.steepness else (self.discriminator(real)[:, 0], torch.zeros(()))
            cost = tells_apart(told, self.discriminator(fake)[:, 0], sure=SURE)
            return over(rows, cost + self.steepness / 2 * slope)

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, s, t = self.sides(student, teacher)
        real, fake = self.seen(s, t.detach() if self.detach_teacher else t, self.made(s))
        still = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        cost = softplus(-functional_call(self.discriminator, still, (fake,))[:, 0].float())
        if not self.detach_teacher:
            cost = cost + softplus(functional_call(self.discriminator, still, (real,))[:, 0].float())
        return over(rows, cost)

    def seen(
        self, s: Float[Tensor, "B S"], t: Float[Tensor, "B T"], made: Float[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B P"]]:
        """What D sees of the real and of the made."""
        haze = torch.randn_like(t) * self.noise if self.training and self.noise else torch.zeros_like(t)
        beside = self.beside(s, t)
        return torch.cat([*beside, t + haze], dim=1), torch.cat([*beside, made + haze], dim=1)

    def steep(self, real: Float[Tensor, "B P"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """D's logits of the real, and the squared length of their gradient there, which D can be trained by."""
        train = torch.is_grad_enabled()
        with torch.enable_grad():
            real = real.requires_grad_()
            told = self.discriminator(real)[:, 0]
            (slope,) = torch.autograd.grad(told.sum(), real, create_graph=train)
        return told, slope.square().sum(dim=1)
