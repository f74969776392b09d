"""UMI: modalities that never occurred together in training meet in use, in a space that all of them were brought to.

Idea: each modality is laid out over the same slots of a common space, what a row has is added up, and two branches read the sum:
one learns from labels, the other from the soft answer of a predictor of one modality alone, which is less easily overfitted.
Paper: after Zhang, Doughty, Snoek, "Learning Unseen Modality Interaction", NeurIPS 2023, arXiv 2306.12795.
Differs: the parts are theirs as their published code and others' reports have them; the paper's own text was not at hand,
nothing was copied, and no published number is claimed. Slots, sum, two branches whose [CLS] each read half of the slots, the mean
of their answers in use, lambda 0.001 and the choice among several predictors by cosine with the truth are of that kind. Ours:
sizes (2 blocks of 4 heads, 16 slots, as wide as the encoders), a learnt place of each slot, pooling from tokens already in the
common space (theirs are raw, of another width), alpha 1 with the divergence summed over classes (`reduction=mean` divides by
their number, as theirs does with alpha 3000), the mean of all predictors on rows without a label, numbers and classes that are
apart. The predictors are a teacher of late fusion as validation chose it, not the mean over their last 20 epochs. An absent
modality enters as zeros, not as masked noise. With alpha 0 nothing is there for the second branch, and labels teach both.
Use when: train rows hold different modalities, and in use they come together: sensors of different sites, sources joined late.
Related: `kd` from the same teacher of late fusion; fusion `concat` with `modality_dropout`, which only hides what a row has.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods.method import Answers, Kinds, Terms
from understudy.methods.options import check_weights, check_words, warn_idle
from understudy.methods.taught import Taught
from understudy.models.experts import LOGITS, POOLED
from understudy.models.model import Model
from understudy.models.slots import BRANCHES, MEAN, Branches
from understudy.objectives.kd import answer_kd
from understudy.objectives.objective import Objective, check_counts, only, summed
from understudy.tasks import Choice, MultiLabel, Regression, Retrieval, Task
from understudy.teachers.teacher import Teacher

AlignTo = Literal["auto", "class", "nearest"]
FUSIONS = (
    "umi's student has two branches over common slots, and pseudo-labels from a predictor of each modality: give the student the "
    "fusion 'slots', its teacher 'late'"
)


class UMI(Taught):
    """supervised (first branch) + alpha * pseudo (second branch) + align * sum over modalities of ||mean slot - u||^2.

    The student's fusion is "slots", the teacher's "late" or "experts", whose predictors give the pseudo-labels: of each labelled
    row the one closest to the truth. alpha, align: at least 0; with alpha 0 labels teach the mean of both branches. reduction: of
    the divergence over classes. align_to: u is the learnt token of the row's class, or of `anchors` (at least 1) learnt ones the
    nearest; "auto" is the class where there are classes. ValueError for other players, and for retrieval and choices.
    """

    weighs = True
    strengths = ("alpha",)

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        alpha: float = 1.0,
        align: float = 0.001,
        reduction: Literal["sum", "mean"] = "sum",
        align_to: AlignTo = "auto",
        anchors: int = 128,
    ) -> None:
        super().__init__(student, teacher)
        task = student.task
        self.check(task, {}, align_to=align_to)
        check_weights(alpha=alpha, align=align)
        check_counts(anchors=anchors)
        if not isinstance(student.head, Branches):
            raise ValueError(FUSIONS)
        if alpha and not teacher.experts:
            raise ValueError(FUSIONS)
        self.alpha, self.align, self.reduction, self.align_to, self.anchors = alpha, align, reduction, align_to, anchors
        by = ("class" if task.classed else "nearest") if align_to == "auto" else align_to
        check_words(self, UMI)
        warn_idle(
            self,
            UMI,
            {
                "reduction": (alpha and not isinstance(task, Regression), "alpha is 0, or a number has no classes"),
                "align_to": (align, "align is 0"),
                "anchors": (align and by == "nearest", "align is 0, or each class has its own"),
            },
        )
        number = isinstance(task, Regression)
        self.pseudo = answer_kd(task, temperature=2.0 if number else 1.0, distance="mse" if number else "l1")
        if align:
            width = student.fusion.width // 2
            self.common = objectives.CommonSpace([m + MEAN for m in student.modalities], width, task, by=by, tokens=anchors)

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, align_to: AlignTo, **others: Any) -> None:
        if isinstance(task, Retrieval | Choice):
            raise ValueError(f"umi joins whatever a row has into one answer of classes or a number, not a {task.kind}; use kd")
        if align_to == "class" and not task.classed:
            raise ValueError(f"align_to 'class' given, but a {task.kind} has no classes; use 'nearest'")

    @classmethod
    def check_players(cls, student: Kinds, teacher: Kinds, fusion: str, published: Mapping[str, str], **options: Any) -> None:
        if options["alpha"] and fusion not in ("late", "experts"):
            raise ValueError(FUSIONS)

    @classmethod
    def embeds(cls, *, alpha: float, **others: Any) -> bool:
        return alpha > 0

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        """None that reads what ships: each branch has a term of its own."""
        return {}

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        student = self.say("student", batch)
        terms = {"supervised": summed(self.supervised, of_branch(student, 0) if self.alpha else student)}
        if self.alpha:
            told = pseudo_labels(self.student.task, batch, self.teacher(batch), list(self.teacher.experts))
            weight = self.alpha / (self.student.task.outputs if self.reduction == "mean" else 1)
            terms["pseudo"] = summed(self.pseudo, of_branch(student, 1), told).times(weight)
        if self.align:
            terms["align"] = summed(self.common, student).times(self.align)
        return terms


def of_branch(answers: Answers, place: int) -> Answers:
    """What one branch alone says."""
    return [(seen, replace(answer, logits=answer.need(BRANCHES[place]))) for seen, answer in answers]


@torch.no_grad()
def pseudo_labels(task: Task, batch: Batch, teacher: Output, modalities: list[str]) -> Output:
    """Of a labelled row what the predictor says that is closest to the truth, of equals the first; of others the teacher's mean.

    Closest by the cosine of probabilities and truth, of classes that are apart beside their opposites; of numbers by distance. A
    row counts a predictor whose modality it has.
    """
    here = torch.stack([only(teacher.valid, teacher.need(m + POOLED)).any(dim=1) for m in modalities])
    said = torch.stack([only(row, teacher.need(m + LOGITS).float()) for m, row in zip(modalities, here, strict=True)])
    target = only(batch.labelled, batch.target)
    if isinstance(task, MultiLabel):
        told, truth = torch.cat([said.sigmoid(), 1 - said.sigmoid()], dim=2), torch.cat([target, 1 - target], dim=1)
        close = torch.cosine_similarity(told, truth.float()[None], dim=2)
    elif task.discrete:
        told = said.softmax(dim=2)
        close = told.gather(2, target.expand(len(told), -1)[:, :, None])[:, :, 0] / torch.linalg.vector_norm(told, dim=2)
    else:
        close = -torch.stack([task.loss(each, target) for each in said])
    best = close.where(here, -torch.inf).argmax(dim=0)
    chosen = said[best, torch.arange(said.shape[1], device=said.device)]
    valid = here.any(dim=0)
    mean = only(valid, teacher.need("logits").float())
    return Output(valid, logits=chosen.where(batch.labelled[:, None], mean), source="pseudo-labels")
