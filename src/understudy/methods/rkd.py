"""RKD: distances between rows, and the angles of their triangles, are to be as the teacher has them.

Idea: what a teacher knows lies in how it arranges the rows, not in where; so the student learns the arrangement, in its own
space.
Paper: Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068.
Differs: our form of it. On the embeddings before the heads, of whatever widths, without a projection; relations are between the
rows of one batch (of all processes, one branch of a retrieval student at a time), whether labelled or not; the weights are
ours.
Use when: teacher and student have features of different size or meaning; batches should hold at least 32 rows.
Related: `pkt` compares neighbourhoods as probabilities; `kd` with `feature` the features themselves.
"""

from understudy import objectives
from understudy.methods.options import check_weights
from understudy.methods.taught import TaughtByFeatures
from understudy.models.model import Model
from understudy.objectives.objective import Objective
from understudy.teachers.teacher import Teacher


class RKD(TaughtByFeatures):
    """supervised + distance * relative distances + angle * cosines of angles, both by the Huber distance.

    distance, angle: at least 0; a term of weight 0 is left out.
    """

    strengths = ("distance", "angle")

    def __init__(self, student: Model, teacher: Teacher, *, distance: float = 25.0, angle: float = 50.0) -> None:
        super().__init__(student, teacher)
        check_weights(distance=distance, angle=angle)
        self.distance, self.angle = distance, angle
        self.relations = objectives.RKD(distance=distance, angle=angle)

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"rkd": (self.relations, 1.0)} if self.distance or self.angle else {}
