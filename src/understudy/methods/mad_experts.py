"""ExpertHeads: how MAD prepares its teacher: a head a modality on frozen encoders, which may first learn to match pairs.

All of it is ours. Only labelled rows count: that keeps a comparison on few labels honest.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from understudy.batches.batch import Batch
from understudy.methods.method import Group, Method, Terms
from understudy.models.experts import POOLED, Experts
from understudy.models.model import Model
from understudy.objectives.infonce import infonce
from understudy.objectives.objective import check_temperature, only, over, unit
from understudy.prepare.cells import TEXTS
from understudy.tasks import Choice, Classification

MATCH = "entailment"
"""The class whose rows hold a text that goes with its picture; of a task without it, every labelled row does."""


class ExpertHeads(Method):
    """The task's loss of each modality's own head, over labelled rows that have it.

    adaptive: the encoders are no longer frozen but moved, at the plan's rate for pretrained weights, by symmetric InfoNCE at
    `temperature` between the text and each other modality of matching labelled rows, of choices with the right one. The heads
    read them without a gradient all the while. Frozen encoders are asked once about each row; a resumed training asks them again
    in other batches, which may change last digits.
    """

    needs_labels = True

    def __init__(self, teacher: Model, *, adaptive: bool = False, temperature: float = 0.07) -> None:
        super().__init__()
        check_temperature(temperature, usual="0.05 to 0.1")
        if not isinstance(teacher.head, Experts):
            raise ValueError(f"{teacher.name} has no head for each modality, which mad trains; build it with fusion 'experts'")
        self.student, self.adaptive, self.temperature = teacher, adaptive, temperature
        self.pairs = pairs_of(teacher) if adaptive else ()
        self.remembers = not adaptive and not any(view.random for view in teacher.views.values())
        self.remembered: dict[str, dict[str, Tensor]] = {}
        teacher.encoders.requires_grad_(adaptive)

    def groups(self) -> list[Group]:
        head = Group("student", list(self.student.head.parameters()))
        moved = Group("student", list(self.student.encoders.parameters()), pretrained=True)
        return [head, moved] if self.adaptive else [head]

    def train(self, mode: bool = True) -> "ExpertHeads":
        """A frozen encoder has no dropout and hides no modality."""
        super().train(mode)
        if not self.adaptive:
            self.student.eval()
        return self

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        pooled = self.vectors(batch)
        head, task = self.student.head, self.student.task
        assert isinstance(head, Experts)
        target, terms = only(batch.labelled, batch.target), {}
        here = {m: batch.labelled & each.detach().flatten(1).any(dim=1) for m, each in pooled.items()}
        for modality, logits in head.apart(pooled).items():
            said = only(here[modality], logits.squeeze(-1) if isinstance(task, Choice) else logits).float()
            terms[modality] = over(here[modality], task.loss(said, target))
        for text, other in self.pairs:
            rows = here[text] & here[other] & self.matching(target)
            ours, theirs = self.pair(pooled[text], pooled[other], target)
            ours, theirs = unit(only(rows, ours.float())), unit(only(rows, theirs.float()))
            terms[f"{text}_{other}"] = over(rows, infonce(ours, theirs, rows, temperature=self.temperature))
        return terms

    def vectors(self, batch: Batch) -> dict[str, Tensor]:
        """Each modality's vectors `[B D]`, of choices `[B K D]`; of frozen encoders, 0 in rows without a label."""
        known = batch.labelled.tolist()
        if (
            self.remembers
            and any(known)
            and all(row in self.remembered for row, here in zip(batch.id, known, strict=True) if here)
        ):
            nothing = {m: torch.zeros_like(each) for m, each in next(iter(self.remembered.values())).items()}
            rows = [self.remembered[row] if here else nothing for row, here in zip(batch.id, known, strict=True)]
            return {m: torch.stack([row[m] for row in rows]) for m in nothing}
        features = self.play("student", batch).features
        found = {m: features[m + POOLED] for m in self.student.modalities}
        if self.remembers:
            labelled = [(place, row) for place, row in enumerate(batch.id) if known[place]]
            self.remembered |= {row: {m: each[place].detach() for m, each in found.items()} for place, row in labelled}
        return found

    def matching(self, target: Tensor) -> Bool[Tensor, " B"]:
        """Rows whose text goes with what is beside it."""
        task = self.student.task
        if isinstance(task, Classification) and MATCH in task.classes:
            return target == task.classes.index(MATCH)
        return torch.ones(len(target), dtype=torch.bool, device=target.device)

    def pair(self, text: Tensor, other: Tensor, target: Tensor) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B D"]]:
        """The vectors of each row that belong together; of choices, those of the right one."""
        if not isinstance(self.student.task, Choice):
            return text, other
        rows = torch.arange(len(target), device=target.device)
        return text[rows, target], other[rows, target]


def pairs_of(teacher: Model) -> tuple[tuple[str, str], ...]:
    """The text and each other modality; ValueError where there are no such two, or they have no common space."""
    texts = [m for m, view in teacher.views.items() if view.kind in TEXTS]
    others = [m for m in teacher.modalities if m not in texts]
    widths = teacher.fusion.widths
    if len(texts) != 1 or not others or any(widths[m] != widths[texts[0]] for m in others):
        said = ", ".join(f"{m} ({width} numbers)" for m, width in widths.items())
        raise ValueError(f"adaptive=True pulls one text and other modalities together in one space; the teacher has {said}")
    return tuple((texts[0], other) for other in others)
