"""Expected value: a model's number against the number that its class probabilities expect; step 1 of VideoAdviser.

Paper: Wang, Zeng, Wada, Kurihara, "VideoAdviser", IEEE Access 2023, arXiv 2309.15494: classification logits teach the
regression logit inside the teacher. Its form is unknown to us; the expected anchor value and the distance are ours.
"""

from dataclasses import replace

from understudy.batches.batch import Batch, Output
from understudy.objectives.kd import Distance, RegressionKD
from understudy.objectives.objective import Objective, Term


class ExpectedValue(Objective):
    """Distance between the logit of a number and the feature "expected" of the same output, both standardised.

    detach: whether the expected value takes no gradient, so that the classes teach the number and not the reverse.
    """

    counts = "rows that the model sees; labels are ignored"

    def __init__(self, *, distance: Distance = "l1", detach: bool = True) -> None:
        super().__init__()
        self.pull = RegressionKD(distance=distance, detach=detach)

    def forward(self, batch: Batch, teacher: Output) -> Term:
        return self.pull(batch, teacher, replace(teacher, logits=teacher.need("expected")[:, None]))
