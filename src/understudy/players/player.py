"""Player: what a teacher or a student is asked to be; Sizes: how large its networks are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from understudy.corpus import named
from understudy.encoders.clip import Freeze
from understudy.players.brought import labelled
from understudy.players.fusions import DEPTH, SLOTS
from understudy.players.options import typed
from understudy.training.plan import Plan


@dataclass(frozen=True)
class Sizes:
    """Of a model's networks; ValueError for a value that cannot be meant.

    width: of encoders and what joins them. dropout: everywhere in them. modality_dropout: how often a modality is hidden in
    training. freeze: what never trains of a published video encoder. depth: of a single stream or slots, in blocks. lora: rank of
    the matrices that train in place of a published encoder's own (Hu et al. 2021, arXiv 2106.09685); 0 trains those themselves.
    slots: how many, of that fusion.
    """

    width: int = 128
    dropout: float = 0.1
    modality_dropout: float = 0.0
    freeze: Freeze = "tower"
    depth: int = DEPTH
    lora: int = 0
    slots: int = SLOTS

    def __post_init__(self) -> None:
        allowed = {
            "width": (self.width >= 1, "1 or more"),
            "dropout": (0 <= self.dropout < 1, "a probability, 0 or more and below 1"),
            "modality_dropout": (0 <= self.modality_dropout <= 1, "a probability, 0 to 1"),
            "depth": (self.depth >= 1, "1 block or more"),
            "lora": (self.lora >= 0, "a rank, 0 or more"),
            "slots": (self.slots >= 2 and self.slots % 2 == 0, "an even number, 2 or more"),
        }
        for name, (fine, said) in allowed.items():
            if not fine:
                raise ValueError(f"a model: {name} is {getattr(self, name)!r}; allowed: {said}")

    def changed(self, changes: "Sizes | Mapping[str, Any] | None") -> "Sizes":
        """These with some changed, or others; ValueError for an unknown name or a value of another type."""
        if isinstance(changes, Sizes):
            return changes
        return replace(self, **typed("a model", changes or {}, {each.name: each.type for each in fields(Sizes)}))


@dataclass(frozen=True)
class Player:
    """What a teacher or a student is asked to be: `student` and `teacher` of `distill`. A plain list is a Player that reads it.

    modalities: what it reads; a text is one of them. encoders: modality -> encoder, by a name of ours, a transformers or
    sentence-transformers folder or hub id, `onnx:FILE`, or a torch.nn.Module that says its `width`.
    fusion: how modalities join: "concat", "single_stream" (one transformer over all tokens), "slots" (the sum of what each lays
    out over common slots, so that those may meet that never did), for a teacher also "experts" (a head of each modality's own on
    a frozen encoder) and "late" (on one that trains alone), or a transformers folder or hub id of a VisualBERT, ViLT or LXMERT.
    max_tokens: text or choices -> how many tokens of one are read at most, 128 or what its encoder can where that is less. head:
    settings of the class prompts that a teacher answers through, such as `classes` and `prompts`; a linear head when empty.
    sizes, plan: `Sizes` and `Plan`, or what to change in those that it would have anyway: the student's are the defaults, the
    teacher's are the student's.
    """

    modalities: Sequence[str] = ()
    encoders: Mapping[str, Any] = field(default_factory=dict)
    fusion: str = "concat"
    head: Mapping[str, Any] = field(default_factory=dict)
    sizes: Sizes | Mapping[str, Any] | None = None
    plan: Plan | Mapping[str, Any] | None = None
    max_tokens: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", named(self.modalities))
        object.__setattr__(self, "encoders", labelled(self.encoders))

    @property
    def sized(self) -> Sizes:
        """Its sizes, those that nobody named at their defaults."""
        return Sizes().changed(self.sizes)

    @property
    def planned(self) -> Plan:
        """The plan of a player whose settings were checked, which have one."""
        assert isinstance(self.plan, Plan)
        return self.plan


def changed_plan(plan: Plan, changes: Plan | Mapping[str, Any] | None) -> Plan:
    """A plan with some of its settings changed, or another; ValueError for an unknown name or a value of another type."""
    return changes if isinstance(changes, Plan) else replace(plan, **typed_plan(changes or {}))


def typed_plan(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a plan by name, checked."""
    return typed("a plan", changes, {each.name: each.type for each in fields(Plan)})
