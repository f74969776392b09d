"""Answer entropy H(teacher's answer | student): how much of what the teacher says is left open by what the student says.

Paper: Chen, Xing, Wang, Zhang, "Enhanced Multimodal Representation Learning with Cross-modal KD" (AMID), CVPR 2023, arXiv
2306.07646: the conditional entropy of the teacher given the student is made small, by adversarial learning. Ours: that it is of
the teacher's answer, not of its embedding; the bound (as in Barber and Agakov, "The IM Algorithm", NIPS 2003); the game of pairs.

With T drawn from the teacher's predictive distribution and q the student's, H(T|S) = E[-log p(T|S)] <= E[-log q(T|S)]: the
cross-entropy of the teacher's distribution under the student's head. Embeddings do not enter, so the head learns with them.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from understudy.batches.batch import Batch, Output
from understudy.objectives.adversary import Adversary
from understudy.objectives.gather import gathered
from understudy.objectives.kd import answers
from understudy.objectives.objective import Objective, Term, check_temperature, over, shared
from understudy.objectives.vid import Variance, gaussian_cost
from understudy.tasks import Choice, MultiLabel, Regression, Task


def answer_cross_entropy(
    student: Float[Tensor, "B C"], teacher: Float[Tensor, "B C"], *, apart: bool, temperature: float
) -> Float[Tensor, " B"]:
    """T^2 * the cross-entropy in nats of the teacher's softened distribution under the student's; T^2 keeps the gradient's size.

    apart: each class is a coin of its own, and their cross-entropies are summed.
    """
    ours, theirs = student / temperature, teacher / temperature
    if apart:
        return temperature**2 * binary_cross_entropy_with_logits(ours, theirs.sigmoid(), reduction="none").sum(dim=-1)
    return temperature**2 * cross_entropy(ours, theirs.softmax(dim=-1), reduction="none")


class AnswerEntropy(Objective):
    """An upper bound of H(teacher's answer | student) in nats, times the square of `temperature`, which softens both answers.

    A number has no temperature: -log N(t; s, variance), all standardised, with a variance that is learnt. detach_teacher: whether
    the teacher takes no gradient; a teacher that takes it becomes surer of what the student says.
    """

    counts = "rows where both the student and the teacher are valid; labels are ignored"

    def __init__(self, task: Task, *, temperature: float = 2.0, detach_teacher: bool = True) -> None:
        super().__init__()
        check_temperature(temperature, usual="1 to 4")
        self.apart, self.temperature, self.detach_teacher = isinstance(task, MultiLabel), temperature, detach_teacher
        self.variance = Variance(1, start=1.0) if isinstance(task, Regression) else None

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, detach=self.detach_teacher)
        if self.variance is None:
            return over(rows, answer_cross_entropy(ours, theirs, apart=self.apart, temperature=self.temperature))
        cost = gaussian_cost(theirs, ours, self.variance()).sum(dim=1)
        return over(rows, cost + math.log(2 * math.pi) / 2)


@torch.no_grad()
def left_open(task: Task, batch: Batch, student: Output, teacher: Output) -> Term:
    """The bound itself in nats, for people: of the answers as they are given, a number's with the best variance of these rows."""
    rows, ours, theirs = answers(student, teacher)
    if not isinstance(task, Regression):
        return over(rows, answer_cross_entropy(ours, theirs, apart=isinstance(task, MultiLabel), temperature=1.0))
    everyone, away = gathered(rows), gathered((ours - theirs).square().sum(dim=1))
    count = everyone.sum().clamp(min=1)
    variance = (away.sum() / count).clamp(min=torch.finfo(away.dtype).tiny)
    return shared(rows, everyone, (2 * math.pi * math.e * variance).log() / 2 * everyone.sum())


class AnswerGame(Adversary):
    """The adversarial form: D tells the pair (teacher's answer, teacher's answer) from (teacher's answer, student's answer).

    Its optimum is a student that says what the teacher says. Answers are probabilities, softened by `temperature`, or the
    standardised number; the student's head is the generator.
    """

    def __init__(
        self,
        task: Task,
        *,
        temperature: float = 2.0,
        hidden: int = 256,
        noise: float = 0.1,
        steepness: float = 1.0,
        detach_teacher: bool = True,
    ) -> None:
        check_temperature(temperature, usual="1 to 4")
        width = task.choices if isinstance(task, Choice) else task.outputs
        super().__init__(2 * width, hidden=hidden, noise=noise, steepness=steepness, detach_teacher=detach_teacher)
        self.task, self.temperature = task, temperature

    def sides(self, student: Output, teacher: Output):
        rows, ours, theirs = answers(student, teacher, detach=False)
        return rows, self.softened(ours), self.softened(theirs)

    def softened(self, logits: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """The answer that D sees."""
        if isinstance(self.task, Regression):
            return logits
        logits = logits / self.temperature
        return logits.sigmoid() if isinstance(self.task, MultiLabel) else logits.softmax(dim=-1)

    def made(self, s: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        return s

    def beside(self, s: Float[Tensor, "B C"], t: Float[Tensor, "B C"]) -> list[Float[Tensor, "B C"]]:
        return [t]
