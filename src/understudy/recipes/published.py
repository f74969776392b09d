"""Encoders that are not ours, by transformers folder or hub id: the view that each wants, and the encoder itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from understudy import encoders
from understudy.corpus import Corpus
from understudy.encoders.clip import Freeze, published_frames
from understudy.encoders.encoder import Encoder
from understudy.encoders.published import published_config
from understudy.encoders.vision import published_pictures
from understudy.prepare.cells import Kind
from understudy.prepare.choices import Choices
from understudy.prepare.pictures import Pictures
from understudy.prepare.stored import StoredFrames
from understudy.prepare.text import Text
from understudy.prepare.video import Frames
from understudy.prepare.view import View

VIDEO = {"xclip": encoders.XClip, "clip": encoders.PlainClip}
IMAGE = {"clip": encoders.ClipImage, "vit": encoders.ViT}
"""By transformers' `model_type`."""
KINDS: tuple[Kind, ...] = ("text", "choices", "image", "video")
"""What can be read by a transformers folder or hub id."""
MAX_TOKENS = 128
"""Of a text, where an encoder reads as many."""


def published_view(corpus: Corpus, modality: str, name: str) -> View:
    """The unfitted view of a published encoder, or of what one said of a video when its features were stored.

    ValueError for a name that is neither ours nor published, FileNotFoundError for one that is nowhere.
    """
    kind = corpus.modalities[modality].kind
    if kind in ("text", "choices"):
        make, clip = Text if kind == "text" else Choices, published_config(name).get("text_config") or {}
        return make.pretrained(name, max_tokens=min(MAX_TOKENS, clip.get("max_position_embeddings", MAX_TOKENS)))
    if kind in ("image", "video"):
        model_type, known = published_config(name).get("model_type"), IMAGE if kind == "image" else VIDEO
        if model_type not in known:
            article = "an" if kind == "image" else "a"
            raise ValueError(f"{name} is a {model_type}; {article} {kind} encoder is one of {', '.join(known)}")
        return published_pictures(name) if kind == "image" else published_frames(name)
    stored = stored_features(corpus, modality)
    if stored is None or stored["encoder"] != name:
        raise ValueError(f"no {kind} encoder {name!r}")
    return StoredFrames(**stored["view"])


def published_encoder(
    view: View, name: str, *, config: Mapping[str, Any] | None = None, freeze: Freeze = "tower", weights: bool = True
) -> Encoder:
    """The encoder with its published weights; without `weights` its architecture alone, of `config`, or the published one."""
    known = config or published_config(name)
    if isinstance(view, Text | Choices):
        make = encoders.ClipText if known["model_type"] == "clip" else encoders.TextEncoder
        return make.pretrained(name, view) if weights else make(view, config=known)
    if isinstance(view, Pictures):
        make = IMAGE[known["model_type"]]
        return make.pretrained(name, view) if weights else make(view, config=known)
    assert isinstance(view, Frames | StoredFrames)
    make = VIDEO[known["model_type"]]
    return make.pretrained(name, view, freeze=freeze) if weights else make(view, config=known, freeze=freeze)


def seen_kinds(corpus: Corpus, modalities: Sequence[str]) -> dict[str, Kind]:
    """The kind of each modality; "video" where what an encoder said of one is stored."""
    return {each: "video" if stored_features(corpus, each) else corpus.modalities[each].kind for each in modalities}


def stored_features(corpus: Corpus, modality: str) -> dict[str, Any] | None:
    """What `store_features` noted of a modality: the encoder's name and the state of its view; None for any other."""
    noted = corpus.schema.about.get(f"{modality} features")
    return None if noted is None else json.loads(noted)
