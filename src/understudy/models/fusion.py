"""How present modalities join: the abstract Fusion, Concat and Beside over vectors, SingleStream over tokens."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import Tokens
from understudy.encoders.encoder import Encoded
from understudy.encoders.transformer import Transformer


class Fused(NamedTuple):
    """One vector a row, what became of each modality's tokens, and the features that a fusion declares, as a head does.

    No tokens where it leaves them as they are.
    """

    embedding: Float[Tensor, "B D"]
    tokens: dict[str, Tokens]
    features: Mapping[str, Float[Tensor, "B _"]] = MappingProxyType({})


class Fusion(nn.Module, ABC):
    """From what each modality's encoder says to one embedding.

    No layer may mix rows. An absent modality says nothing: its vector is 0, its tokens are masked (see `visible`) and `present`
    says so, or it is missing from `encoded` altogether.
    `widths`: of each modality's vector and tokens, in the order in which they join.
    """

    width: int
    """D of the embedding."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.widths = dict(widths)

    @abstractmethod
    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused: ...

    def token_width(self, modality: str) -> int:
        """D of a modality's tokens as an Output has them."""
        return self.widths[modality]

    def published(self) -> Iterator[nn.Parameter]:
        """The parameters that came from elsewhere and take the plan's `pretrained_rate`."""
        return iter(())

    def vectors(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> list[Float[Tensor, "B _"]]:
        """Each modality's pooled vector, 0 where it is absent."""
        return [
            encoded[m].pooled if m in encoded else torch.zeros(present[m].shape[0], width, device=present[m].device)
            for m, width in self.widths.items()
        ]


class Concat(Fusion):
    """Concatenates the modalities (0 where absent) with their presence bits, then a hidden layer; a single one passes through."""

    def __init__(self, widths: Mapping[str, int], *, width: int, dropout: float) -> None:
        super().__init__(widths)
        alone = len(widths) == 1
        self.width = next(iter(widths.values())) if alone else width
        self.join: nn.Module = nn.Identity()
        if not alone:
            self.join = nn.Sequential(nn.Linear(sum(widths.values()) + len(widths), width), nn.GELU(), nn.Dropout(dropout))

    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused:
        vectors = self.vectors(encoded, present)
        if len(vectors) == 1:
            return Fused(vectors[0], {})
        bits = torch.stack([present[m] for m in self.widths], dim=1).to(vectors[0].dtype)
        return Fused(self.join(torch.cat([*vectors, bits], dim=1)), {})


class Beside(Fusion):
    """The vectors side by side (0 where absent), and nothing to learn: for a head that reads each modality by itself."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)
        self.width = sum(widths.values())

    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused:
        return Fused(torch.cat(self.vectors(encoded, present), dim=1), {})


class SingleStream(Fusion):
    """One transformer over [CLS] and the tokens of all modalities, each with the embedding of its modality added.

    The embedding is the state of [CLS]. A modality whose encoder gives no tokens enters as one, its vector. Where a token stands
    is for its encoder to say: no place is added here. After UNITER and VL-BERT in form alone; sizes and details are ours.
    """

    def __init__(self, widths: Mapping[str, int], *, width: int, depth: int = 2, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__(widths)
        self.width = width
        self.enter = nn.ModuleDict({m: nn.Linear(each, width) for m, each in widths.items()})
        self.types = nn.Embedding(1 + len(widths), width)
        nn.init.normal_(self.types.weight, std=0.02)
        self.transformer = Transformer(width=width, steps=None, depth=depth, heads=heads, dropout=dropout)

    def token_width(self, modality: str) -> int:
        return self.width

    def forward(self, encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]) -> Fused:
        given = {m: as_tokens(encoded[m]) for m in self.widths if m in encoded}
        rows = next(iter(present.values())).shape[0]
        first = self.types.weight[0].expand(rows, 1, -1)
        entered, masks = [first], [torch.ones_like(first[:, :, 0], dtype=torch.bool)]
        for place, modality in enumerate(self.widths, start=1):
            if modality not in given:
                continue
            mask = given[modality].mask & present[modality][:, None]
            # Nothing of a masked token enters, so that no gradient leaves through one either.
            clean = given[modality].values.where(mask[:, :, None], 0.0)
            entered.append(self.enter[modality](clean) + self.types.weight[place])
            masks.append(mask)
        states = self.transformer(torch.cat(entered, dim=1), torch.cat(masks, dim=1))
        parts = states.split([each.shape[1] for each in entered], dim=1)
        said = {
            modality: Tokens(part.where(mask[:, :, None], 0.0), mask, given[modality].spans)
            for modality, part, mask in zip(given, parts[1:], masks[1:], strict=True)
            if encoded[modality].tokens is not None
        }
        return Fused(states[:, 0], said)


def as_tokens(encoded: Encoded) -> Tokens:
    """The tokens of a modality; its vector as the only one where its encoder gives none."""
    if encoded.tokens is not None:
        return encoded.tokens
    return Tokens(encoded.pooled[:, None], torch.ones_like(encoded.pooled[:, :1], dtype=torch.bool))
