"""Model: encoders, fusion and a head. Teacher and student are both one; a student has fewer encoders."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from understudy.batches.batch import NOTHING, Batch, Fields, Output, Subset, Tokens, Wanted, layer, shown
from understudy.encoders.encoder import Encoded, Encoder
from understudy.encoders.layers import layer_vector, layers_of, overheard
from understudy.encoders.lora import merge
from understudy.models.choices import folded, folded_tokens, repeated, repeated_tokens, unfolded_fields
from understudy.models.fusion import Concat, Fusion
from understudy.models.head import Features, Head, LinearHead, visible
from understudy.prepare.view import View, Views, merge_views
from understudy.tasks import Choice, Task


class Answer(NamedTuple):
    """Logits, embedding, tokens by view key and the features of fusion and head, from plain tensors."""

    logits: Float[Tensor, "B C"]
    embedding: Float[Tensor, "B D"]
    tokens: dict[str, Tokens]
    features: Features

    def folded(self, choices: int) -> "Answer":
        """The answer of B*K rows, one choice each, as that of B rows."""
        return Answer(
            folded(self.logits[:, 0], choices),
            folded(self.embedding, choices).flatten(1),
            {key: folded_tokens(each, choices) for key, each in self.tokens.items()},
            {name: folded(values, choices) for name, values in self.features.items()},
        )


class Model(nn.Module):
    """`Batch -> Output`. Any non-empty subset of its modalities works; a row with none of them is not `valid`.

    head: from the fused embedding to logits; linear when None. fusion: how modalities join; `Concat` of `width` when None.
    modality_dropout: probability that a present modality of a training row is hidden (never all of them). branches: modalities
    that answer each alone, in one space (a retrieval student: see `branches_of`); a model without any answers once, from all its
    modalities.

    Of K choices, each is read as a row of its own beside the same other modalities (see `choices.py`), with one logit. The
    answer has logits `[B K]`, embedding `[B K*D]`, tokens `[B K*T D]` and features `[B K ...]`.
    """

    def __init__(
        self,
        task: Task,
        encoders: Mapping[str, Encoder],
        *,
        head: Head | None = None,
        fusion: Fusion | None = None,
        width: int = 128,
        dropout: float = 0.1,
        modality_dropout: float = 0.0,
        branches: Sequence[str] = (),
        name: str = "model",
    ) -> None:
        super().__init__()
        if not encoders:
            raise ValueError(f"{name}: no encoder given; a model needs at least one modality")
        if branches and set(branches) != set(encoders):
            raise ValueError(f"{name}: branches {', '.join(branches)} of encoders {', '.join(encoders)}; they must be the same")
        check_names(encoders)
        self.task, self.name, self.modality_dropout = task, name, modality_dropout
        self.branches = tuple(branches)
        self.encoders = nn.ModuleDict(dict(encoders))
        self.fusion: Fusion = fusion or Concat({m: e.width for m, e in encoders.items()}, width=width, dropout=dropout)
        self.head: Head = head or LinearHead(self.fusion.width, task.outputs, dropout=dropout)
        self.choices = choices_of(task, encoders, name)

    @property
    def width(self) -> int:
        """D of an Output's embedding."""
        return self.fusion.width * max(1, self.choices)

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.encoders)

    @property
    def views(self) -> dict[str, View]:
        return {m: self._encoder(m).view for m in self.modalities}

    def published(self) -> Iterator[nn.Parameter]:
        """The parameters that came from elsewhere and take the plan's `pretrained_rate`."""
        parts = (*(self._encoder(modality) for modality in self.modalities), self.fusion)
        return (p for part in parts for p in part.published())

    def settled(self) -> None:
        """As it is exported: matrices that trained beside weights are in them."""
        for modality in self.modalities:
            merge(self._encoder(modality))

    def located(self, modality: str) -> bool:
        """Whether the tokens of this picture say where they lie in it."""
        return self._encoder(modality).located

    def _encoder(self, modality: str) -> Encoder:
        encoder = self.encoders[modality]
        assert isinstance(encoder, Encoder)
        return encoder

    def forward(self, batch: Batch, wanted: Wanted = NOTHING) -> Output:
        present = {m: batch.present.get(m, torch.zeros_like(batch.labelled)) for m in self.modalities}
        seen = hide(present, self.modality_dropout) if self.training and self.modality_dropout > 0 else present
        here = [m for m in self.modalities if m in batch.inputs]
        fields = {m: batch.inputs[m][self._encoder(m).view.key] for m in here}
        with overheard(self.inner if wanted.layers else {}) as heard:
            encoded = self.encode(fields, present)
        logits, embedding, tokens, features = self.join(encoded, seen)
        features |= self.said_inside(heard, encoded, present) if heard else {}
        features |= {shown(each): said for each, said in self.shown(wanted.subsets, encoded, present).items()}
        valid = reduce(torch.logical_or, seen.values())
        return Output(valid=valid, logits=logits, embedding=embedding, tokens=tokens, features=features, source=self.name)

    def answer(self, fields: dict[str, Fields], present: dict[str, Bool[Tensor, " B"]]) -> Answer:
        """What the exported graph runs: plain tensors; a modality without fields counts as absent in every row."""
        return self.join(self.encode(fields, present), present)

    def encode(self, fields: dict[str, Fields], present: dict[str, Bool[Tensor, " B"]]) -> dict[str, Encoded]:
        """What each encoder says, of each modality that has fields; of choices, B*K rows."""
        encoded: dict[str, Encoded] = {}
        for modality in self.modalities:
            if modality not in fields:
                continue
            # Filler goes before the encoder: a NaN masked only afterwards would still reach the weights' gradients.
            clean = {name: zero_absent(values, present[modality]) for name, values in fields[modality].items()}
            encoded[modality] = self._encoder(modality)(unfolded_fields(clean) if self._chosen(modality) else clean)
        return encoded

    def join(self, encoded: Mapping[str, Encoded], present: dict[str, Bool[Tensor, " B"]]) -> Answer:
        """`present` alone decides who counts, so one encoding serves every subset."""
        if self.choices:
            encoded = {m: e if self._chosen(m) else repeated_encoded(e, self.choices) for m, e in encoded.items()}
            present = {m: repeated(here, self.choices) for m, here in present.items()}
        seen = {m: visible(e, present[m]) for m, e in encoded.items()}
        embedding, changed, joined = self.fusion(seen, present)
        logits, features = self.head(embedding, seen, present)
        said = {m: changed.get(m, e.tokens) for m, e in seen.items()}
        tokens = {self._encoder(m).view.key: each for m, each in said.items() if each is not None}
        answer = Answer(logits, embedding, tokens, {**joined, **features})
        return answer.folded(self.choices) if self.choices else answer

    def shown(
        self, subsets: Sequence[Subset], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> dict[Subset, Float[Tensor, "B C"]]:
        """Logits as if no modality but these were there, 0 in rows without any; ValueError for one that is not read.

        Vectors of all subsets are joined in one pass. Tokens are not, so that none is carried where its modality is blank.
        """
        if strange := {modality for subset in subsets for modality in subset if modality not in present}:
            raise ValueError(f"{self.name} does not read {', '.join(sorted(strange))}; it reads {', '.join(self.modalities)}")
        at_once = [subsets] if all(each.tokens is None for each in encoded.values()) else [[each] for each in subsets]
        found: dict[Subset, Tensor] = {}
        for some in (each for each in at_once if each):
            blank = {m: torch.zeros_like(here) for m, here in present.items()}
            here = {m: torch.cat([present[m] if m in subset else blank[m] for subset in some]) for m in present}
            said = {m: e for m, e in encoded.items() if any(m in subset for subset in some)}
            logits = self.join({m: repeated_rows(e, len(some)) for m, e in said.items()}, here).logits
            logits = logits.where(reduce(torch.logical_or, here.values())[:, None], 0.0)
            found |= dict(zip(some, logits.chunk(len(some)), strict=True))
        return found

    @cached_property
    def inner(self) -> dict[str, nn.Module]:
        """The inner layers of every encoder by `layer(modality, number)`."""
        return {layer(m, k): each for m in self.modalities for k, each in enumerate(layers_of(self._encoder(m)))}

    @property
    def layers(self) -> dict[str, int]:
        """Modality -> how many inner layers its encoder has."""
        return {m: sum(layer(m, k) in self.inner for k in range(len(self.inner))) for m in self.modalities}

    def said_inside(
        self, heard: Mapping[str, Any], encoded: Mapping[str, Encoded], present: Mapping[str, Bool[Tensor, " B"]]
    ) -> dict[str, Float[Tensor, "B _"]]:
        """One vector a row of each inner layer, 0 where its modality is absent."""
        found = {}
        for name, said in heard.items():
            modality = name.rpartition(".layer")[0]
            tokens, here = encoded[modality].tokens, present[modality]
            vector = layer_vector(said, len(here), None if tokens is None else tokens.mask)
            found[name] = vector.where(here[:, None], 0.0)
        return found

    def _chosen(self, modality: str) -> bool:
        """Whether it holds the choices."""
        return self._encoder(modality).view.kind == "choices"


def choices_of(task: Task, encoders: Mapping[str, Encoder], name: str) -> int:
    """K of a choice task, else 0; ValueError for choices that another task would have to choose from."""
    if isinstance(task, Choice):
        return task.choices
    chosen = [modality for modality, encoder in encoders.items() if encoder.view.kind == "choices"]
    if chosen:
        raise ValueError(f"{name}: {', '.join(chosen)} holds choices, but the task is a {task.kind}; it must be a choice")
    return 0


def repeated_encoded(encoded: Encoded, choices: int) -> Encoded:
    """Each row K times."""
    tokens = None if encoded.tokens is None else repeated_tokens(encoded.tokens, choices)
    return Encoded(repeated(encoded.pooled, choices), tokens)


def repeated_rows(encoded: Encoded, times: int) -> Encoded:
    """All rows, so many times; tokens only where that is once."""
    return encoded if times == 1 else Encoded(encoded.pooled.repeat(times, 1))


def branches_of(model: Model, batch: Batch) -> list[tuple[str, Batch]]:
    """What a model answers of a batch, one after the other: each of its branches alone, or all modalities at once, named ""."""
    return [(modality, batch.keep(modality)) for modality in model.branches] or [("", batch)]


def views_of(*models: Model) -> Views:
    """The views of several models together; equal ones once."""
    return merge_views(*({m: {view.key: view} for m, view in model.views.items()} for model in models))


def check_names(modalities: Iterable[str]) -> None:
    """ValueError for a modality whose name PyTorch's modules use themselves: `values`, `type`, `train`."""
    taken = [modality for modality in modalities if modality in dir(nn.ModuleDict)]
    if taken:
        raise ValueError(f"modality name {', '.join(taken)} is one that PyTorch keeps for itself; import it under another name")


def zero_absent(values: Tensor, present: Bool[Tensor, " B"]) -> Tensor:
    """`values` with every row that is not present set to 0 (False, padding)."""
    here = present.view(-1, *[1] * (values.ndim - 1))
    # onnxruntime has no Where for booleans.
    return values & here if values.dtype == torch.bool else values.where(here, values.new_zeros(()))


def hide(present: dict[str, Bool[Tensor, " B"]], probability: float) -> dict[str, Bool[Tensor, " B"]]:
    """Presence after modality dropout; a row that would lose everything keeps one present modality, drawn evenly."""
    here = torch.stack(list(present.values()), dim=1)
    draws = torch.rand(here.shape, device=here.device)
    kept = here & (draws >= probability)
    spared = torch.nn.functional.one_hot(draws.where(here, -1.0).argmax(dim=1), here.shape[1]).bool() & here
    kept = kept.where(kept.any(dim=1, keepdim=True), spared)
    return dict(zip(present, kept.unbind(dim=1), strict=True))
