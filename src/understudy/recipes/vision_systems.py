"""vision_systems: what the vision-language protocol compares: naive distillation, `mad`, its ablations and two controls."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Way:
    """A way to distil: options of `mad`, and what differs in its teacher.

    weight_of: the system whose weight it takes; its own, chosen like all others, when empty. teacher: the modalities of the
    teacher; all when empty. encoders: of the teacher, where they differ.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    weight_of: str = ""
    teacher: Sequence[str] = ()
    encoders: Mapping[str, str] = field(default_factory=dict)

    @property
    def own_teacher(self) -> bool:
        """Whether its teacher reads or learns otherwise than the others'."""
        return bool(self.teacher or self.encoders or self.options.get("adaptive"))


NAIVE = {"selection": "none", "confidence": "none", "weighting": "uniform"}
SYSTEMS: dict[str, Way] = {
    "naive": Way(NAIVE),
    "mad": Way(),
    "mad, no tokens": Way({"selection": "none"}, "mad"),
    "mad, all tokens": Way({"selection": "all"}, "mad"),
    "mad, no confidence": Way({"confidence": "none"}, "mad"),
    "mad, as of its probability": Way({"confidence": "truth", "weighting": "softmax"}, "mad"),
    "mad, adaptive": Way({"adaptive": True}, "mad"),
    "mad, random tokens": Way({"selection": "random"}),
    "mad, constant weight": Way({"confidence": "constant"}),
}
"""Naive distillation, mad, ablations with its weight, and two controls with weights of their own."""
TEACHERS: dict[str, Way] = {
    "mad, text teacher": Way({"score": "pooled"}, "mad", teacher=("text",)),
    "mad, image teacher": Way({"selection": "none"}, "mad", teacher=("image",)),
}
"""On request: mad from one of two teachers, those of `text` and `image`. What needs the other one goes with it: a text alone
scores its tokens by its own vector, a picture alone selects none. The one teacher has all of the weight that two would share.
"""


def check_systems(systems: Mapping[str, Way], weights: Sequence[float]) -> None:
    """ValueError for no weight, a control's name, a first system that cannot serve the others, or a weight taken from nowhere."""
    if not systems or not weights:
        raise ValueError(f"{len(systems)} systems and {len(weights)} weights given; at least one each is needed")
    if taken := {"plain", "teacher"} & set(systems):
        raise ValueError(f"a system is called {min(taken)!r}, as a control is; give it another name")
    first = next(iter(systems))
    if systems[first].own_teacher or systems[first].weight_of:
        raise ValueError(
            f"system {first!r} comes first, so the others take its teachers, and it is tuned before them; put one with the "
            "teachers that they want and a weight of its own there, such as 'naive'"
        )
    for label, system in systems.items():
        if system.weight_of and (system.weight_of not in systems or systems[system.weight_of].weight_of):
            raise ValueError(f"system {label!r} takes the weight of {system.weight_of!r}, which is not among the tuned ones")


def check_teachers(systems: Mapping[str, Way], teacher: Collection[str]) -> None:
    """ValueError for a system that wants a teacher of a modality that has none."""
    for label, system in systems.items():
        lacking = [name for name in (*system.teacher, *system.encoders) if name not in teacher]
        if lacking:
            raise ValueError(
                f"system {label!r} wants a teacher of {lacking[0]!r}, but teachers are of {', '.join(teacher)} alone"
            )
