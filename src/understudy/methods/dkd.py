"""DKD: what the teacher says of the target class and what it says of the other classes count apart.

Idea: where a teacher is sure, plain distillation mutes what it knows of the other classes; apart, that keeps a weight of its
own.
Paper: Zhao, Cui, Song, Qiu, Liang, "Decoupled Knowledge Distillation", CVPR 2022, arXiv 2203.08679.
Differs: our form of it. The target's logit is left out of the other classes exactly; both parts are means over labelled rows,
since the target has to be known: unlabelled rows teach nothing here; `warmup` counts updates; the weights are ours.
Use when: there are three classes or more, and most rows are labelled.
Related: `kd` needs no label for its answers, and is better with few; `c2kd` takes the other classes alone, of chosen rows.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from understudy import objectives
from understudy.methods import schedules
from understudy.methods.options import check_weights
from understudy.methods.taught import Taught
from understudy.models.model import Model
from understudy.objectives.objective import Objective
from understudy.tasks import OneOf, Task
from understudy.teachers.teacher import Teacher


class DKD(Taught):
    """supervised + weight * (target part + beta * non-target part), both KL divergences at `temperature`, times its square.

    weight: at least 0; at 0 the teacher is not asked. beta: at least 0; without effect, and warned of, with two classes.
    temperature: above 0. warmup: updates over which the weight grows from 0. ValueError for a target that is no class.
    """

    weighs = True

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 1.0,
        beta: float = 4.0,
        temperature: float = 2.0,
        warmup: int = 0,
    ) -> None:
        super().__init__(student, teacher)
        self.check(student.task, {})
        check_weights(weight=weight, warmup=float(warmup))
        if isinstance(student.task, OneOf) and student.task.count == 2:
            warnings.warn(f"beta {beta} has no effect with two classes: beside the target there is only one")
        self.weight, self.beta, self.temperature, self.warmup = weight, beta, temperature, warmup
        self.dkd = objectives.DKD(beta=beta, temperature=temperature)

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], **options: Any) -> None:
        if not task.discrete:
            raise ValueError(
                f"dkd tells the target class from the others, and a {task.kind} has no classes; use kd, rkd, pkt or vid"
            )

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        grown = schedules.ramp(self.update, steps=self.warmup)
        return {"dkd": (self.dkd, self.weight * grown)} if self.weight else {}
