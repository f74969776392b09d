"""Supervised: the student alone, on labels.

Idea: train with the task's own loss. It is the plain control without which no gain can be shown, and it trains the teachers.
Paper: none; the control of design and of every comparison.
Differs: nothing to differ from. The branches of a retrieval student are trained side by side, each on its own rows (ours).
Use when: always, as the control with the same seeds, steps and labelled rows.
Related: `kd` with weight 0 and feature 0 is this, bit for bit.
"""

from understudy import objectives
from understudy.batches.batch import Batch
from understudy.methods.method import Method, Terms
from understudy.models.model import Model
from understudy.objectives.objective import summed


class Supervised(Method):
    """The task's loss on labelled rows."""

    needs_labels = True
    weighs = True

    def __init__(self, student: Model) -> None:
        super().__init__()
        self.student = student
        self.supervised = objectives.Supervised(student.task)

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        return {"supervised": summed(self.supervised, self.say("student", batch))}
