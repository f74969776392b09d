"""Sample: a made-up row of an artifact, for its page and its API description. No torch."""

import base64
import io
import math
import struct
import wave
import zlib
from typing import Any

import numpy as np

from understudy.artifact.predict import Artifact
from understudy.prepare import Table, Vector
from understudy.prepare.cells import Modality
from understudy.prepare.source import source_columns
from understudy.prepare.view import View
from understudy.serve.question import Row

WORDS = "a few words to try it with"
DATE = "2026-05-31"
SIDE = 16
"""Pixels of the sample picture's sides."""
SECONDS = 0.1
"""Of the sample sound."""


def sample_of(artifact: Artifact) -> Row:
    """Numbers at their train mean, the first known category, a date, a few words, a picture, a short tone; video is null."""
    row: Row = {}
    for name, modality in artifact.modalities.items():
        columns = source_columns(name, modality)
        row |= dict(zip(columns, cells_of(modality, columns, artifact.views[name]), strict=True))
    return row


def cells_of(modality: Modality, columns: tuple[str, ...], view: View) -> list[Any]:
    """One of each column."""
    match modality.kind:
        case "vector":
            means = plain(view.standard.mean) if isinstance(view, Vector) else [0.0] * modality.width
            return means if len(columns) > 1 else [means]
        case "table":
            return [cell_of(column, view) for column in columns]
        case "text":
            return [WORDS]
        case "choices":
            choices = [f"the {word} of them" for word in ("first", "second", "third", "fourth")]
            choices = [choices[place % 4] for place in range(modality.width)]
            return choices if len(columns) > 1 else [choices]
        case "sequence":
            return [[[0.0] * modality.width] * 2]
        case "regions":
            return [[[0.25, 0.25, 0.75, 0.75] + [0.0] * modality.width]]
        case "image":
            return [base64.b64encode(png()).decode()]
        case "audio":
            return [base64.b64encode(tone(modality.rate)).decode()]
    return [None] * len(columns)


def cell_of(column: str, view: View) -> float | str | None:
    """Of a table."""
    if not isinstance(view, Table):
        return None
    if column in view.numbers:
        return plain(view.standard.mean)[view.numbers.index(column)]
    if column in view.categories:
        return next(iter(view.categories[column]), None)
    return DATE if any(each.startswith(f"{column}.") for each in view.numbers) else None


def plain(values: np.ndarray) -> list[float]:
    """Four figures of each are enough."""
    return [float(f"{value:.4g}") for value in values]


def png() -> bytes:
    """A picture whose colours run from corner to corner."""
    rows = b"".join(b"\0" + bytes(c for x in range(SIDE) for c in (x * 15, y * 15, 128)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = [struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tone(rate: int) -> bytes:
    """A WAV file of a quiet tone of 440 Hz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        steps = range(max(1, int(SECONDS * rate)))
        sound.writeframes(b"".join(struct.pack("<h", int(3000 * math.sin(2 * math.pi * 440 * step / rate))) for step in steps))
    return file.getvalue()
