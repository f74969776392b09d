"""VID: the student's features are to predict the teacher's, feature by feature, as well as each can be predicted.

Idea: the mutual information of teacher and student grows as a Gaussian around what the student predicts fits the teacher
better; a feature that cannot be predicted gets a large variance, and pulls little.
Paper: Ahn, Hu, Damianou, Lawrence, Dai, "Variational Information Distillation for Knowledge Transfer", CVPR 2019, arXiv
1904.05835.
Differs: our form of it. On the embeddings before the heads, through three linear layers that do not ship, on every row that
both see, labelled or not; the weight is ours.
Use when: some of the teacher's features rest on what the student lacks, so that not all of them can be imitated.
Related: `kd` with `feature` gives every feature the same weight; `crd` and `amid` raise the same information by contrast.
"""

from understudy import objectives
from understudy.methods.options import check_weights
from understudy.methods.taught import TaughtByFeatures
from understudy.models.model import Model
from understudy.objectives.objective import Objective
from understudy.teachers.teacher import Teacher


class VID(TaughtByFeatures):
    """supervised + weight * Gaussian cost of the teacher's features, in nats a feature; it may be negative.

    weight: at least 0; at 0 the teacher is not asked. variance: at the start, in squared feature units of the teacher; above 0.
    """

    def __init__(self, student: Model, teacher: Teacher, *, weight: float = 1.0, variance: float = 5.0) -> None:
        super().__init__(student, teacher)
        check_weights(weight=weight)
        self.weight, self.variance = weight, variance
        if weight:
            self.prediction = objectives.VID(student.width, self.teacher_width, variance=variance)

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"vid": (self.prediction, self.weight)} if self.weight else {}
