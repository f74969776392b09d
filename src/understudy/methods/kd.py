"""KD: a frozen teacher's answers, and if wanted its features, beside the labels.

Idea: the student learns from labels where there are any, and from the teacher's answers on every row that the teacher sees.
Paper: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv 1503.02531, section 2; the feature term
after Romero et al., "FitNets", ICLR 2015, arXiv 1412.6550.
Differs: our form of both papers; no published number is claimed. The weighting (1 - weight, weight) is ours, as is the use for
regression (L1 or MSE between standardised numbers). Each term is a mean over its own rows: labels over labelled rows, answers
over all rows that both see, so that unlabelled rows carry the teacher's answers. Features are the embeddings before the heads,
through one linear projection that does not ship. Of a retrieval student, each branch learns from the answer of the teacher that
sees all of them.
Use when: there is a good teacher; above all when few rows are labelled, or when the student lacks modalities.
Related: `self_distillation` needs no teacher; `supervised` is the control.
"""

from understudy import objectives
from understudy.batch import Batch
from understudy.methods.method import Method, Terms
from understudy.model import Model, branches_of, views_of
from understudy.objectives.kd import Distance, answer_kd
from understudy.objectives.objective import together
from understudy.prepare.view import Views, merge_views
from understudy.teachers import Teacher


class KD(Method):
    """(1 - weight) * supervised + weight * kd + feature * feature regression.

    weight: in [0, 1]. temperature: above 0, for classes. distance: for regression. feature: at least 0; above 0 the teacher must
    give an embedding. ValueError otherwise, and for a teacher of another task or another standardisation.
    """

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 0.5,
        temperature: float = 2.0,
        distance: Distance = "l1",
        feature: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= weight <= 1 or not 0 <= feature < float("inf"):
            raise ValueError(
                f"weight {weight} and feature {feature} given; weight must be in [0, 1] and feature finite, at least 0"
            )
        if teacher.task != student.task:
            raise ValueError(
                f"the teacher answers {teacher.task}, the student {student.task}; build both with the same fitted task"
            )
        self.student, self.teacher = student, teacher
        self.weight, self.temperature, self.distance, self.feature = weight, temperature, distance, feature
        self.supervised = objectives.Supervised(student.task)
        self.kd = answer_kd(student.task, temperature=temperature, distance=distance)
        if feature > 0:
            if teacher.width is None:
                raise ValueError(
                    f"feature {feature} given, but this teacher gives no embedding; use feature 0 or a single live teacher"
                )
            self.feature_regression = objectives.FeatureRegression(student.fusion.width, teacher.width)

    def views(self) -> Views:
        return merge_views(views_of(self.student), self.teacher.views)

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        teacher = self.teacher(batch)
        played = [(seen, self.play("student", seen)) for _, seen in branches_of(self.student, batch)]
        terms = {
            "supervised": together([self.supervised(seen, student) for seen, student in played]).times(1 - self.weight),
            "kd": together([self.kd(seen, student, teacher) for seen, student in played]).times(self.weight),
        }
        if self.feature > 0:
            pulled = [self.feature_regression(seen, student, teacher) for seen, student in played]
            terms["feature"] = together(pulled).times(self.feature)
        return terms
