"""Supervised: the task's own loss on labelled rows.

Paper: none; the ordinary loss of the task. For regression L1, the field's metric, in standardised units [ours].
"""

from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term, only, over
from understudy.tasks import Task


class Supervised(Objective):
    """The task's loss (cross-entropy in nats; L1 in standardised units for regression)."""

    counts = "labelled rows that the model sees"

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, batch: Batch, student: Output) -> Term:
        rows = batch.labelled & student.valid
        logits = only(rows, student.need("logits").float())
        return over(rows, self.task.loss(logits, only(rows, batch.target)), batch.weight)
