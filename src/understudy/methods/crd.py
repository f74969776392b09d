"""CRD: of thousands of remembered rows, the student is to pick the one that the teacher sees.

Idea: a row's two embeddings, student's and teacher's, are told apart from those of other rows; the better, the more the student
knows of what the teacher knows.
Paper: Tian, Krishnan, Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv 1910.10699.
Differs: our form of it, settings as in the code of RepDistiller. The loss is the mean of both sides less log K, where theirs is
the sum; negatives come from other classes only where every training row is labelled, else from all other rows, so that
unlabelled rows and numbers work too; K is at most the bank's rows less one. Each branch of a retrieval student learns from the
one teacher, in one bank.
Use when: there are hundreds of training rows or more, and the teacher's features matter more than its answers.
Related: `vid` predicts features instead of telling them apart; `amid` trains the teacher along; `kd` compares answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy import objectives
from understudy.methods.options import check_weights
from understudy.methods.taught import TaughtByFeatures
from understudy.models.model import Model
from understudy.objectives.crd import Positive
from understudy.objectives.objective import Objective
from understudy.tasks import Task
from understudy.teachers.teacher import Teacher

Contrast = Literal["auto", "classes", "instances"]


class CRD(TaughtByFeatures):
    """supervised + weight * contrast of student and teacher, in nats.

    weight: at least 0; at 0 the teacher is not asked. tau: temperature of the contrast. negatives: K. momentum: what a remembered
    row keeps. positive: the row itself, or a random one of its class ("relax", which needs contrast="classes"). dimension: of
    the projections. contrast: where negatives come from: "classes", all but the row's own, with labelled rows alone; "instances",
    all other rows; "auto", classes if every training row is labelled. ValueError for classes of a number.
    """

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 1.6,
        tau: float = 0.07,
        negatives: int = 4096,
        momentum: float = 0.5,
        contrast: Contrast = "auto",
        positive: Positive = "exact",
        dimension: int = 128,
    ) -> None:
        super().__init__(student, teacher)
        self.check(student.task, {}, contrast=contrast)
        check_weights(weight=weight)
        self.weight, self.tau, self.negatives, self.momentum = weight, tau, negatives, momentum
        self.contrast, self.positive, self.dimension = contrast, positive, dimension
        if weight:
            self.memory = objectives.CRD(
                student.width,
                self.teacher_width,
                dimension=dimension,
                temperature=tau,
                negatives=negatives,
                momentum=momentum,
                contrast="instances" if contrast == "auto" else contrast,
                positive=positive,
            )

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, contrast: Contrast, **others: Any) -> None:
        if contrast == "classes" and not task.classed:
            raise ValueError(f"contrast='classes' needs classes, and a {task.kind} has none; use contrast='instances'")

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        if self.weight and self.contrast == "auto":
            self.memory.contrast = "classes" if self.student.task.classed and labelled.all() else "instances"
        super().meet(ids, target, labelled)

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"crd": (self.memory, self.weight)} if self.weight else {}
