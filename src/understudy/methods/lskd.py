"""LSKD: which classes the teacher prefers, and by how much beside its other classes, not how sure it is.

Idea: a small student cannot match the size of a large teacher's logits and need not; so each row's logits, on both sides, are
standardised over the classes before the softmax at a temperature.
Paper: Sun, Ren, Li, Wang, Cao, "Logit Standardization in Knowledge Distillation", CVPR 2024, arXiv 2403.01427.
Differs: our form of it, on plain answers. The standard deviation divides by all C classes, that of the published code by C - 1.
Answers are over all rows that both see, labelled or not. Weight 9 and temperature 2 are those of the code's example. Two classes
are refused (ours): standardised, a row is then (1, -1) or (-1, 1), and nothing is learnt from it.
Use when: there are three classes or more, and the teacher is far surer, or far larger, than the student. How sure the student
itself is comes from labels alone.
Related: `kd` also pulls the size of the logits; `dkd` weighs the classes beside the target apart.
"""

from collections.abc import Mapping
from typing import Any

from understudy import objectives
from understudy.methods.options import check_weights
from understudy.methods.taught import Taught
from understudy.models.model import Model
from understudy.objectives.objective import Objective
from understudy.tasks import OneOf, Task
from understudy.teachers.teacher import Teacher


class LSKD(Taught):
    """supervised + weight * KL divergence of standardised logits at `temperature`, times its square.

    weight: at least 0; at 0 the teacher is not asked. temperature: above 0. ValueError for a target that is no class, and for
    fewer than three classes or choices.
    """

    weighs = True

    def __init__(self, student: Model, teacher: Teacher, *, weight: float = 9.0, temperature: float = 2.0) -> None:
        super().__init__(student, teacher)
        self.check(student.task, {})
        check_weights(weight=weight)
        self.weight, self.temperature = weight, temperature
        self.lskd = objectives.LSKD(temperature=temperature)

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], **options: Any) -> None:
        count = task.count if isinstance(task, OneOf) else 0
        if count < 3:
            what = f"{count} classes leave one such row and its reverse" if count else f"a {task.kind} has no classes"
            raise ValueError(f"lskd compares rows of logits that are all of one size, and {what}; use kd")

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"lskd": (self.lskd, self.weight)} if self.weight else {}
