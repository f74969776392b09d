"""Schema: what a corpus says of its columns, as JSON in corpus.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.prepare.cells import MODALITY, SHARED, Modality
from understudy.process.document import Shape, refuse_misfit
from understudy.tasks import TASK, Choice, Task, task_from_json

DIGEST = 16
"""Bytes of the digest of a row's content."""
SCHEMA: Shape = {"task": TASK, "modalities": {...: MODALITY}, "grouped?": bool, "weighted?": bool, "about?": {...: str}}


@dataclass(frozen=True)
class Schema:
    """The task, the modalities by name, whether rows have groups and weights, and facts for people (licence, citation, leaks)."""

    task: Task
    modalities: dict[str, Modality]
    grouped: bool = False
    about: dict[str, str] = field(default_factory=dict)
    weighted: bool = False

    def __post_init__(self) -> None:
        if not self.modalities:
            raise ValueError("a corpus needs at least one modality; none was given")
        for name, modality in self.modalities.items():
            _check(name, modality)
        if self.task.classed and self.task.outputs < 2:
            raise ValueError(f"{self.task.kind} needs at least 2 classes; {self.task.outputs} given")
        _check_choices(self.task, self.modalities)

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task.to_json(),
            "modalities": {name: modality.to_json() for name, modality in self.modalities.items()},
            "grouped": self.grouped,
            "about": self.about,
        } | ({"weighted": True} if self.weighted else {})

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Schema":
        """What `to_json` wrote; ValueError for anything else."""
        refuse_misfit(document, SCHEMA, "the schema")
        modalities = {name: Modality.from_json(each) for name, each in document["modalities"].items()}
        said = {name: document[name] for name in ("grouped", "weighted", "about") if name in document}
        return Schema(task_from_json(document["task"]), modalities, **said)


def _check(name: str, modality: Modality) -> None:
    # Names become Arrow columns, module names and ONNX inputs `{modality}.{field}`.
    if not (name.isidentifier() and name.isascii()):
        raise ValueError(f"modality name {name!r}: only ASCII letters, digits and _ are allowed, and no digit first")
    if modality.kind in ("vector", "sequence", "regions") and modality.width < 1:
        raise ValueError(f"modality {name!r}: a {modality.kind} needs a width of at least 1, {modality.width} given")
    if modality.kind == "table" and not modality.columns:
        raise ValueError(f"modality {name!r}: a table needs at least one column")
    if modality.shared and modality.kind not in SHARED:
        raise ValueError(f"modality {name!r}: rows share cells of kind {', '.join(SHARED)}, not of {modality.kind}")
    wrong = sorted(set(modality.columns.values()) - {"number", "category"})
    if wrong:
        raise ValueError(f"modality {name!r}: column types are number, category and date; {', '.join(wrong)} given")
    if modality.kind == "audio" and modality.rate < 1:
        raise ValueError(f"modality {name!r}: audio needs a rate in samples a second, {modality.rate} given")


def _check_choices(task: Task, modalities: Mapping[str, Modality]) -> None:
    """A task of choices has modalities of as many texts, and no other task has."""
    offered = {name: modality.width for name, modality in modalities.items() if modality.kind == "choices"}
    if not isinstance(task, Choice):
        if offered:
            raise ValueError(f"modality {next(iter(offered))!r} holds choices, but the task is a {task.kind}, not a choice")
        return
    wrong = [name for name, width in offered.items() if width != task.choices]
    if wrong or not offered:
        has = (
            f"modality {wrong[0]!r} has {offered[wrong[0]]}"
            if wrong
            else f"no modality of kind choices among {', '.join(modalities)}"
        )
        raise ValueError(f"the task is between {task.choices} choices: {has}")
