"""C2KD: teacher and student train on together, and teach each other through proxies about rows on which their proxies agree.

Idea: modalities disagree about the order of classes; where they do, soft labels of one harm the other. So each side has a proxy
that learns from it and teaches it, proxies exchange only what they say of the classes beside the target, and only of rows whose
classes they rank alike.
Paper: Huo et al., "C2KD: Bridging the Modality Gap for Cross-Modal Knowledge Distillation", CVPR 2024.
Differs: our form of it. Proxies are small networks on the embeddings before the heads, with layer instead of batch
normalisation, so that no row sees another; the target's logit is left out, not set to 0; Kendall's tau-b of all rows at once;
rows that are not chosen count as 0. Each branch of a retrieval student learns with the one teacher. Optimiser and plan are
those of the run.
Use when: there is a teacher of other modalities, most rows are labelled, and there are three classes or more.
Related: `kd` freezes the teacher and takes every row; `dkd` also teaches the target; `amid` trains the teacher along, by
information.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.method import Beside, Method, Terms
from understudy.methods.options import check_weights
from understudy.models.model import Model, views_of
from understudy.objectives.objective import Objective, Term, only, summed, together
from understudy.prepare.view import Views
from understudy.tasks import Task


class Proxy(nn.Sequential):
    """A second opinion on a player's embedding."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(nn.Linear(width, width), nn.LayerNorm(width), nn.LeakyReLU(0.1), nn.Linear(width, classes))

    def of(self, answer: Output) -> Output:
        """The answer with this proxy's logits."""
        return replace(answer, logits=self(only(answer.valid, answer.need("embedding").float())))


class C2KD(Method):
    """Both players' supervised losses + inner * (proxy and player, both ways) + cross * (proxy and proxy, both ways).

    The teaching side takes no gradient, each time. inner, cross: at least 0; without either there are no proxies. threshold: of
    Kendall's tau-b between the proxies' logits, in [-1, 1]; rows above it teach across. temperature: above 0. ValueError for a
    target that is no class, for fewer than three classes, and for a teacher of another task.
    """

    strengths = ("inner", "cross")

    def __init__(
        self,
        student: Model,
        teacher: Model,
        *,
        inner: float = 1.0,
        cross: float = 1.0,
        threshold: float = 0.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.check(student.task, {})
        check_weights(inner=inner, cross=cross)
        if teacher.task != student.task:
            raise ValueError(f"the teacher answers {teacher.task}, the student {student.task}; build both with one fitted task")
        self.student, self.teacher = student, teacher
        self.inner, self.cross, self.threshold, self.temperature = inner, cross, threshold, temperature
        self.supervised = objectives.Supervised(student.task)
        self.answers = objectives.LogitKD(temperature=temperature)
        self.aligned = objectives.AlignedKD(threshold=threshold, temperature=temperature)
        if inner or cross:
            self.student_proxy = Proxy(student.width, student.task.outputs)
            self.teacher_proxy = Proxy(teacher.width, teacher.task.outputs)

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], **options: Any) -> None:
        if not task.classed or task.outputs < 3:
            what = f"{task.outputs} classes leave one" if task.classed else f"a {task.kind} has none"
            raise ValueError(f"c2kd teaches how the classes beside the target are ranked, and {what}; use kd or rkd")

    @classmethod
    def beside(cls, **options: Any) -> Beside:
        return "trained"

    def views(self) -> Views:
        return views_of(self.student, self.teacher)

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        played = self.say("student", batch)
        teacher = self.play("teacher", batch)
        terms = {"supervised": summed(self.supervised, played), "teacher": self.supervised(batch, teacher)}
        if not (self.inner or self.cross):
            return terms
        adviser = self.teacher_proxy.of(teacher)
        pairs = [(seen, student, self.student_proxy.of(student)) for seen, student in played]
        if self.inner:
            both = [both_ways(self.answers, seen, student, proxy) for seen, student, proxy in pairs]
            terms["teacher_proxy"] = both_ways(self.answers, batch, teacher, adviser).times(self.inner)
            terms["student_proxy"] = together(both).times(self.inner)
        if self.cross:
            crossed = [both_ways(self.aligned, seen, proxy, adviser) for seen, _, proxy in pairs]
            terms["cross"] = together(crossed).times(self.cross)
        return terms


def both_ways(objective: Objective, batch: Batch, one: Output, other: Output) -> Term:
    """Each learns from the other: the sum of both losses over the rows, which count once."""
    there, back = objective(batch, one, other), objective(batch, other, one)
    return Term(there.total + back.total, there.count)
