"""The abstract Method: the players of one paper, the objectives that bind them, and what each batch costs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from understudy.batches.batch import NOTHING, Batch, Output, Wanted
from understudy.models.model import Model, branches_of, views_of
from understudy.objectives.objective import Objective, Term
from understudy.prepare.view import Views
from understudy.tasks import Task
from understudy.teachers.teacher import Frozen, Teacher

Terms = dict[str, Term]
Answers = list[tuple[Batch, Output]]
"""What a player is shown of a batch, and what it says of that."""
Tokens = Literal[False, "text", "located"]
"""As a store keeps them: none, those of a text, or those that lie somewhere in a text or picture."""
Kinds = Mapping[str, str]
"""The kind of each modality that a player reads."""
Beside = Literal["", "fresh", "trained"]
"""A teacher that stays frozen, one that starts untrained, and one that goes on from where it was led."""


@dataclass(frozen=True, eq=False)
class Group:
    """Parameters that share a player (clipped together), a part (one optimiser each) and a learning rate."""

    player: str
    parameters: list[nn.Parameter]
    pretrained: bool = False
    part: str = "main"


class Method(nn.Module, ABC):
    """`forward(batch, part)` is the only entry: anything else around a DDP wrapper would not average gradients.

    Children are the players and objectives that train; a frozen Teacher is a plain attribute, never a child, so it is in no
    checkpoint and no optimiser. Every hook but `forward` has a default that does nothing.
    `options` of a class method are the constructor's own, all of them: its defaults stand there alone.
    """

    student: Model
    """What ships."""
    step: int = 0
    """Position of the batch in the whole run, which decides its randomness; set by `fit`, as are the next four."""
    update: int = 0
    """Updates before this one, of which each may take several batches: what schedules and turns go by."""
    epoch: int = 0
    """Epochs before this one: what a weight that falls from epoch to epoch goes by."""
    seed: int = 0
    process: int = 0
    weighs: bool = False
    """Whether each of its terms is a mean over rows that heeds `Batch.weight`."""
    needs_labels: bool = False
    """Whether a row without a label says nothing to it: its batches then hold none."""

    strengths: tuple[str, ...] = ("weight",)
    """The options that say how strongly it teaches."""
    shares: bool = False
    """Whether these are shares of the loss, in [0, 1], the rest of which is the labels'."""

    @classmethod
    def stronger(cls, times: float, **options: Any) -> dict[str, float]:
        """The options of how strongly it teaches, so many times as strong; of shares their odds."""
        rest = {name: 1 - options[name] + times * options[name] if cls.shares else 1.0 for name in cls.strengths}
        return {name: times * options[name] / rest[name] for name in cls.strengths}

    @classmethod
    def check(cls, task: Task, teacher_head: Mapping[str, Any], **options: Any) -> None:
        """ValueError where the method cannot do what `options` ask on this task with this head; asked before a run begins."""

    @classmethod
    def check_players(cls, student: Kinds, teacher: Kinds, fusion: str, published: Mapping[str, str], **options: Any) -> None:
        """ValueError where the method cannot bind these players; asked before a run begins.

        fusion: the teacher's, by name. published: what reads each of its modalities that no encoder of ours reads, by name.
        """

    @classmethod
    def embeds(cls, **options: Any) -> bool:
        """Whether it reads the teacher's embedding; an ensemble gives none."""
        return False

    @classmethod
    def tokens(cls, **options: Any) -> Tokens:
        """Of which tokens it reads what the teacher says, which is then stored too: none, a text's, or a picture's as well."""
        return False

    @classmethod
    def wants(cls, student: Sequence[str], teacher: Sequence[str], **options: Any) -> Wanted:
        """What else it reads that a teacher can say, which is then stored too: answers to some modalities alone, inner layers.

        student, teacher: the modalities that they read.
        """
        return NOTHING

    @classmethod
    def lead(cls, teacher: Model, **options: Any) -> "Method | None":
        """How this paper trains its teacher alone: a method whose student is `teacher`; None = on its labels, as ever.

        `options` are the method's own; the keyword arguments that an override names are those that the teacher depends on.
        """
        return None

    @classmethod
    def beside(cls, **options: Any) -> Beside:
        """Whether the teacher trains beside the student, and from where: `teacher` is then a Model, not a frozen Teacher."""
        return ""

    @classmethod
    def assisted(cls, **options: Any) -> bool:
        """Whether the teacher teaches an assistant, of the student's kind and twice its width, which teaches the student."""
        return False

    @classmethod
    def assist(cls, student: Model, teacher: Teacher, **options: Any) -> "Method":
        """Of an `assisted` method, how the assistant learns: a method whose `student` it is."""
        raise NotImplementedError(f"{cls.__name__} has no assistant")

    @classmethod
    def fixed_auxiliary(cls, **options: Any) -> bool:
        """Of a method with an auxiliary player: whether it is trained on its labels first and stays as it is."""
        return False

    @abstractmethod
    def forward(self, batch: Batch, part: str = "main") -> Terms:
        """Term name -> (sum, count), already weighted; the same names for every batch of a part.

        A name with a dot is no loss but a figure about one, without gradient: the mean of `ts.ceiling` is logged beside `ts`.
        Changes nothing that lasts (that is `after_step`): `fit` may ask twice about one batch.
        """

    def views(self) -> Views:
        """Every view that a batch must hold: the student's, unless a method says more."""
        return views_of(self.student)

    def parts(self) -> tuple[str, ...]:
        """The parts a step runs, in order; each has its own optimiser."""
        return ("main",)

    def groups(self) -> list[Group]:
        """One group for each child's new parameters, and one for its pretrained ones."""
        return [group for name, child in self.named_children() for group in groups_of(name, child)]

    def meet(self, ids: Sequence[str], target: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
        """The training rows, once before `fit`, for objectives that remember rows; where not `labelled`, `target` is filler."""
        for objective in self.objectives():
            objective.meet(ids, target, labelled)

    def after_step(self) -> None:
        """After the optimisers stepped: EMA, and momentum banks."""
        for objective in self.objectives():
            objective.update()

    def objectives(self) -> list[Objective]:
        """Those of this method, in order."""
        return [child for child in self.children() if isinstance(child, Objective)]

    def after_epoch(self, scores: dict[str, float]) -> None:
        """After validation: gated weights, monitors."""

    def play(self, name: str, batch: Batch, wanted: Wanted = NOTHING) -> Output:
        """The answer of player `name` under its own randomness, and what else is wanted of it."""
        player = getattr(self, name)
        if player.training:
            self.draw(name, batch)
        return player(batch, wanted)

    def draw(self, name: str, batch: Batch) -> None:
        """Let what is drawn next depend on (seed, player, step, process) alone.

        So no player's dropout depends on who else plays, and a resumed run draws what the uninterrupted one drew.
        """
        # torch.manual_seed queues the seed for CUDA with a stack trace (0.1 ms) even where nothing runs on CUDA.
        generator = torch.default_generator if batch.labelled.device.type == "cpu" else torch
        generator.manual_seed(crc32(f"{self.seed}/{name}/{self.step}/{self.process}".encode()))

    def say(self, name: str, batch: Batch, wanted: Wanted = NOTHING) -> Answers:
        """What player `name`, a Model or a frozen Teacher, says of a batch, branch by branch; of a Model, what else is wanted."""
        player = getattr(self, name)
        if isinstance(player, Model):
            return [(seen, self.play(name, seen, wanted)) for _, seen in branches_of(player, batch)]
        branches = branches_of(player.model, batch) if isinstance(player, Frozen) else [("", batch)]
        return [(seen, player(seen)) for _, seen in branches]


def groups_of(player: str, module: nn.Module) -> Iterator[Group]:
    """Trainable parameters of a player, those of pretrained encoders apart."""
    old: dict[int, nn.Parameter] = {}
    if isinstance(module, Model):
        old = {id(p): p for p in module.published() if p.requires_grad}
    new = [p for p in module.parameters() if p.requires_grad and id(p) not in old]
    if old:
        yield Group(player, list(old.values()), pretrained=True)
    if new:
        yield Group(player, new)
