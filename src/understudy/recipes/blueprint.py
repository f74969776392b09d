"""Blueprint: everything that rebuilds an untrained model, and the default encoder of each kind of modality."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from understudy import encoders
from understudy.corpus import Corpus, Split
from understudy.encoders.encoder import Encoder
from understudy.model import Model
from understudy.prepare.catalogue import restore, view_for
from understudy.prepare.cells import Kind
from understudy.prepare.text import Text
from understudy.prepare.view import View
from understudy.task import Task, task_from_json
from understudy.whole import whole_file, write_json

OWN: dict[Kind, dict[str, Callable[..., Encoder]]] = {
    "vector": {"mlp": encoders.VectorMLP},
    "table": {"mlp": encoders.TableMLP},
    "sequence": {"gru": encoders.SequenceGRU, "transformer": encoders.SequenceTransformer},
    "text": {"small": encoders.TextTransformer},
    "image": {"conv": encoders.ImageConv},
    "audio": {"conv": encoders.AudioConv},
}
"""kind -> encoder names, the first one the default. For text any other name is a transformers folder or hub id."""


def own_encoder(name: str) -> bool:
    """Whether `name` is one of ours; else it is a transformers folder or hub id."""
    return any(name in named for named in OWN.values())


def check_encoders(corpus: Corpus, named: Mapping[str, str]) -> None:
    """KeyError for a modality that the corpus lacks, ValueError for an encoder that its kind does not have."""
    for modality, name in named.items():
        if modality not in corpus.modalities:
            raise KeyError(f"an encoder is named for {modality!r}, but the corpus has {', '.join(corpus.modalities)}")
        kind = corpus.modalities[modality].kind
        if kind != "text" and name not in OWN[kind]:
            raise ValueError(f"no {kind} encoder {name!r} for {modality}; choose from {', '.join(OWN[kind])}")
        if name not in OWN[kind]:
            try:
                Text.pretrained(name)
            except OSError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"text encoder {name!r}: neither ours nor a transformers folder or hub id ({reason})") from None


@dataclass(frozen=True)
class Blueprint:
    """A model before training: what it reads through which fitted views and encoders, and its sizes.

    configs: the transformers configuration of each encoder that is not ours, so that a trained one comes back without its source.
    branches: as in `Model`.
    """

    name: str
    task: Task
    encoders: Mapping[str, str]
    views: Mapping[str, View]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    width: int = 128
    dropout: float = 0.1
    modality_dropout: float = 0.0
    branches: Sequence[str] = ()

    def build(self, seed: int, *, weights: bool = True) -> Model:
        """The untrained model; initialisation depends on (seed, name) alone.

        weights: fetch pretrained weights. False builds the architecture only, for a state that is loaded next.
        """
        with torch.random.fork_rng():
            torch.manual_seed(crc32(f"{seed}/{self.name}".encode()))
            built = {m: self._encoder(m, weights) for m in self.encoders}
            options = {"width": self.width, "dropout": self.dropout, "modality_dropout": self.modality_dropout}
            options["branches"] = self.branches
            return Model(self.task, built, name=self.name, **options)

    def _encoder(self, modality: str, weights: bool) -> Encoder:
        view, name = self.views[modality], self.encoders[modality]
        if name in OWN[view.kind]:
            return OWN[view.kind][name](view, width=self.width, dropout=self.dropout)
        assert isinstance(view, Text)
        if not weights:
            return encoders.TextEncoder(view, config=self.configs[modality])
        return encoders.TextEncoder.pretrained(name, view)

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
            "branches": list(self.branches),
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
        document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        views = {}
        for modality, stored in document.pop("views").items():
            assets = {asset: (folder / file).read_bytes() for asset, file in stored["assets"].items()}
            views[modality] = restore(stored["view"], stored["state"], assets)
        return Blueprint(**document | {"task": task_from_json(document["task"]), "views": views})


def draw(
    corpus: Corpus,
    split: Split,
    modalities: Sequence[str],
    *,
    name: str,
    named: Mapping[str, str],
    sizes: Mapping[str, Any],
) -> Blueprint:
    """The blueprint of a model over `modalities`: views and target scale fitted on the train rows of `split` alone.

    named: modality -> encoder name; modalities without one take the default of their kind.
    """
    chosen, views, configs = {}, {}, {}
    for modality in modalities:
        kind = corpus.modalities[modality].kind
        chosen[modality] = named.get(modality, next(iter(OWN[kind])))
        own = chosen[modality] in OWN[kind]
        view = view_for(corpus.modalities[modality]) if own else Text.pretrained(chosen[modality])
        views[modality] = view.fit(corpus.cells(modality, split.train))
        if not own:
            configs[modality] = encoders.TextEncoder.pretrained(chosen[modality], views[modality], weights=False).config
    task = corpus.task.fit(corpus.target[split.labelled])
    return Blueprint(name=name, task=task, encoders=chosen, views=views, configs=configs, **sizes)
