"""Toy players for tests: a linear encoder over 4 numbers a modality, models of it, and hand-made batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from understudy.batches.batch import Batch, Fields, Tokens
from understudy.encoders.encoder import Encoded, Encoder
from understudy.models.experts import Experts
from understudy.models.fusion import Beside
from understudy.models.model import Model
from understudy.models.prompts import PromptHead
from understudy.models.slots import Branches, Slots
from understudy.prepare.cells import Cells
from understudy.prepare.view import FieldArrays, View
from understudy.tasks import Classification, Regression, Retrieval, Task

CLASSES = Classification(classes=("a", "b", "c"))
NUMBER = Regression(mean=0.5, scale=2.0)
SEARCH = Retrieval(classes=("a", "b", "c"), branches=("x", "y"))


@dataclass(frozen=True)
class ToyView(View):
    """Four numbers as they are; `version` makes two views differ."""

    version: int = 1
    kind = "vector"

    def fit(self, cells: Cells) -> "ToyView":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        return {"values": cells.values}

    def state(self) -> dict[str, Any]:
        return {"version": self.version}

    @classmethod
    def restore(cls, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> "ToyView":
        return cls(**state)


class ToyEncoder(Encoder):
    """Dropout and a linear layer: enough for randomness and gradients to be seen."""

    def __init__(self, width: int, view: ToyView) -> None:
        super().__init__()
        self.view, self.width = view, width
        self.layers = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, width))

    def forward(self, fields: Fields) -> Encoded:
        return Encoded(self.layers(fields["values"]))


def toy_model(
    task: Task, *modalities: str, width: int = 5, seed: int = 0, version: int = 1, branches: Sequence[str] = ()
) -> Model:
    """A model whose weights depend on nothing but the arguments."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        view = ToyView(version)
        built = {m: ToyEncoder(width, view) for m in modalities}
        return Model(task, built, width=width + 1, branches=branches, name="+".join(modalities))


class ToyTokens(ToyEncoder):
    """The same with two tokens a row: what class prompts look at."""

    def forward(self, fields: Fields) -> Encoded:
        pooled = super().forward(fields).pooled
        mask = torch.ones(len(pooled), 2, dtype=torch.bool)
        return Encoded(pooled, Tokens(torch.stack([pooled, pooled.flip(1)], dim=1), mask))


def toy_prompted(task: Task, *modalities: str, classes: int = 3, seed: int = 0, **options: Any) -> Model:
    """A model that answers through class prompts held against its first modality."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = {m: ToyTokens(8, ToyView()) for m in modalities}
        anchors = {"anchors": [float(c - (classes - 1) / 2) for c in range(classes)]} if task.kind == "regression" else {}
        fused = 6 if len(modalities) > 1 else None
        settings = {"tokens_of": modalities[0], "width": 8, "classes": classes, "fused": fused, "heads": 2, "layers": 1}
        head = PromptHead(task, **settings | anchors | options)
        return Model(task, built, head=head, width=6, name="prompted")


def toy_experts(task: Task, *modalities: str, width: int = 5, seed: int = 0) -> Model:
    """A model with a head for each modality on its own vector: the teacher of MAD."""
    plain = toy_model(task, *modalities, width=width, seed=seed)
    widths = dict.fromkeys(modalities, width)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoders = {m: plain._encoder(m) for m in modalities}
        return Model(task, encoders, fusion=Beside(widths), head=Experts(task, widths), name="experts")


def toy_slots(task: Task, *modalities: str, seed: int = 0, slots: int = 4, dropout: float = 0.1) -> Model:
    """A model whose modalities join over common slots, with two branches: the student of UMI."""
    plain = toy_model(task, *modalities, width=5, seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fusion = Slots(dict.fromkeys(modalities, 5), width=8, slots=slots, depth=1, heads=2, dropout=dropout)
        head = Branches(task, 16, dropout=dropout)
        return Model(task, {m: plain._encoder(m) for m in modalities}, fusion=fusion, head=head, name="+".join(modalities))


def toy_batch(
    task: Task, rows: int, *, seed: int = 0, first: int = 0, modalities: Sequence[str] = ("x", "y"), version: int = 1
) -> Batch:
    """Random rows with ids r{first}...; some lack a modality, some a label."""
    draw = torch.Generator().manual_seed(seed)
    present = {m: torch.rand(rows, generator=draw) < 0.6 for m in modalities}
    values = {m: torch.randn(rows, 4, generator=draw).where(present[m][:, None], 0.0) for m in modalities}
    labelled = torch.rand(rows, generator=draw) < 0.6
    if task.discrete:
        target = torch.randint(0, task.outputs, (rows,), generator=draw).where(labelled, 0)
    else:
        target = torch.randn(rows, generator=draw).where(labelled, 0.0)
    key = ToyView(version).key
    return Batch(
        inputs={m: {key: {"values": values[m]}} for m in modalities},
        present=present,
        target=target,
        labelled=labelled,
        id=tuple(f"r{first + row}" for row in range(rows)),
    )


@dataclass
class ToyLoader:
    """The same batches in every epoch, like a loader without shuffling."""

    of: list[Batch]

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        yield from self.of[start:]

    def __len__(self) -> int:
        return len(self.of)


def toy_loader(task: Task, *, batches: int = 4, rows: int = 8) -> ToyLoader:
    """Batches of fresh rows with ids r0, r1, ..."""
    return ToyLoader([toy_batch(task, rows, seed=n, first=n * rows) for n in range(batches)])
