"""PKT: each row's neighbourhood, as probabilities, is to be as the teacher has it.

Idea: a teacher's features say with which probability one row would pick another as its neighbour; the student learns these.
Paper: Passalis, Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018, arXiv 1803.10837.
Differs: our form of it. On the embeddings before the heads; a row is no neighbour of itself, and a row's divergence is a sum
over its neighbours, not a mean over all pairs; neighbours are the rows of one batch (of all processes, one branch of a
retrieval student at a time), whether labelled or not; the weight is ours.
Use when: the student is to search or group as the teacher does; batches should hold at least 32 rows.
Related: `rkd` compares distances and angles; `kd` compares answers.
"""

from understudy import objectives
from understudy.methods.options import check_weights
from understudy.methods.taught import TaughtByFeatures
from understudy.models.model import Model
from understudy.objectives.objective import Objective
from understudy.teachers.teacher import Teacher


class PKT(TaughtByFeatures):
    """supervised + weight * divergence of the neighbourhoods. weight: at least 0; at 0 the teacher is not asked."""

    def __init__(self, student: Model, teacher: Teacher, *, weight: float = 100.0) -> None:
        super().__init__(student, teacher)
        check_weights(weight=weight)
        self.weight = weight
        self.neighbours = objectives.PKT()

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"pkt": (self.neighbours, self.weight)} if self.weight else {}
