"""Knowledge distillation of answers: the student's logits against the teacher's.

Paper: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531, section 2.
Our form of it: a true Kullback-Leibler divergence (with the teacher's entropy, so that 0 is its minimum), times T^2, which keeps
the size of the gradient while T changes. Of classes that are apart from each other, the sum of the divergences of each [ours].
For one real number there is no temperature: L1, as in the task's loss, MSE or smooth L1 [ours].
"""

import warnings
from abc import ABC, abstractmethod
from typing import Literal, get_args

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, check_temperature, only, over
from understudy.tasks import MultiLabel, Regression, Task

Distance = Literal["l1", "mse", "smooth_l1"]


def kl_divergence(student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], *, temperature: float) -> Float[Tensor, " B"]:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)) in nats, each row >= 0; any finite logits are safe."""
    log_p = (teacher / temperature).log_softmax(dim=-1)
    log_q = (student / temperature).log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1) * temperature**2


def bernoulli_divergence(
    student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], *, temperature: float
) -> Float[Tensor, " B"]:
    """T^2 * the sum over classes of KL(sigmoid(teacher / T) || sigmoid(student / T)) in nats, each row >= 0."""
    ours, theirs = student / temperature, teacher / temperature
    yes = theirs.sigmoid() * (logsigmoid(theirs) - logsigmoid(ours))
    no = (-theirs).sigmoid() * (logsigmoid(-theirs) - logsigmoid(-ours))
    return (yes + no).sum(dim=-1) * temperature**2


def answer_distance(student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], *, distance: Distance) -> Float[Tensor, " B"]:
    """Mean absolute (l1) or squared (mse) difference of the outputs of each row, in standardised units or their square.

    smooth_l1: half the square up to a difference of 1, the absolute one less a half beyond.
    """
    size = (student - teacher).abs()
    if distance == "smooth_l1":
        return (0.5 * size.square()).where(size < 1, size - 0.5).mean(dim=-1)
    return (size if distance == "l1" else size.square()).mean(dim=-1)


class AnswerKD(Objective, ABC):
    """A divergence of answers, row by row.

    detach: whether the teacher's side takes no gradient; only a teacher that trains beside the student has one to take.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(self, *, detach: bool = True) -> None:
        super().__init__()
        self.detach = detach

    @abstractmethod
    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        """Of each row, at least 0."""

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, detach=self.detach)
        return over(rows, self.divergence(ours, theirs), batch.weight)


class SoftenedKD(AnswerKD):
    """A divergence of answers that are both softened by `temperature` > 0, in nats. detach: as in `AnswerKD`."""

    def __init__(self, *, temperature: float = 2.0, detach: bool = True) -> None:
        super().__init__(detach=detach)
        check_temperature(temperature, usual="1 to 4")
        self.temperature = temperature


class LogitKD(SoftenedKD):
    """The student's class probabilities are pulled towards the teacher's."""

    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        return kl_divergence(student, teacher, temperature=self.temperature)


class BernoulliKD(SoftenedKD):
    """The student's probability of each class by itself is pulled towards the teacher's; summed over the classes."""

    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        return bernoulli_divergence(student, teacher, temperature=self.temperature)


class RegressionKD(AnswerKD):
    """The student's standardised number is pulled towards the teacher's; the median of its answers by l1, the mean by mse.

    detach: as in `AnswerKD`.
    """

    def __init__(self, *, distance: Distance = "l1", detach: bool = True) -> None:
        super().__init__(detach=detach)
        if distance not in get_args(Distance):
            raise ValueError(f"distance {distance!r} given; allowed: {', '.join(get_args(Distance))}")
        self.distance: Distance = distance

    def divergence(self, student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"]) -> Float[Tensor, " B"]:
        return answer_distance(student, teacher, distance=self.distance)


def answers(
    student: Output, teacher: Output, *, labelled: Bool[Tensor, " B"] | None = None, detach: bool = True
) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B C"], Float[Tensor, "B C"]]:
    """The rows that count (of `labelled` ones, where given), and both float32 logits with 0 elsewhere.

    detach: the teacher's side takes no gradient.
    """
    rows, ours, theirs = logits_of(student, teacher, detach=detach)
    rows = rows if labelled is None else rows & labelled
    return rows, only(rows, ours), only(rows, theirs)


def logits_of(
    student: Output, teacher: Output, *, detach: bool = True
) -> tuple[Bool[Tensor, " B"], Float[Tensor, "B C"], Float[Tensor, "B C"]]:
    """The rows that both see, and both float32 logits, with whatever stands in other rows."""
    ours, theirs = student.need("logits"), teacher.need("logits")
    theirs = theirs.detach() if detach else theirs
    if ours.shape != theirs.shape:
        raise ValueError(
            f"{student.source} gives logits {tuple(ours.shape)} and {teacher.source} {tuple(theirs.shape)}; they must agree"
        )
    return student.valid & teacher.valid, ours.float(), theirs.float()


def answer_kd(task: Task, *, temperature: float, distance: Distance) -> AnswerKD:
    """`LogitKD` for classes and choices, `BernoulliKD` for classes apart, `RegressionKD` for a number.

    A setting that then has no effect warns.
    """
    if isinstance(task, Regression):
        if temperature != 2.0:
            warnings.warn(f"temperature {temperature} has no effect: a number has no temperature; it is for classes")
        return RegressionKD(distance=distance)
    if distance != "l1":
        warnings.warn(f"distance {distance!r} has no effect: classes are compared by KL; it is for regression")
    return (BernoulliKD if isinstance(task, MultiLabel) else LogitKD)(temperature=temperature)
