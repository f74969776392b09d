"""Contract: what a shipped student reads and answers, and the checksums that say that nothing was changed. No torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from understudy.artifact.confidence import SHAPE as CONFIDENCE
from understudy.artifact.confidence import Confidence, Wish
from understudy.prepare.catalogue import VIEW
from understudy.prepare.cells import MODALITY, Modality
from understudy.process.document import Shape, refuse_misfit
from understudy.process.whole import CHECKSUMS, SUMS, read_json, sha256

Weights = Literal["float", "int8", "int8-static", "fp16"]
"""How a graph's weights lie: "int8" scales what enters its products at each run, "int8-static" once and for all."""
FORMAT = 1
GRAPH = "student.onnx"
BRANCH = "student-{branch}.onnx"
CONTRACT = "contract.json"
MISSING = "missing.json"
"""What absent modalities cost, as `artifact.missing` measured it."""
SCORES: Shape = {"metric": str, "higher_is_better": bool, "rows": int, "scores": {...: float}}
DOCUMENT: Shape = {
    "format": int,
    "name": str,
    "task": {"kind": str, "classes?": [str], "choices?": int, "branches?": [str]},
    "modalities": {...: MODALITY},
    "views": {...: VIEW},
    "inputs": [{"name": str, "dtype": str, "axes": [(int, str)]}],
    "output?": str,
    "versions?": {...: str},
    "confidence?": (None, CONFIDENCE),
    "weights?": tuple(get_args(Weights)),
    ...: (),
}


@dataclass(frozen=True)
class GraphInput:
    """One input of the graph. axes: a number is fixed, a name is free; inputs that share a name share the length."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]


@dataclass(frozen=True)
class ShippedView:
    """A fitted view at rest. assets: its asset names -> files of the artifact."""

    view: str
    state: Mapping[str, Any]
    assets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """Everything that `predict` needs beside the graph itself.

    task: as `Task.to_json`: kind, and classes or unit, mean and scale. inputs: `{modality}.{field}`, and with several
    modalities `{modality}.present`; a row with nothing present never enters the graph. versions: what it was exported with.
    A retrieval student has one graph a branch, with that modality's inputs alone. confidence: None where too few validation rows
    could say, or the task is neither a number nor one of several. weights: as `Weights`.
    """

    name: str
    task: Mapping[str, Any]
    modalities: Mapping[str, Modality]
    views: Mapping[str, ShippedView]
    inputs: tuple[GraphInput, ...]
    output: str = "prediction"
    versions: Mapping[str, str] = field(default_factory=dict)
    confidence: Confidence | None = None
    weights: Weights = "float"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the probabilities; empty for a number and for choices, which have places instead."""
        return tuple(self.task.get("classes", ()))

    @cached_property
    def shares(self) -> tuple[str, ...]:
        """The columns of the probabilities of classes or choices that exclude each other."""
        return tuple(f"probability_{word}" for word in self.classes or range(self.choices))

    @property
    def choices(self) -> int:
        """How many texts of a row it chooses between; 0 for other tasks."""
        return int(self.task.get("choices", 0))

    @property
    def apart(self) -> bool:
        """Whether each class has a probability of its own: several may hold at once."""
        return self.task.get("kind") == "multilabel"

    @property
    def alone(self) -> bool:
        """Whether each row runs by itself: integers take one scale of a batch, so neighbours would change an answer."""
        return self.weights == "int8"

    @cached_property
    def branches(self) -> tuple[str, ...]:
        """The modalities that a retrieval student embeds each by itself; empty for other tasks."""
        return tuple(self.task.get("branches", ()))

    @property
    def graphs(self) -> dict[tuple[str, ...], str]:
        """What a graph reads -> its file."""
        apart = {(branch,): BRANCH.format(branch=branch) for branch in self.branches}
        return apart or {tuple(self.modalities): GRAPH}

    def to_json(self) -> dict[str, Any]:
        modalities = {name: modality.to_json() for name, modality in self.modalities.items()}
        sure = {"confidence": self.confidence.to_json()} if self.confidence else {}
        return {"format": FORMAT} | asdict(replace(self, confidence=None)) | {"modalities": modalities} | sure

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Contract":
        """The contract that `to_json` wrote; ValueError for another format or a document that lacks a part."""
        found = document.get("format")
        if found != FORMAT:
            newer = isinstance(found, int) and found > FORMAT
            remedy = "a newer understudy wrote it: update this one" if newer else "export it again"
            raise ValueError(f"artifact format {found!r}; this understudy reads format {FORMAT}: {remedy}")
        refuse_misfit(document, DOCUMENT, CONTRACT)
        parts = {key: value for key, value in document.items() if key != "format"}
        inputs = tuple(GraphInput(i["name"], i["dtype"], tuple(i["axes"])) for i in parts["inputs"])
        views = {name: ShippedView(view["view"], view["state"], view["assets"]) for name, view in parts["views"].items()}
        if any(Path(file).name != file for view in views.values() for file in view.assets.values()):
            raise ValueError(f"{CONTRACT} names an asset outside of the artifact's folder")
        modalities = {name: Modality.from_json(modality) for name, modality in parts["modalities"].items()}
        if set(modalities) != set(views):
            raise ValueError(f"{CONTRACT} has modalities {', '.join(modalities)} but views of {', '.join(views)}")
        sure = Confidence.from_json(parts["confidence"]) if parts.get("confidence") else None
        return Contract(**parts | {"inputs": inputs, "views": views, "modalities": modalities, "confidence": sure})

    def refuse(self, wish: Wish) -> None:
        """ValueError where an answer cannot say what is wished for."""
        if not wish.coverage and not wish.least:
            return
        if self.confidence is None:
            why = "it was exported with too few validation rows, or its task has none: numbers, classes and choices have"
            raise ValueError(f"this artifact says nothing of its confidence: {why}")
        if wish.coverage:
            self.confidence.bound(wish.coverage)
        if wish.least and not (self.classes or self.choices):
            raise ValueError("min_confidence is of classes; of a number ask for an interval by coverage")


def write_checksums(folder: Path) -> None:
    """Seal a folder: the SHA-256 of every file in it, into `checksums.json`."""
    sums = {path.name: checksum(path) for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")


def verify(folder: Path) -> None:
    """Hold every file against `checksums.json`; ValueError for a changed, missing or extra one."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no artifact at {folder}: `understudy export` writes one")
    expected = part(folder, CHECKSUMS, SUMS)
    found = {path.name for path in folder.iterdir()} - {CHECKSUMS}
    for what, names in (("lacks", set(expected) - found), ("has an unlisted file", found - set(expected))):
        if names:
            raise ValueError(f"artifact {folder} {what}: {', '.join(sorted(names))}; export it again")
    for name, sealed in expected.items():
        if checksum(folder / name) != sealed:
            raise ValueError(f"artifact {folder}: {name} was changed after export (its checksum differs); export it again")


def read_contract(folder: Path) -> Contract:
    """The contract of a verified artifact."""
    return Contract.from_json(part(folder, CONTRACT))


def part(folder: Path, name: str, shape: Shape | None = None) -> dict[str, Any]:
    """The JSON object in one of the artifact's files."""
    if not (folder / name).is_file():
        raise ValueError(f"{folder} is no artifact: it has no {name}")
    return read_json(folder / name, shape)


def checksum(path: Path) -> str:
    """SHA-256 of a file; ValueError for a folder or link, which could not be sealed."""
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path} is not a plain file; an artifact holds nothing else")
    return sha256(path)
