"""The views by name: how a saved one comes back, and the default view of a modality."""

from collections.abc import Mapping
from typing import Any

from understudy.prepare.audio import LogMel
from understudy.prepare.cells import Modality
from understudy.prepare.choices import Choices
from understudy.prepare.graphed import GraphedPictures, GraphedSound
from understudy.prepare.image import Image
from understudy.prepare.knots import Knots
from understudy.prepare.pictures import Pictures
from understudy.prepare.regions import Regions
from understudy.prepare.sequence import Sequence
from understudy.prepare.stored import StoredFrames
from understudy.prepare.table import Table
from understudy.prepare.terms import Terms
from understudy.prepare.text import Text
from understudy.prepare.vector import Vector
from understudy.prepare.video import Frames
from understudy.prepare.view import View
from understudy.prepare.waveform import Waveform
from understudy.prepare.whisper import WhisperMel
from understudy.process.document import Shape

VIEWS: dict[str, type[View]] = {
    view.__name__: view
    for view in (
        *(Vector, Knots, Table, Sequence, Text, Terms, Choices, Image, Pictures, Regions, LogMel, Frames, StoredFrames),
        *(Waveform, WhisperMel, GraphedPictures, GraphedSound),
    )
}


VIEW: Shape = {"view": str, "state": {}, "assets": {...: str}}
"""A fitted view at rest, in a run as in an artifact: its class, its state, and the files of its assets by their names."""


def restore(name: str, state: Mapping[str, Any], assets: Mapping[str, bytes]) -> View:
    """The view of class `name` with this state and these assets; ValueError for an unknown name or a state not its own."""
    if name not in VIEWS:
        raise ValueError(f"unknown view {name!r}; known: {', '.join(VIEWS)}")
    try:
        return VIEWS[name].restore(state, assets)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not the saved state of view {name!r}: {error!r}") from None


def view_for(modality: Modality) -> View:
    """The unfitted default view of a modality."""
    defaults: dict[str, View] = {
        "vector": Vector(),
        "table": Table(),
        "sequence": Sequence(),
        "text": Text.bpe(),
        "choices": Choices.bpe(),
        "image": Image(),
        "regions": Regions(),
        "video": Frames(),
    }
    return LogMel(modality.rate) if modality.kind == "audio" else defaults[modality.kind]
