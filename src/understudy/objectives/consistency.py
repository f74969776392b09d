"""Consistency: two players that see a row differently are to say the same of it.

Paper: Tarvainen, Valpola, "Mean teachers are better role models", NeurIPS 2017, arXiv 1703.01780.
Our form of it: the squared difference of probabilities, as a mean over classes; of a number the square in standardised units.
"""

from torch.nn.functional import binary_cross_entropy_with_logits

from understudy.batches.batch import Batch, Output
from understudy.objectives.kd import answers
from understudy.objectives.objective import Objective, Term, only, over
from understudy.tasks import MultiLabel, Task


class Consistency(Objective):
    """The squared difference of what both say, as a mean over classes; at most 1 where there are any.

    detach: whether the second player's side takes no gradient.
    """

    counts = "rows where both players are valid; labels are ignored"

    def __init__(self, task: Task, *, detach: bool = True) -> None:
        super().__init__()
        self.task, self.detach = task, detach

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:
        rows, ours, theirs = answers(student, teacher, detach=self.detach)
        if isinstance(self.task, MultiLabel):
            ours, theirs = ours.sigmoid(), theirs.sigmoid()
        elif self.task.discrete:
            ours, theirs = ours.softmax(dim=-1), theirs.softmax(dim=-1)
        return over(rows, (ours - theirs).square().mean(dim=-1), batch.weight)


def entropy(task: Task, batch: Batch, said: Output) -> Term:
    """Of the answers, in nats, over the rows that have one; without gradient. Of classes that are apart the sum over them."""
    logits = only(said.valid, said.need("logits").detach().float())
    if isinstance(task, MultiLabel):
        found = binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="none").sum(dim=-1)
    else:
        found = -(logits.softmax(dim=-1) * logits.log_softmax(dim=-1)).sum(dim=-1)
    return over(said.valid, found, batch.weight)
