"""VideoAdviser: a teacher that answers class prompts teaches a number, first to itself, then to a student without its modalities.

Idea: two steps: inside the teacher its classification logits teach its regression logit; that logit then teaches the student.
Paper: Wang, Zeng, Wada, Kurihara, "VideoAdviser", IEEE Access 2023, arXiv 2309.15494.
Differs: only the direction of the two steps and the players (a CLIP-based teacher with video-enhanced prompts, a text-only
RoBERTa student) are the paper's; the forms of all losses, their weights, the stop-gradients, the class anchors, and joint or
two-phase training are ours, as are distances in standardised units. Both steps need no label, so unlabelled rows carry them. Ours
too is what keeps step 1 from doing harm: a monotone map, fitted on labels, from what the classes expect to the number, and a
guard that leaves a row alone where the classes are farther from its label than the number is. A task of classes has no step 1:
step 2 is then the KL divergence of the class logits (ours). For retrieval, forms unknown, that is one such term a branch (a
teacher over all modalities, students apart, in one space of classes), and in step 1 the classes teach the fused embedding which
rows are near each other (ours).
Use when: a pretrained vision-language (or text) encoder can read class prompts, and the target is a number such as sentiment.
Related: `kd` in two-phase mode without class prompts is step 2 with other weights.
"""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

from torch import nn

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.method import Beside, Method, Terms
from understudy.methods.options import check_weights
from understudy.models.model import Model, views_of
from understudy.models.prompts import PromptHead
from understudy.objectives.classes import Rule
from understudy.objectives.kd import Distance
from understudy.objectives.objective import summed
from understudy.prepare.view import Views, merge_views
from understudy.tasks import MultiLabel, Regression, Retrieval, Task
from understudy.teachers.teacher import Teacher

Mode = Literal["joint", "two_phase"]


class VideoAdviser(Method):
    """supervised + w1 * teacher's supervised + w2 * classes + w3 * step1 + w4 * step2, each a mean over its own rows.

    mode: "joint" trains teacher and student together; "two_phase" trains the teacher first (w1 to w3), then the student (w4)
    from its frozen answers. w1 to w4: at least 0; a term of weight 0 is left out. step1_detach, step2_detach: whether the
    teaching side takes no gradient. step1_guarded: see `ExpectedValue`. distance: of both steps. class_rule: from a number to its
    class, see `ClassCrossEntropy`. For retrieval the teacher's own loss is that of the classes: w2 has no effect. ValueError for
    w2 or w3 above 0 where the task is of classes or choices, or a number whose teacher has no class prompts.
    """

    strengths = ("w4",)

    def __init__(
        self,
        student: Model,
        teacher: Teacher | Model,
        *,
        mode: Mode = "joint",
        w1: float = 1.0,
        w2: float = 1.0,
        w3: float = 1.0,
        w4: float = 1.0,
        step1_detach: bool = True,
        step2_detach: bool = True,
        step1_guarded: bool = True,
        distance: Distance = "l1",
        class_rule: Rule = "round",
    ) -> None:
        super().__init__()
        if mode not in get_args(Mode) or isinstance(teacher, Model) != (mode == "joint"):
            raise ValueError(f"mode {mode!r} with {type(teacher).__name__}: joint takes a Model, two_phase a frozen Teacher")
        check_weights(w1=w1, w2=w2, w3=w3, w4=w4)
        if teacher.task != student.task:
            raise ValueError(f"the teacher answers {teacher.task}, the student {student.task}; build both with one fitted task")
        if mode == "two_phase" and not step2_detach:
            warnings.warn("step2_detach=False has no effect in two_phase mode: the teacher is frozen when it teaches")
        self.student, self.teacher, self.mode = student, teacher, mode
        self.w1, self.w2, self.w3, self.w4, self.distance, self.class_rule = w1, w2, w3, w4, distance, class_rule
        self.step1_detach, self.step2_detach, self.step1_guarded = step1_detach, step2_detach, step1_guarded
        self.supervised = objectives.Supervised(student.task)
        if isinstance(teacher, Model):
            pulls = {"distance": distance, "detach": step1_detach, "guarded": step1_guarded}
            self.inside = Inside(teacher, (w1, w2, w3), class_rule, **pulls)
        pull = objectives.RegressionKD(distance=distance, detach=step2_detach)
        apart = objectives.BernoulliKD if isinstance(student.task, MultiLabel) else objectives.LogitKD
        self.step2 = pull if isinstance(student.task, Regression) else apart(temperature=1.0, detach=step2_detach)

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, w2: float, w3: float, **others: Any) -> None:
        number = isinstance(task, Regression)
        if (w2 or w3) and not (number and teacher_head) and not isinstance(task, Retrieval):
            what = "a teacher head with class prompts, e.g. classes=7" if number else f"a number as target, not {task.kind}"
            raise ValueError(f"step 1 (w2={w2}, w3={w3}) needs {what}; give that, or w2=0 w3=0 for step 2 alone")

    @classmethod
    def lead(
        cls,
        teacher: Model,
        *,
        w1: float,
        w2: float,
        w3: float,
        step1_detach: bool,
        step1_guarded: bool,
        distance: Distance,
        class_rule: Rule,
        **others: Any,
    ) -> Method | None:
        pulls = {"distance": distance, "detach": step1_detach, "guarded": step1_guarded}
        inside = Inside(teacher, (w1, w2, w3), class_rule, **pulls)
        return Lead(teacher, inside) if w2 or w3 else None

    @classmethod
    def beside(cls, *, mode: Mode, **others: Any) -> Beside:
        return "fresh" if mode == "joint" else ""

    def views(self) -> Views:
        theirs = views_of(self.teacher) if isinstance(self.teacher, Model) else self.teacher.views
        return merge_views(views_of(self.student), theirs)

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        student = self.say("student", batch)
        terms = {"supervised": summed(self.supervised, student)}
        if isinstance(self.teacher, Model):
            if not (self.w1 or self.w2 or self.w3 or self.w4):
                return terms
            teacher = self.play("teacher", batch)
            terms |= self.inside(batch, teacher)
        else:
            teacher = self.teacher(batch)
        return terms | ({"step2": summed(self.step2, student, teacher).times(self.w4)} if self.w4 else {})


class Lead(Method):
    """The teacher alone."""

    def __init__(self, teacher: Model, inside: "Inside") -> None:
        super().__init__()
        self.student, self.inside = teacher, inside

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        return self.inside(batch, self.play("student", batch))


class Inside(nn.Module):
    """w1 * teacher's supervised + w2 * classes + w3 * step1; `pull` is distance, detach and guard of step 1.

    With step 1 of a number comes `calibration`, w3 times how far the classes' number is from the labels: it moves its map alone.
    """

    def __init__(self, teacher: Model, weights: tuple[float, float, float], rule: Rule, **pull: Any) -> None:
        super().__init__()
        self.weights = dict(zip(("teacher", "classes", "step1"), weights, strict=True))
        self.terms = nn.ModuleDict({"teacher": objectives.Supervised(teacher.task)})
        if isinstance(teacher.task, Retrieval):
            # Its own loss is that of the classes already.
            self.weights.pop("classes")
            self.terms["step1"] = objectives.ClassStructure()
        elif any(weights[1:]):
            if not isinstance(teacher.head, PromptHead) or not isinstance(teacher.task, Regression):
                raise ValueError(f"{teacher.name} has no class prompts for a number, which step 1 needs (or set w2=0 w3=0)")
            self.terms["classes"] = objectives.ClassCrossEntropy(teacher.head.places, rule=rule)
            if weights[2]:
                self.terms["step1"] = objectives.ExpectedValue(teacher.task, **pull)

    def forward(self, batch: Batch, teacher: Output) -> Terms:
        terms = {name: self.terms[name](batch, teacher).times(weight) for name, weight in self.weights.items() if weight}
        step1 = self.terms["step1"] if "step1" in terms else None
        if isinstance(step1, objectives.ExpectedValue):
            terms["calibration"] = step1.fit(batch, teacher).times(self.weights["step1"])
        return terms
