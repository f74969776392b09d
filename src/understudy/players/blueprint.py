"""Blueprint: everything that rebuilds an untrained model, and the default encoder of each kind of modality."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import torch

from understudy import encoders
from understudy.corpus import Corpus, Split
from understudy.corpus.streamed import streamed
from understudy.encoders.clip import Freeze, small_clip, small_xclip
from understudy.encoders.encoder import Encoder
from understudy.encoders.graph import GraphEncoder
from understudy.encoders.lora import with_lora
from understudy.encoders.published import published_config
from understudy.models.experts import Experts, Late
from understudy.models.fusion import Fusion
from understudy.models.head import Head
from understudy.models.model import Model
from understudy.models.slots import Branches
from understudy.players import brought
from understudy.players.fusions import DEPTH, FUSIONS, SLOTS, fusion_of, own_parts
from understudy.players.player import Player
from understudy.players.prompting import prompt_head, resolved
from understudy.players.published import BROUGHT, READERS, published_encoder, published_view, seen_kinds, stored_features
from understudy.prepare.catalogue import VIEW, restore, view_for
from understudy.prepare.cells import TEXTS, Kind, Modality
from understudy.prepare.choices import Choices
from understudy.prepare.graph_file import PREFIX as ONNX
from understudy.prepare.graphed import Graphed
from understudy.prepare.knots import Knots
from understudy.prepare.pictures import Pictures
from understudy.prepare.stored import StoredFrames
from understudy.prepare.terms import Terms
from understudy.prepare.text import Text
from understudy.prepare.video import Frames
from understudy.prepare.view import View
from understudy.process.cache import cache_folder
from understudy.process.document import Shape
from understudy.process.whole import read_json, refuse_endless, whole_file, write_json
from understudy.tasks import TASK, Retrieval, Space, Task, task_from_json

OWN: dict[Kind, dict[str, Callable[..., Encoder]]] = {
    "vector": {"piecewise": encoders.VectorPiecewise, "mlp": encoders.VectorMLP},
    "table": {"mlp": encoders.TableMLP},
    "sequence": {"gru": encoders.SequenceGRU, "transformer": encoders.SequenceTransformer},
    "text": {"small": encoders.TextTransformer, "bag": encoders.TextBag},
    "choices": {"small": encoders.TextTransformer},
    "image": {"conv": encoders.ImageConv, "patches": encoders.ImagePatches},
    "regions": {"regions": encoders.RegionTokens},
    "audio": {"conv": encoders.AudioConv},
    "video": {"conv": encoders.VideoConv, "xclip": small_xclip, "clip": small_clip},
}
"""kind -> encoder names, the first one the default (but see `default_encoder`).

Of `published.READERS` any other name is a transformers folder or hub id.
"""
AUTO = "auto"
"""An encoder that validation rows choose."""
TRIED: dict[Kind, tuple[str, str]] = {"vector": ("piecewise", "mlp"), "text": ("small", "bag")}
"""kind -> those that they choose from."""
WIDEST = 256
"""Of vectors whose numbers each get an embedding by default: longer ones are mostly another network's features."""
NOTHING_TO_FIT = (Frames, StoredFrames, Pictures)
"""Views for which the train rows, gigabytes of video or pictures, need not be read."""
SMALL_FRAMES = Frames(size=64, jitter=False)
"""Of video encoders that are not pretrained: frames that fit into memory, so that a clip is decoded once."""


READS: dict[str, View] = {"piecewise": Knots(), "bag": Terms()}
"""Of encoders that do not read their kind's default view."""


def own_encoder(name: str) -> bool:
    """Whether `name` is one of ours; else it is a transformers folder or hub id."""
    return name == AUTO or any(name in named for named in OWN.values())


def published(name: str) -> bool:
    """Whether it is a transformers folder or hub id: neither ours nor brought."""
    return not own_encoder(name) and not name.startswith(BROUGHT)


def begins_anew(name: str) -> bool:
    """Whether what trains of an encoder knows nothing yet: ours, what is on top of an ONNX file, or a module that says so."""
    if name.startswith(brought.PREFIX):
        return not getattr(brought.module_of(name), "fine_tuned", False)
    return own_encoder(name) or name.startswith(ONNX)


def check_encoders(corpus: Corpus, named: Mapping[str, str]) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for an encoder that its kind does not have."""
    for modality, name in named.items():
        if modality not in corpus.modalities:
            raise KeyError(f"an encoder is named for {modality!r}, but the corpus has {', '.join(corpus.modalities)}")
        kind = corpus.modalities[modality].kind
        if name in OWN[kind] or (name == AUTO and kind in TRIED):
            continue
        if kind not in READERS and stored_features(corpus, modality) is None and not name.startswith(BROUGHT):
            raise ValueError(f"no {kind} encoder {name!r} for {modality}; choose from {', '.join(OWN[kind])}")
        try:
            published_view(corpus, modality, name)
        except OSError as error:
            if name.startswith(BROUGHT):
                raise
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{kind} encoder {name!r}: neither ours ({', '.join(OWN[kind])}) nor a transformers folder or hub id ({reason})"
            ) from None


DOCUMENT: Shape = {
    "name": str,
    "task": TASK,
    "encoders": {...: str},
    "views": {...: VIEW},
    "configs": {...: {}},
    "width": int,
    "dropout": float,
    "modality_dropout": float,
    "freeze?": str,
    "lora?": int,
    "slots?": int,
    "head?": {},
    "branches?": [str],
    "fusion?": str,
    "depth?": int,
    "fusion_config?": {},
    ...: (),
}
"""Entries that may lack are younger than the first runs."""


@dataclass(frozen=True)
class Blueprint:
    """A model before training: what it reads through which fitted views and encoders, and its sizes.

    configs: the transformers configuration of each encoder that is not ours, so that a trained one comes back without its source.
    freeze, lora, depth, slots: as in `Sizes`. head: class prompts as `prompting.resolved` gives them; linear if empty. branches:
    as in `Model`. fusion: one of `fusions.FUSIONS`, or where a published model came from, whose transformers configuration is
    fusion_config.
    """

    name: str
    task: Task
    encoders: Mapping[str, str]
    views: Mapping[str, View]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    width: int = 128
    dropout: float = 0.1
    modality_dropout: float = 0.0
    freeze: Freeze = "tower"
    lora: int = 0
    slots: int = SLOTS
    head: Mapping[str, Any] = field(default_factory=dict)
    branches: Sequence[str] = ()
    fusion: str = "concat"
    depth: int = DEPTH
    fusion_config: Mapping[str, Any] = field(default_factory=dict)

    def build(self, seed: int, *, weights: bool = True) -> Model:
        """The untrained model; initialisation depends on (seed, name) alone.

        weights: fetch pretrained weights. False builds the architecture only, for a state that is loaded next.
        """
        with torch.random.fork_rng():
            torch.manual_seed(crc32(f"{seed}/{self.name}".encode()))
            built = {m: self._encoder(m, weights) for m in self.encoders}
            widths = {m: encoder.width for m, encoder in built.items()}
            head = self._head(widths, weights)
            fusion = self._fusion(widths, weights)
            options = {"dropout": self.dropout, "modality_dropout": self.modality_dropout, "branches": self.branches}
            return Model(self.task, built, head=head, fusion=fusion, name=self.name, **options)

    def _fusion(self, widths: Mapping[str, int], weights: bool) -> Fusion:
        texts = [modality for modality, view in self.views.items() if view.kind in TEXTS]
        sizes = {"width": self.width, "depth": self.depth, "slots": self.slots, "dropout": self.dropout}
        return fusion_of(self.fusion, widths, **sizes, texts=texts, config=self.fusion_config, weights=weights)

    def _head(self, widths: Mapping[str, int], weights: bool) -> Head | None:
        """None where it is linear."""
        if self.fusion == "late":
            return Late(self.task, widths, dropout=self.dropout)
        if self.fusion == "slots":
            return Branches(self.task, 2 * self.width, dropout=self.dropout)
        if self.fusion == "experts":
            return Experts(self.task, widths, text=next((m for m, view in self.views.items() if view.kind == "choices"), ""))
        return prompt_head(self.task, self.head, widths, self.width, self.dropout, weights) if self.head else None

    def _encoder(self, modality: str, weights: bool) -> Encoder:
        view, name = self.views[modality], self.encoders[modality]
        if name in OWN[view.kind]:
            return OWN[view.kind][name](view, width=self.width, dropout=self.dropout)
        if isinstance(view, Graphed):
            return GraphEncoder(view, width=self.width, dropout=self.dropout)
        found = published_encoder(view, name, config=self.configs.get(modality), freeze=self.freeze, weights=weights)
        return with_lora(found, self.lora) if self.lora and published(name) else found

    def save(self, folder: Path) -> None:
        """Writes `{name}.json` and the views' assets."""
        document: dict[str, Any] = {
            "name": self.name,
            "task": self.task.to_json(),
            "encoders": dict(self.encoders),
            "views": {},
            "configs": {modality: dict(config) for modality, config in self.configs.items()},
            "width": self.width,
            "dropout": self.dropout,
            "modality_dropout": self.modality_dropout,
            "freeze": self.freeze,
            **({"lora": self.lora} if self.lora else {}),
            **({"slots": self.slots} if self.slots != SLOTS else {}),
            "head": dict(self.head),
            "branches": list(self.branches),
            "fusion": self.fusion,
            "depth": self.depth,
            "fusion_config": dict(self.fusion_config),
        }
        for modality, view in self.views.items():
            files = {}
            for asset, content in view.assets().items():
                files[asset] = f"{self.name}-{modality}-{asset}"
                with whole_file(folder / files[asset]) as partial:
                    partial.write_bytes(content)
            document["views"][modality] = {"view": type(view).__name__, "state": view.state(), "assets": files}
        write_json(folder / f"{self.name}.json", document)

    @staticmethod
    def load(folder: Path, name: str) -> "Blueprint":
        document = read_json(folder / f"{name}.json", DOCUMENT)
        views = {}
        for modality, stored in document.pop("views").items():
            found = {asset: folder / Path(file).name for asset, file in stored["assets"].items()}
            for path in found.values():
                refuse_endless(path)
            assets = {asset: path.read_bytes() for asset, path in found.items()}
            views[modality] = restore(stored["view"], stored["state"], assets).keeping(cache_folder() / "said")
        return Blueprint(**document | {"task": task_from_json(document["task"]), "views": views})


def for_retrieval(drawn: Blueprint, branches: Sequence[str], *, space: Space | Literal[""], fused: bool) -> Blueprint:
    """Of a model that searches between `branches`, each of which answers alone unless `fused`. space: the task's own if ""."""
    assert isinstance(drawn.task, Retrieval)
    task = replace(drawn.task, branches=tuple(branches), space=space or drawn.task.space)
    return replace(drawn, task=task, branches=() if fused else tuple(branches))


def chosen_encoders(
    corpus: Corpus, modalities: Sequence[str], named: Mapping[str, str], *, fusion: str, usual: Mapping[Kind, str] | None = None
) -> dict[str, str]:
    """The encoder of each modality: the one named, else what its fusion brings along or its features came from, else ours.

    usual: ours by kind, where that is not the first one.
    """
    named = own_parts(corpus, fusion, modalities) | dict(named)
    found = {}
    for modality in modalities:
        stored = stored_features(corpus, modality)
        own = default_encoder(corpus.modalities[modality], usual or {})
        found[modality] = named.get(modality, stored["encoder"] if stored else own)
    return found


def default_encoder(modality: Modality, usual: Mapping[Kind, str]) -> str:
    """The usual one of its kind, else the first; of long vectors a perceptron alone."""
    if modality.kind == "vector" and modality.width > WIDEST:
        return "mlp"
    return usual.get(modality.kind, next(iter(OWN[modality.kind])))


def draw(corpus: Corpus, split: Split, player: Player, *, name: str) -> Blueprint:
    """The blueprint of a player: views and target scale fitted on the train rows of `split` alone.

    Modalities whose encoder is not named take the default of their kind, or what stored their features.
    """
    chosen = chosen_encoders(corpus, player.modalities, player.encoders, fusion=player.fusion)
    views: dict[str, View] = {}
    configs: dict[str, Any] = {}
    for modality, encoder in chosen.items():
        kind = corpus.modalities[modality].kind
        if encoder in OWN[kind]:
            view = SMALL_FRAMES if kind == "video" else READS.get(encoder) or view_for(corpus.modalities[modality])
            if modality in player.max_tokens and isinstance(view, Text | Terms | Choices):
                view = view.limited(player.max_tokens[modality])
        else:
            view = published_view(corpus, modality, encoder, max_tokens=player.max_tokens.get(modality))
        views[modality] = view.fit(streamed(corpus, modality, split.train)) if not isinstance(view, NOTHING_TO_FIT) else view
        if encoder.startswith(brought.PREFIX):
            brought.check_brought(corpus, modality, encoder, views[modality])
        if encoder not in OWN[kind] and not isinstance(view, Graphed):
            configs[modality] = published_encoder(views[modality], encoder, weights=False).config
    task = corpus.task.fit(corpus.target[split.labelled])
    head = resolved(task, player.head, seen_kinds(corpus, player.modalities), corpus.target[split.labelled])
    fusion = {} if player.fusion in FUSIONS else published_config(player.fusion)
    joined = {"fusion": player.fusion, "fusion_config": fusion}
    return Blueprint(name, task, chosen, views, configs, head=head, **joined, **asdict(player.sized))
