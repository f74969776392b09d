"""MSD: the student also imitates what the teacher says of each modality alone, as far as the teacher rests on it.

Idea: beside the answer to the full input there is one auxiliary term a modality, on a view in which all others are blank, so that
the student keeps an answer when only that one is left.
Paper: Jin, Sanjabi, Nie, Tan, Ren, Firooz, "MSD: Saliency-aware Knowledge Distillation for Multimodal Understanding", Findings of
EMNLP 2021, arXiv 2101.01881.
Differs: one term a modality, weights by saliency and a scheme that learns them are the paper's; only its abstracts were at hand,
so every formula, default and number is ours. A blank modality is an absent one, for both players. Saliency is how far the
teacher's answer to what the student reads moves without the modality; a weight is scale * tanh of it, 1 where a row has no
other. The teacher is not trained on blank views. A term is a mean over the rows that both see, one without the modality as 0.
Learned weights come from a small network that one look-ahead step of the student judges on held-out train rows.
Use when: the student reads several modalities, and some of them may be missing in use.
Related: `kd` is `weights=none`, bit for bit; `mad` takes vectors from encoders that know one modality each.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from understudy import objectives
from understudy.batches.batch import NOTHING, Batch, Output, Wanted, shown
from understudy.methods.method import Answers, Group, Terms
from understudy.methods.msd_learned import Parameters, Weigher, held_out, kept_back, look_ahead, without_rows
from understudy.methods.msd_weights import Measure, Weights, mean_saliency, saliency, subsets_of
from understudy.methods.options import check_weights, check_words, warn_idle
from understudy.methods.taught import Taught
from understudy.models.model import Model, branches_of
from understudy.objectives.kd import Distance, answer_kd
from understudy.objectives.objective import Objective, Term, check_counts, only, summed
from understudy.tasks import Regression
from understudy.teachers.teacher import Teacher


class MSD(Taught):
    """(1 - weight) * supervised + weight * (kd + sum over modalities m of w_m * kd of the view that shows m alone).

    weight: in [0, 1]; at 0 the teacher is not asked. weights: w of each row by its saliency ("instance"), by the mean saliency of
    all train rows ("population": needs stored answers), "learned", or 0 ("none"). saliency: how far the teacher's answer moves
    without the modality ("divergence"), or by how much its loss on the label grows ("loss_gap": rows with a label). scale: at
    least 0, the largest w. divergence: of answers in classes, KL at `temperature` or the squared difference of logits. distance:
    of numbers. Of learned weights, meta: the share of the train rows that judges them and teaches nothing else, in (0, 0.5];
    look_ahead: the rate of the step that is judged; meta_every: updates, one of which moves them. ValueError for options that
    cannot be, and a teacher that reads none of the student's modalities; a warning for those without effect.
    """

    weighs = True
    shares = True

    def __init__(
        self,
        student: Model,
        teacher: Teacher,
        *,
        weight: float = 0.5,
        weights: Weights = "instance",
        saliency: Measure = "divergence",
        scale: float = 1.0,
        temperature: float = 2.0,
        divergence: Literal["kl", "mse"] = "kl",
        distance: Distance = "l1",
        meta: float = 0.1,
        look_ahead: float = 0.1,
        meta_every: int = 1,
    ) -> None:
        super().__init__(student, teacher)
        self.weights: Weights = weights
        self.saliency: Measure = saliency
        self.weight, self.scale, self.meta, self.look_ahead, self.meta_every = weight, scale, meta, look_ahead, meta_every
        self.temperature, self.divergence, self.distance = temperature, divergence, distance
        check_options(self)
        self.labels = 1 - weight
        squared = divergence == "mse" and not isinstance(student.task, Regression)
        told = {"temperature": temperature, "distance": distance}
        self.kd = objectives.RegressionKD(distance="mse") if squared else answer_kd(student.task, **told)
        wanted = self.wants(student.modalities, teacher.modalities, weight=weight, weights=weights, scale=scale)
        self.modalities = tuple(m for m in student.modalities if m in teacher.modalities) if wanted != NOTHING else ()
        self.teacher, self.alone = teacher.saying(wanted), Wanted(tuple((m,) for m in self.modalities))
        self.view_kd = objectives.ViewKD(self.modalities, self.kd) if self.modalities else None
        self.weigher = Weigher(len(self.modalities), scale=scale) if self.view_kd and weights == "learned" else None
        self.population = torch.ones(len(self.modalities))

    @classmethod
    def wants(
        cls, student: Sequence[str], teacher: Sequence[str], *, weight: float, weights: Weights, scale: float, **others: Any
    ) -> Wanted:
        if not weight or not scale or weights == "none":
            return NOTHING
        both = [modality for modality in student if modality in teacher]
        if not both:
            raise ValueError(f"msd shows the teacher what the student reads ({', '.join(student)}), and it reads none of that")
        return Wanted(subsets_of(both, teacher))

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        super().meet(ids, target, labelled)
        if self.view_kd and self.weights == "population":
            self.population = mean_saliency(self.teacher, ids, target, labelled, self.modalities, self.saliency)
        kept = held_out(ids, self.meta).numpy() & labelled
        if self.weigher and (not kept.any() or kept.sum() == labelled.sum()):
            few = f"meta {self.meta} keeps back {kept.sum()} of {labelled.sum()} labelled train rows"
            raise ValueError(f"{few}, and some have to teach and some to judge; choose another share, or weights 'instance'")

    def parts(self) -> tuple[str, ...]:
        return ("meta", "main") if self.weigher else ("main",)

    def groups(self) -> list[Group]:
        found = [group for group in super().groups() if group.player != "weigher"]
        return [*found, Group("weigher", list(self.weigher.parameters()), part="meta")] if self.weigher else found

    def pulls(self) -> dict[str, tuple[Objective, float]]:
        return {"kd": (self.kd, self.weight)} if self.weight else {}

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        if not self.view_kd:
            return super().forward(batch)
        if part == "meta" and self.update % self.meta_every:
            return {"look_ahead": Term(*torch.zeros(2, device=batch.labelled.device))}
        teacher = self.teacher(batch)
        if part == "meta":
            return {"look_ahead": self.judged(batch, teacher)}
        return self.terms(batch, self.heard(batch, self.alone), teacher)

    def heard(self, batch: Batch, wanted: Wanted, parameters: Parameters | None = None) -> Answers:
        """What the student says of a batch, with `parameters` in place of its own; what is wanted, where it has no branches."""
        answers = []
        for modality, seen in branches_of(self.student, batch):
            asked = NOTHING if modality else wanted
            if parameters is None:
                answers.append((seen, self.play("student", seen, asked)))
                continue
            if self.student.training:
                self.draw("student", seen)
            answers.append((seen, functional_call(self.student, dict(parameters), (seen, asked))))
        return answers

    def viewed(self, answers: Answers) -> Output:
        """What the student says of views; each branch is one."""
        if not self.student.branches:
            return answers[0][1]
        valid = torch.stack([answer.valid for _, answer in answers]).any(dim=0)
        features = {shown((m,)): said.need("logits") for m, (_, said) in zip(self.student.branches, answers, strict=True)}
        return Output(valid, features=features, source=self.student.name)

    def terms(self, batch: Batch, answers: Answers, teacher: Output, *, meta: bool = False) -> Terms:
        """What the student learns of what it said. meta: whether the gradient reaches the weigher."""
        assert self.view_kd
        if self.weigher:
            held = held_out(batch.id, self.meta).to(batch.labelled.device)
            answers = [(seen, without_rows(answer, held)) for seen, answer in answers]
        terms = {"supervised": summed(self.supervised, answers).times(self.labels)}
        terms["kd"] = summed(self.kd, answers, teacher).times(self.weight)
        rows, losses = self.view_kd.losses(self.viewed(answers), teacher)
        with torch.set_grad_enabled(meta):
            weights = self.weighed(batch, teacher, losses)
        times = rows.float() if batch.weight is None else only(rows, batch.weight.float())
        count, pulled, weighed = times.sum(), times @ (losses * weights) * self.weight, times @ weights.detach()
        for modality, pull, weight in zip(self.modalities, pulled.unbind(), weighed.unbind(), strict=True):
            terms[f"{modality}_view"], terms[f"{modality}_view.weight"] = Term(pull, count), Term(weight, count)
        return terms

    def weighed(self, batch: Batch, teacher: Output, losses: Tensor) -> Tensor:
        """w [B M]."""
        if self.weights == "population":
            return (self.scale * self.population.to(losses.device).tanh()).expand_as(losses)
        salient = saliency(self.student.task, batch, teacher, self.modalities, measure=self.saliency)
        return self.weigher(salient, losses) if self.weigher else self.scale * salient.tanh()

    def judged(self, batch: Batch, teacher: Output) -> Term:
        """The loss on labels of the rows that are kept back, after a look-ahead step; only the weigher takes its gradient."""
        kept = kept_back(batch, held_out(batch.id, self.meta).to(batch.labelled.device))

        def learnt(parameters: Parameters) -> list[Term]:
            terms = self.terms(batch, self.heard(batch, self.alone, parameters), teacher, meta=True)
            return [term for name, term in terms.items() if "." not in name]

        def loss(parameters: Parameters) -> Term:
            return summed(self.supervised, self.heard(kept, NOTHING, parameters))

        assert self.weigher
        return look_ahead(self.student, self.weigher, learnt, loss, rate=self.look_ahead)


def check_options(msd: MSD) -> None:
    """ValueError for an option that cannot be; a warning for one without effect."""
    check_words(msd, MSD)
    if not 0 <= msd.weight <= 1 or not 0 < msd.meta <= 0.5:
        raise ValueError(f"weight {msd.weight}, meta {msd.meta} given; weight must be in [0, 1], meta above 0 and at most 0.5")
    check_weights(scale=msd.scale, look_ahead=msd.look_ahead)
    check_counts(meta_every=msd.meta_every)
    views, learned = bool(msd.weight and msd.scale and msd.weights != "none"), msd.weights == "learned"
    effects: dict[str, tuple[object, str]] = {
        "weights": (msd.weight and msd.scale, "weight or scale is 0"),
        "scale": (msd.weight and msd.weights != "none", "weight is 0, or weights are 'none'"),
        "saliency": (views, "no view is taught: see weight, weights and scale"),
        "divergence": (not isinstance(msd.student.task, Regression), "a number is compared by distance"),
    }
    effects |= dict.fromkeys(("meta", "look_ahead", "meta_every"), (views and learned, "weights are not learned"))
    warn_idle(msd, MSD, effects)
