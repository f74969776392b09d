"""Encoders that are not ours, by transformers folder or hub id, or brought: the view that each wants, and the encoder itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from understudy import encoders
from understudy.corpus import Corpus
from understudy.encoders.clip import Freeze, published_frames
from understudy.encoders.encoder import Encoder
from understudy.encoders.hearing import published_sound
from understudy.encoders.joint import JOINT
from understudy.encoders.published import published_config
from understudy.encoders.sentence import KEY, SentenceEncoder, sentence_settings
from understudy.encoders.vision import published_pictures
from understudy.players import brought
from understudy.prepare.cells import TEXTS, Kind
from understudy.prepare.choices import Choices
from understudy.prepare.graph_file import PREFIX as ONNX
from understudy.prepare.graph_file import graphed
from understudy.prepare.regions import Regions
from understudy.prepare.stored import StoredFrames
from understudy.prepare.text import Text
from understudy.prepare.view import View

READERS: dict[Kind, dict[str, Any]] = {
    "text": {"clip": encoders.ClipText} | dict.fromkeys(JOINT, encoders.Words),
    "choices": {"clip": encoders.ClipText} | dict.fromkeys(JOINT, encoders.Words),
    "image": {"clip": encoders.ClipImage, "vit": encoders.ViT, "vilt": encoders.ViltPatches},
    "regions": dict.fromkeys(("visual_bert", "lxmert"), encoders.DetectedRegions),
    "video": {"xclip": encoders.XClip, "clip": encoders.PlainClip},
    "audio": {},
}
"""What reads each kind by a transformers folder or hub id, by its `model_type`."""
OTHERS: dict[Kind, Any] = {
    "text": encoders.TextEncoder,
    "choices": encoders.TextEncoder,
    "image": encoders.PictureEncoder,
    "audio": encoders.SoundEncoder,
}
"""What reads a model of any other type."""
BROUGHT = (ONNX, brought.PREFIX)
"""How the names of encoders begin that are no published ones."""
MAX_TOKENS = 128
"""Of a text, where an encoder reads as many."""


def published_view(corpus: Corpus, modality: str, name: str, *, max_tokens: int | None = None) -> View:
    """The unfitted view of a published encoder, or of what one said of a video when its features were stored.

    max_tokens: of a text, refused where the model or its tokenizer reads less; MAX_TOKENS or what they read if None.
    ValueError for a name that is neither ours nor published, FileNotFoundError for one that is nowhere.
    """
    kind, stored = corpus.modalities[modality].kind, stored_features(corpus, modality)
    if name.startswith(ONNX):
        return graphed(name, corpus.modalities[modality])
    if name.startswith(brought.PREFIX):
        return brought.own_view(corpus, modality, name)
    if kind not in READERS:
        if stored is None or stored["encoder"] != name:
            raise ValueError(f"no {kind} encoder {name!r}")
        return StoredFrames(**stored["view"])
    config = published_config(name)
    if kind in TEXTS:
        asked = max_tokens or MAX_TOKENS
        longest = (config.get("text_config") or config).get("max_position_embeddings") or asked
        view = (Text if kind == "text" else Choices).pretrained(name, max_tokens=min(asked, longest))
        if max_tokens and view.max_tokens < max_tokens:
            raise ValueError(f"max_tokens {modality}={max_tokens}: {name} reads at most {view.max_tokens}")
        return view
    if config["model_type"] not in READERS[kind] and kind not in OTHERS:
        known = ", ".join(READERS[kind])
        raise ValueError(f"{name} is a {config['model_type']}; an encoder of kind {kind} is one of {known}")
    if kind == "regions":
        return Regions()
    if kind == "audio":
        return published_sound(name, rate=corpus.modalities[modality].rate)
    return published_pictures(name) if kind == "image" else published_frames(name)


def published_encoder(
    view: View, name: str, *, config: Mapping[str, Any] | None = None, freeze: Freeze = "tower", weights: bool = True
) -> Encoder:
    """The encoder with its published weights; without `weights` its architecture alone, of `config`, or the published one."""
    if name.startswith(brought.PREFIX):
        return brought.own_module(view, name)
    kind: Kind = "video" if isinstance(view, StoredFrames) else view.kind
    known = config or configured(name, kind)
    make: Any = SentenceEncoder if KEY in known else READERS[kind].get(known["model_type"], OTHERS.get(kind))
    told = {"freeze": freeze} if kind == "video" else {}
    return make.pretrained(name, view, **told) if weights else make(view, config=known, **told)


def configured(name: str, kind: Kind) -> Mapping[str, Any]:
    """The configuration of a published encoder, with what sentence-transformers saved beside it of a text's."""
    known = published_config(name)
    told = sentence_settings(name) if kind in TEXTS and known["model_type"] not in READERS[kind] else None
    return known if told is None else known | {KEY: told}


def seen_kinds(corpus: Corpus, modalities: Sequence[str]) -> dict[str, Kind]:
    """The kind of each modality; "video" where what an encoder said of one is stored."""
    return {each: "video" if stored_features(corpus, each) else corpus.modalities[each].kind for each in modalities}


def stored_features(corpus: Corpus, modality: str) -> dict[str, Any] | None:
    """What `store_features` noted of a modality: the encoder's name and the state of its view; None for any other."""
    noted = corpus.schema.about.get(f"{modality} features")
    return None if noted is None else json.loads(noted)
