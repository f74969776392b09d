"""KD: a frozen teacher's answers, and if wanted its features, beside the labels.

Idea: the student learns from labels where there are any, and from the teacher's answers on every row that the teacher sees.
Paper: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531, section 2; the feature term
after Romero et al., "FitNets", ICLR 2015, arXiv 1412.6550; mixtures after Zhang et al., "mixup", ICLR 2018, arXiv 1710.09412.
Differs: our form of these papers; no published number is claimed. The weighting (1 - weight, weight) is ours, as is the use for
regression (L1 or MSE between standardised numbers). Each term is a mean over its own rows: labels over labelled rows, answers
over all rows that both see, so that unlabelled rows carry the teacher's answers. Features are the embeddings before the heads,
through one linear projection that does not ship. Of a retrieval student, each branch learns from the answer of the teacher that
sees all of them.
Use when: there is a good teacher; above all when few rows are labelled, or when the student lacks modalities.
Related: `self_distillation` needs no teacher; `supervised` is the control.
"""

from typing import Any

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.mixup import MIXED, with_mixtures
from understudy.methods.taught import Taught
from understudy.models.model import Model
from understudy.objectives.kd import Distance, answer_kd
from understudy.objectives.objective import Objective
from understudy.teachers.teacher import Teacher


class KD(Taught):
    """(1 - weight) * supervised + weight * kd + feature * feature regression.

    weight: in [0, 1]. temperature: above 0, for classes. distance: for regression. feature: at least 0; above 0 the teacher must
    give an embedding. mixup: at least 0; above 0 each batch is joined by as many mixtures of its rows, with shares from
    Beta(mixup, mixup), that carry mixtures of the teacher's answers and no label; for students of vectors and images. ValueError
    otherwise, and for a teacher of another task or another standardisation.
    """

    weighs = True
    shares = True

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 0.5,
        temperature: float = 2.0,
        distance: Distance = "l1",
        feature: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        super().__init__(student, teacher)
        if not 0 <= weight <= 1 or not 0 <= feature < float("inf") or not 0 <= mixup < float("inf"):
            raise ValueError(
                f"weight {weight}, feature {feature}, mixup {mixup} given; weight must be in [0, 1], the others finite and >= 0"
            )
        unmixed = [m for m, view in student.views.items() if view.kind not in MIXED]
        if mixup and unmixed:
            raise ValueError(f"mixup {mixup} given, but nothing lies between two rows of {', '.join(unmixed)}; use mixup 0")
        self.weight, self.temperature, self.distance, self.feature, self.mixup = weight, temperature, distance, feature, mixup
        self.labels = 1 - weight
        self.kd = answer_kd(student.task, temperature=temperature, distance=distance)
        if feature > 0:
            if teacher.width is None:
                raise ValueError(
                    f"feature {feature} given, but this teacher gives no embedding; use feature 0 or a single live teacher"
                )
            self.feature_regression = objectives.FeatureRegression(student.width, teacher.width)

    @classmethod
    def embeds(cls, *, feature: float, **others: Any) -> bool:
        return feature > 0

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        found: dict[str, tuple[Objective, float]] = {"kd": (self.kd, self.weight)}
        return found | ({"feature": (self.feature_regression, self.feature)} if self.feature > 0 else {})

    def asked(self, batch: Batch) -> tuple[Batch, Output]:
        batch, teacher = super().asked(batch)
        if not self.mixup:
            return batch, teacher
        return with_mixtures(
            batch,
            teacher,
            self.student.modalities,
            concentration=self.mixup,
            temperature=self.temperature if self.student.task.discrete else None,
            seed=[self.seed, self.step, self.process],
        )
