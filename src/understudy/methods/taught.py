"""The abstract Taught: a student, its labels and a frozen teacher; what methods of this kind share."""

from abc import ABC, abstractmethod
from typing import Any

from understudy import objectives
from understudy.batches.batch import NOTHING, Batch, Output, Wanted
from understudy.methods.method import Method, Terms
from understudy.models.model import Model, views_of
from understudy.objectives.objective import Objective, summed
from understudy.prepare.view import Views, merge_views
from understudy.teachers.teacher import Teacher


class Taught(Method, ABC):
    """The student's loss on labels, and objectives that pull each of its answers towards the teacher's.

    Each term is a mean over its own rows. Of a retrieval student, each branch learns from the answer of the one teacher.
    ValueError for a teacher of another task or another standardisation.
    """

    labels: float = 1.0
    """Weight of the loss on labels."""
    wanted: Wanted = NOTHING
    """What the student is asked beside its answer."""

    def __init__(self, student: Model, teacher: Teacher) -> None:
        super().__init__()
        if teacher.task != student.task:
            raise ValueError(
                f"the teacher answers {teacher.task}, the student {student.task}; build both with the same fitted task"
            )
        self.student, self.teacher = student, teacher
        self.supervised = objectives.Supervised(student.task)

    @abstractmethod
    def pulls(self) -> dict[str, tuple[Objective, float]]:
        """Term name -> its objective and its weight in this step; the same names in every step."""

    def views(self) -> Views:
        return merge_views(views_of(self.student), self.teacher.views)

    def asked(self, batch: Batch) -> tuple[Batch, Output]:
        """The batch that is learnt from, and what the teacher says of it."""
        return batch, self.teacher(batch)

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        pulls = self.pulls()
        batch, *teacher = self.asked(batch) if pulls else (batch,)
        student = self.say("student", batch, self.wanted)
        terms = {"supervised": summed(self.supervised, student).times(self.labels)}
        for name, (objective, weight) in pulls.items():
            terms[name] = summed(objective, student, *teacher).times(weight)
        return terms


class TaughtByFeatures(Taught, ABC):
    """As `Taught`, of methods that compare embeddings: ValueError for a teacher that gives none, as an ensemble does."""

    def __init__(self, student: Model, teacher: Teacher) -> None:
        super().__init__(student, teacher)
        self.teacher_width = width_of(teacher)

    @classmethod
    def embeds(cls, **options: Any) -> bool:
        return True


def width_of(teacher: Teacher) -> int:
    """Width of a teacher's embedding; ValueError where it gives none."""
    if teacher.width is None:
        raise ValueError("this teacher gives no embedding, which the method compares; use a single teacher, not an ensemble")
    return teacher.width
