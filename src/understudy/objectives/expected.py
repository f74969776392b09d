"""Expected value: a model's number against the number that its class probabilities expect; step 1 of VideoAdviser.

Paper: Wang, Zeng, Wada, Kurihara, "VideoAdviser", IEEE Access 2023, arXiv 2309.15494: classification logits teach the
regression logit inside the teacher. Its form is unknown to us. Ours: the expected anchor value, the distance, the monotone map
that makes a number of it, the guard, and the form for retrieval, where what is taught is how rows lie to each other.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.objectives.distribution import SimilarityDistribution
from understudy.objectives.gather import gathered
from understudy.objectives.kd import Distance, answer_distance
from understudy.objectives.objective import Objective, Term, only, over
from understudy.tasks import Regression


class ExpectedValue(Objective):
    """Distance between a number and what the feature "expected" of the same output says of it, both standardised.

    What it says is slope * expected + offset, slope above 0, which `fit` learns on labels: classes that are too sure, or anchors
    that lie askew, then say a number that fits all the same. detach: whether the expected value takes no gradient, so that the
    classes teach the number and not the reverse; the map never takes one here.
    guarded: a labelled row is pulled only where the classes are nearer to its label than the number is, which is towards the
    label; a row without one as much as that is so of the batch's labelled rows, of all processes.
    """

    counts = "rows that the model sees; labels only guard"

    def __init__(self, task: Regression, *, distance: Distance = "l1", detach: bool = True, guarded: bool = True) -> None:
        super().__init__()
        self.task, self.detach, self.guarded = task, detach, guarded
        self.distance: Distance = distance
        self.log_slope, self.offset = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def fit(self, batch: Batch, teacher: Output) -> Term:
        """How far what the classes say is from the labels; the gradient reaches the map alone."""
        rows = batch.labelled & teacher.valid
        expected = only(rows, teacher.need("expected").detach().float())
        said = self.log_slope.exp() * expected + self.offset
        return over(rows, self.task.loss(said[:, None], only(rows, batch.target).float()))

    def forward(self, batch: Batch, teacher: Output) -> Term:
        rows = teacher.valid
        number, expected = (only(rows, teacher.need(name).float()) for name in ("logits", "expected"))
        said = self.log_slope.detach().exp() * (expected.detach() if self.detach else expected) + self.offset.detach()
        pull = answer_distance(number, said[:, None], distance=self.distance)
        return over(rows, pull * self.trust(batch, rows, number, said[:, None]) if self.guarded else pull)

    @torch.no_grad()
    def trust(
        self, batch: Batch, rows: Bool[Tensor, " B"], number: Float[Tensor, "B 1"], said: Float[Tensor, "B 1"]
    ) -> Float[Tensor, " B"]:
        """1 or 0 for a labelled row; for others the share of 1 among those, 0 where there is none."""
        known = rows & batch.labelled
        target = only(known, batch.target).float()
        nearer = (self.task.loss(said, target) < self.task.loss(number, target)) & known
        share = gathered(nearer).sum() / gathered(known).sum().clamp(min=1)
        return nearer.float().where(known, share)


class ClassStructure(Objective):
    """Step 1 of retrieval: how near rows are in the embedding, pulled to how near they are in the space of class probabilities.

    Both as `SimilarityDistribution` has it, over the rows of all processes; the classes take no gradient.
    """

    counts = "rows that the model sees; labels are ignored"

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        self.pull = SimilarityDistribution(temperature=temperature)

    def forward(self, batch: Batch, teacher: Output) -> Term:
        classes = replace(teacher, embedding=teacher.need("logits").detach().float().softmax(dim=-1))
        return self.pull(batch, teacher, teacher, classes, classes)
