"""CET: two students that see a row differently compete; the more reliable one moves the teacher, and the teacher guides both.

Idea: of two students with different disturbances the one that is more reliable at the moment lends its weights to an exponential
moving average (EMA), which sees everything, learns by no gradient, draws both towards itself, and ships.
Paper: after Shi, Zhang, Wang, on competitive ensembling for semi-supervised left-atrium MRI segmentation, arXiv 2310.13955, 2023.
Differs: a reading of its abstract, which states two students with different task-level disturbances that learn from each other, a
competitive ensembling of the more reliable information into one teacher, and a teacher that guides both. All else is ours, and no
published number is claimed: students are modalities here, and the task is whatever the run has. Each student sees its own
modalities, and of those of the other only the share that is not hidden, by row; the teacher sees all, in evaluation mode. Both
start as the same network, so that their weights have a mean. Who wins is decided over the rows of all processes, of equals the
first; where nobody can be judged the last winner stays. Squared differences of probabilities and the ramp are as usual with mean
teachers; each student's loss on labels is the task's, by which both are judged alike.
Use when: few rows are labelled, there is no better teacher, and rows have two modalities or more. Batches of labelled and
unlabelled rows are what every run has.
Related: `self_distillation` is one student and its EMA, of which the student ships.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.methods import schedules
from understudy.methods.method import Method, Terms
from understudy.methods.options import check_weights, check_words, warn_idle
from understudy.models.model import Model
from understudy.objectives.consistency import entropy
from understudy.objectives.gather import gathered
from understudy.objectives.objective import Term, check_counts, check_temperature, over, together
from understudy.tasks import Regression, Retrieval, Task

PEERS = ("first", "second")
Reliability = Literal["supervised", "uncertainty", "agreement"]
Source = Literal["winner", "softmax", "first"]


class CET(Method):
    """For each student: supervised + weight * ramp * (difference from the other one + difference from the teacher).

    weight: at least 0. ramp: updates over which it grows. own: how many of the modalities, in order, are the first student's own;
    the rest are the second's. hide: share of the other's that a student does not see, in [0, 1]. reliability: the loss on labels,
    the entropy of the answers, or the difference from the teacher; the less the better. granularity: judged anew after each
    update ("batch") or over an epoch. source: what the teacher averages: the winner, both by a softmax of -reliability /
    temperature (above 0), or always the first. decay: in [0, 1), the share of the teacher that an update keeps, from 0 on as
    1 - 1 / (update + 1). peer_detach: whether the other's answer is only a target. ValueError for a student of one modality, and
    for retrieval.
    """

    weighs = True
    share: Tensor
    judged: Tensor

    def __init__(
        self,
        student: Model,
        *,
        weight: float = 1.0,
        ramp: int = 600,
        own: int = 1,
        hide: float = 0.5,
        reliability: Reliability = "supervised",
        granularity: Literal["batch", "epoch"] = "batch",
        source: Source = "winner",
        temperature: float = 0.1,
        decay: float = 0.99,
        peer_detach: bool = True,
    ) -> None:
        super().__init__()
        task = student.task
        self.check(task, {}, reliability=reliability)
        check_weights(weight=weight, ramp=float(ramp))
        check_counts(own=own)
        check_temperature(temperature, usual="0.01 to 1")
        if own >= len(student.modalities):
            raise ValueError(
                f"cet's two students are modalities, and own {own} of {', '.join(student.modalities)} leaves the second none; "
                "let the student read more"
            )
        if not 0 <= hide <= 1 or not 0 <= decay < 1:
            raise ValueError(f"hide {hide} and decay {decay} given; hide must be in [0, 1] and decay in [0, 1)")
        self.weight, self.ramp, self.own, self.hide, self.decay = weight, ramp, own, hide, decay
        self.reliability, self.granularity, self.source = reliability, granularity, source
        self.temperature, self.peer_detach = temperature, peer_detach
        check_words(self, CET)
        competes = source != "first"
        warn_idle(
            self,
            CET,
            {
                "reliability": (competes, "source is 'first'"),
                "granularity": (competes, "source is 'first'"),
                "temperature": (source == "softmax", "source is no softmax"),
                "ramp": (weight, "weight is 0"),
                "peer_detach": (weight, "weight is 0"),
            },
        )
        self.first, self.second = deepcopy(student), deepcopy(student)
        self.student = student.requires_grad_(False)
        self.supervised = objectives.Supervised(task)
        self.peers = objectives.Consistency(task, detach=peer_detach)
        self.guided = objectives.Consistency(task)
        self.register_buffer("share", torch.zeros(()))
        self.register_buffer("judged", torch.zeros(3))
        self.heard: dict[int, Tensor] = {}
        self.train()

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], *, reliability: Reliability, **others: Any) -> None:
        if isinstance(task, Retrieval):
            raise ValueError("cet's students join what they see into one answer, not a retrieval; use self_distillation")
        if reliability == "uncertainty" and isinstance(task, Regression):
            raise ValueError("reliability 'uncertainty' given, but a regression has no probabilities; use 'supervised'")

    def train(self, mode: bool = True) -> "CET":
        """As any module, but the teacher stays in evaluation mode."""
        super().train(mode)
        self.student.eval()
        return self

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        said = [self.answer(name, batch) for name in PEERS]
        terms = {name: self.supervised(batch, each) for name, each in zip(PEERS, said, strict=True)}
        losses = [*terms.values()]
        if self.weight or self.reliability == "agreement":
            with torch.no_grad():
                teacher = self.student(batch)
            apart = [self.guided(batch, each, teacher) for each in said]
            if self.weight:
                grown = self.weight * schedules.late_ramp(self.update, steps=self.ramp)
                both = [self.peers(batch, *pair) for pair in (said, said[::-1])]
                terms |= {"peers": together(both).times(2 * grown), "teacher": together(apart).times(2 * grown)}
            losses = apart if self.reliability == "agreement" else losses
        if self.reliability == "uncertainty":
            losses = [entropy(self.student.task, batch, each) for each in said]
        one, other = (each.total.detach() for each in losses)
        self.heard[self.step] = torch.stack([one, other, losses[0].count])
        rows = over(said[0].valid, torch.ones_like(batch.labelled, dtype=one.dtype), batch.weight)
        return terms | {"first.share": Term(rows.total * (1 - self.share), rows.count)}

    def answer(self, name: str, batch: Batch) -> Output:
        """What a student says of what it sees; the first one draws as what ships would."""
        student = getattr(self, name)
        if student.training:
            self.draw("student" if name == "first" else name, batch)
        return student(self.disturbed(name, batch))

    def disturbed(self, name: str, batch: Batch) -> Batch:
        """The batch with the other's modalities hidden by row; all stay where a row has none of the student's own."""
        mine = self.own_of(name)
        others = [m for m in batch.present if m in self.student.modalities and m not in mine]
        if not self.hide or not others:
            return batch
        drawn = batch.draws(len(others), key=f"{self.seed}/{name}/{self.step}") >= self.hide
        spared = ~batch.seen_by(mine)
        hidden = {m: batch.present[m] & (drawn[:, place] | spared) for place, m in enumerate(others)}
        return replace(batch, present={**batch.present, **hidden})

    def own_of(self, name: str) -> tuple[str, ...]:
        """The modalities that this student always sees."""
        return self.student.modalities[: self.own] if name == "first" else self.student.modalities[self.own :]

    @torch.no_grad()
    def after_step(self) -> None:
        """Judge both over the rows of all processes, and move the teacher."""
        super().after_step()
        told = sum(self.heard.values(), torch.zeros_like(self.judged))
        self.heard.clear()
        self.judged += gathered(told[None]).sum(dim=0)
        if self.granularity == "batch":
            self.decide()
        self.average()

    def after_epoch(self, scores: dict[str, float]) -> None:
        if self.granularity == "epoch":
            self.decide()

    @torch.no_grad()
    def decide(self) -> None:
        """How much of each student the teacher averages, by all that was judged since the last time; unjudged, as before."""
        one, other, count = self.judged.tolist()
        self.judged.zero_()
        if self.source == "first" or not count:
            return
        second = torch.tensor((one - other) / count / self.temperature, dtype=torch.float64).sigmoid()
        self.share.copy_(second if self.source == "softmax" else torch.tensor(float(other < one)))

    def average(self) -> None:
        """The EMA; what is not a number to average is copied of the better one.

        Where everything of the other is hidden, an encoder learns from the student alone whose modality it reads.
        """
        share, moved = float(self.share), 1 - min(self.decay, 1 - 1 / (self.update + 1))
        one, two = (getattr(self, name).state_dict() for name in PEERS)
        mine = tuple(f"encoders.{m}." for m in self.own_of("first"))
        for name, value in self.student.state_dict().items():
            read = self.hide == 1 and name.startswith("encoders.")
            second = float(not name.startswith(mine)) if read else share
            if not value.is_floating_point():
                value.copy_((two if second > 0.5 else one)[name])
            elif second in (0, 1):
                value.lerp_((one, two)[int(second)][name], moved)
            else:
                value.lerp_(one[name].lerp(two[name], second), moved)
