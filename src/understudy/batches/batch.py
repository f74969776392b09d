"""Batch and Output: what a model reads and what it says.

Axis letters, used in every shape of this project:
B samples, T steps or tokens, D features, C classes (1 for regression), K choices, M modalities, R regions, H W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from zlib import crc32

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Fields = dict[str, Tensor]
"""One view of one modality: field name (`values`, `mask`, `ids`, `boxes` ...) -> tensor with B first."""
Subset = tuple[str, ...]
"""Modalities that are shown while all others are blank."""


class Wanted(NamedTuple):
    """What a model is asked to say beside its answer, each as a feature of its Output.

    subsets: of each its logits, as if no other modality were present, under the name `shown(subset)`; 0 in rows without any.
    layers: of each inner layer of each encoder a vector, under the name `layer(modality, number)`; 0 in rows without it.
    """

    subsets: tuple[Subset, ...] = ()
    layers: bool = False


NOTHING = Wanted()


def shown(subset: Sequence[str]) -> str:
    """The feature that holds the logits of a model which is shown these modalities alone."""
    return f"{'+'.join(subset)}.shown"


def layer(modality: str, number: int) -> str:
    """The feature that holds what an inner layer of a modality's encoder says, counted from 0, the first behind the input."""
    return f"{modality}.layer{number}"


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples with their presence.

    `inputs[modality][view key][field]`; a modality that a row lacks holds filler there, and `present` says so.
    `target` is float (regression), int (classification, choice) or one soft target a class (multilabel); where `labelled` is
    False it is filler and counts nowhere. truth: the target at rest, for evaluators, where `target` says less than that.
    weight: how much each row counts in a loss, at least 0; None where all count alike. Methods with `weighs` heed it.
    """

    inputs: dict[str, dict[str, Fields]]
    present: dict[str, Bool[Tensor, " B"]]
    target: Float[Tensor, " B"] | Int[Tensor, " B"] | Float[Tensor, "B C"]
    labelled: Bool[Tensor, " B"]
    id: tuple[str, ...]
    truth: Float[Tensor, "B E 3"] | None = None
    weight: Float[Tensor, " B"] | None = None

    def __len__(self) -> int:
        return len(self.id)

    def keep(self, *modalities: str) -> "Batch":
        """The same rows with every other modality gone: this *is* the definition of cross-modal."""
        return replace(
            self,
            inputs={m: views for m, views in self.inputs.items() if m in modalities},
            present={m: here for m, here in self.present.items() if m in modalities},
        )

    def take(self, rows: Int[Tensor, " N"]) -> "Batch":
        """These rows."""
        return replace(
            self,
            inputs={
                m: {v: {f: x[rows] for f, x in fields.items()} for v, fields in views.items()} for m, views in self.inputs.items()
            },
            present={m: here[rows] for m, here in self.present.items()},
            target=self.target[rows],
            labelled=self.labelled[rows],
            id=tuple(self.id[row] for row in rows.tolist()),
            truth=None if self.truth is None else self.truth[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    def seen_by(self, modalities: tuple[str, ...]) -> Bool[Tensor, " B"]:
        """Rows where at least one of `modalities` is present."""
        seen = torch.zeros_like(self.labelled)
        for modality in modalities:
            if modality in self.present:
                seen = seen | self.present[modality]
        return seen

    def draws(self, many: int, *, key: str) -> Float[Tensor, "B N"]:
        """So many even draws from (0, 1) for each row, by key, row and place alone.

        So the other rows of a batch, and how rows are spread over processes, change none of them.
        """
        low, places = 0xFFFFFFFF, torch.arange(many)
        bits = torch.tensor([crc32(f"{key}/{row}".encode()) for row in self.id])[:, None] ^ (places * 0x9E3779B9 & low)
        # The last steps of MurmurHash3 (Appleby, public domain), in 64 bits of which the lower half is kept.
        bits = (bits ^ bits >> 16) * 0x85EBCA6B & low
        bits = (bits ^ bits >> 13) * 0xC2B2AE35 & low
        return ((bits ^ bits >> 16) >> 9).float().add(0.5).div(2**23).to(self.labelled.device)

    def to(self, device: torch.device) -> "Batch":
        if self.labelled.device == device:
            return self
        return replace(
            self,
            inputs={
                m: {v: {f: x.to(device) for f, x in fields.items()} for v, fields in views.items()}
                for m, views in self.inputs.items()
            },
            present={m: here.to(device) for m, here in self.present.items()},
            target=self.target.to(device),
            labelled=self.labelled.to(device),
            weight=None if self.weight is None else self.weight.to(device),
        )


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token-level answers. `spans` say where each token lies, where that is known; an empty one lies nowhere.

    Of a text two numbers, character offsets, the end exclusive. Of a picture four, the corners x1 y1 x2 y2 in 65,536ths of its
    sides (of what its view leaves of it).
    """

    values: Float[Tensor, "B T D"]
    mask: Bool[Tensor, "B T"]
    spans: Int[Tensor, "B T _"] | None = None


@dataclass(frozen=True, eq=False)
class Output:
    """What a model says of a batch; rows that are not `valid` (nothing present) hold filler."""

    valid: Bool[Tensor, " B"]
    logits: Float[Tensor, "B C"] | None = None
    embedding: Float[Tensor, "B D"] | None = None
    tokens: Mapping[str, Tokens] = field(default_factory=dict)
    features: Mapping[str, Tensor] = field(default_factory=dict)
    source: str = "model"

    def to(self, device: torch.device) -> "Output":
        if self.valid.device == device:
            return self
        tokens = {
            key: Tokens(t.values.to(device), t.mask.to(device), None if t.spans is None else t.spans.to(device))
            for key, t in self.tokens.items()
        }
        logits, embedding = (None if x is None else x.to(device) for x in (self.logits, self.embedding))
        features = {name: values.to(device) for name, values in self.features.items()}
        return Output(self.valid.to(device), logits, embedding, tokens, features, self.source)

    def take(self, rows: Int[Tensor, " N"]) -> "Output":
        """These rows, -1 being the last one; of an answer without tokens."""
        logits, embedding = (None if x is None else x[rows] for x in (self.logits, self.embedding))
        features = {name: values[rows] for name, values in self.features.items()}
        return Output(self.valid[rows], logits, embedding, features=features, source=self.source)

    def detached(self) -> "Output":
        """Logits and embedding that take no gradient; nothing else."""
        logits, embedding = (None if x is None else x.detach() for x in (self.logits, self.embedding))
        return Output(self.valid, logits, embedding, source=self.source)

    def need(self, name: str) -> Tensor:
        """`logits`, `embedding` or a feature by its declared name; a ValueError that names the model when it says none."""
        answer = getattr(self, name) if name in ("logits", "embedding") else self.features.get(name)
        if answer is None:
            said = [n for n in ("logits", "embedding") if getattr(self, n) is not None] + list(self.features)
            raise ValueError(f"{self.source} gives no {name!r}; it gives {', '.join(said) or 'nothing'}")
        return answer
