"""MAD: encoders that know one modality each teach a vision-language student, by row and by token as far as they deserve trust.

Idea: adaptive unimodal -> cross-modal distillation while the student is fine-tuned: each teacher's vector, and its tokens where
they matter, pull the student's, weighted by how right that teacher is about the row.
Paper: after Wang et al., "Multimodal Adaptive Distillation", 2022, arXiv 2204.10496; CLIP-TD, 2022, arXiv 2201.05729.
Differs: only the direction and the parts are theirs: pretrained unimodal teachers, tokens selected per instance, a dynamic
weight per instance, inference as before. Every formula, score, distance and default here is ours, and no published
number is claimed. The teacher is one model of `Experts`: a frozen encoder and a head a modality. With the true label as yardstick
("relative", "truth", "agreement") unlabelled rows have no weight; with "constant" and "none" they are distilled too. What is said
of a picture's patches teaches the student's patches or regions there (`regions`): off by default, since it was not measured.
Use when: the student reads text and pictures, there are good encoders of each alone, and about 1,000 labels or more.
Related: `kd` distils answers. With selection="none" confidence="none" weighting="uniform" this is naive distillation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from understudy.batches.batch import Batch, Output
from understudy.methods.mad_experts import ExpertHeads
from understudy.methods.mad_tokens import Score, Selection, check_texts, draws, region_terms, token_terms
from understudy.methods.mad_weights import Confidence, Weighting, confidences, mean_truth, trust
from understudy.methods.method import Kinds, Method, Terms, Tokens
from understudy.methods.options import check_weights
from understudy.methods.taught import Taught
from understudy.models.choices import repeated, unfolded, unfolded_rows
from understudy.models.experts import POOLED
from understudy.models.model import Model
from understudy.objectives.objective import Objective, Term, check_temperature, summed, together
from understudy.objectives.token_selection import TokenSelection
from understudy.objectives.unimodal import Unimodal, VectorDistance
from understudy.tasks import Choice, Regression, Task
from understudy.teachers.teacher import Teacher


class MAD(Taught):
    """supervised + weight * sum over teachers m of alpha_m c_m (vector term of m + token term, where m reads text).

    selection: which of the student's text tokens are taught: the share with the best scores ("topk"), as many drawn by score
    ("sampled") or evenly ("random", the control), "all", or "none" (no token term). score: a token's cosine with the teacher's
    vectors of other modalities ("cross": needs a shared space, such as CLIP's) or of the text ("pooled"). regions: the same of
    the picture's patches or regions, scored by the text or the picture itself. share: in (0, 1]; at least one token a row.
    confidence: c, the teacher's probability of the truth ("truth"), this over its mean in the batch
    ("relative": where to learn, not how much), its "agreement" with the truth, the mean of "truth" over the labelled train rows
    ("constant", the control; needs stored answers), or 1 ("none"). weighting: alpha over the
    teachers that a row has, adding up to 1. distance: see `vector_distance`. adaptive: whether the teacher's encoders first move
    to agree on matching pairs. Temperatures, above 0: of "sampled", of "softmax", of distance "infonce", of the adaptive stage.
    """

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 1.0,
        selection: Selection = "topk",
        score: Score = "cross",
        share: float = 0.3,
        regions: Selection = "none",
        confidence: Confidence = "relative",
        weighting: Weighting = "uniform",
        distance: VectorDistance = "l1",
        adaptive: bool = False,
        token_temperature: float = 0.1,
        weighting_temperature: float = 0.5,
        distance_temperature: float = 0.1,
        adaptive_temperature: float = 0.07,
    ) -> None:
        super().__init__(student, teacher)
        check_weights(weight=weight)
        check_temperature(weighting_temperature, usual="0.1 to 1")
        self.check(student.task, {}, confidence=confidence)
        self.confidence: Confidence = confidence
        self.weighting: Weighting = weighting
        self.weight, self.selection, self.score, self.share, self.regions = weight, selection, score, share, regions
        self.distance, self.adaptive = distance, adaptive
        self.token_temperature, self.weighting_temperature = token_temperature, weighting_temperature
        self.distance_temperature, self.adaptive_temperature = distance_temperature, adaptive_temperature
        self.constant: list[float] = []
        if not weight:
            return
        if not teacher.experts:
            raise ValueError("mad learns from a vector of each modality, and this teacher gives none; use fusion 'experts'")
        told: dict[str, Any] = {"distance": distance, "temperature": distance_temperature}
        vectors = {f"{m}_vector": (m + POOLED, student.fusion.width, width) for m, width in teacher.experts.items()}
        self.terms = nn.ModuleDict({name: Unimodal(*widths, **told) for name, widths in vectors.items()})
        told |= {"share": share, "sampling": token_temperature}
        self.terms.update(token_terms(student, teacher, selection, score, **told))
        self.terms.update(region_terms(student, teacher, regions, score, **told))

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, confidence: Confidence, **others: Any) -> None:
        if teacher_head:
            raise ValueError("mad learns from a head for each modality, so its teacher has no class prompts; leave them out")
        if confidence == "agreement" and isinstance(task, Regression):
            raise ValueError("confidence 'agreement' given, but a number has no likeliest class; use 'truth'")

    @classmethod
    def check_players(cls, student: Kinds, teacher: Kinds, fusion: str, published: Mapping[str, str], **options: Any) -> None:
        if fusion != "experts":
            raise ValueError("mad learns from a head for each modality: give its teacher the fusion 'experts'")
        check_texts(student, teacher, published, **options)

    @classmethod
    def embeds(cls, **options: Any) -> bool:
        return True

    @classmethod
    def tokens(cls, *, weight: float, selection: Selection, regions: Selection, **others: Any) -> Tokens:
        if not weight or selection == regions == "none":
            return False
        return "text" if regions == "none" else "located"

    @classmethod
    def lead(cls, teacher: Model, *, adaptive: bool, adaptive_temperature: float, **others: Any) -> Method | None:
        return ExpertHeads(teacher, adaptive=adaptive, temperature=adaptive_temperature)

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        super().meet(ids, target, labelled)
        if self.weight and self.confidence == "constant":
            here = np.flatnonzero(labelled)
            self.constant = mean_truth(self.teacher, [ids[row] for row in here.tolist()], target[here])

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        """None that weighs all rows alike."""
        return {}

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        student = self.say("student", batch)
        terms = {"supervised": summed(self.supervised, student)}
        if not self.weight:
            return terms
        teacher = self.teacher(batch)
        found = [self.pulled(seen, answer, teacher) for seen, answer in student]
        return terms | {name: together([each[name] for each in found]).times(self.weight) for name in self.terms}

    def pulled(self, batch: Batch, student: Output, teacher: Output) -> Terms:
        """The terms of one branch, all over the rows that any modality of the teacher counts in; of choices, over their texts."""
        task, modalities = self.student.task, list(self.teacher.experts)
        said, sure = confidences(self.confidence, task, batch, teacher, modalities, self.constant)
        weight = trust(sure, said, weighting=self.weighting, temperature=self.weighting_temperature)
        terms, rows = {}, student.valid & said.any(dim=1)
        if isinstance(task, Choice):
            count = task.choices
            batch, student, teacher = unfolded_rows(batch, count), unfolded(student, count), unfolded(teacher, count)
            rows, weight = repeated(rows, count), repeated(weight, count)
        for name, term in self.terms.items():
            own = [weight[:, modalities.index(name.rpartition("_")[0])]]
            if isinstance(term, TokenSelection) and term.choosing in ("sampled", "random"):
                own.append(draws(batch, student, seed=self.seed, step=self.step, of=term.of))
            terms[name] = Term(term(batch, student, teacher, *own).total, rows.sum(dtype=weight.dtype))
        return terms
