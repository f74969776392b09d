"""Any ONNX file as a frozen encoder: the view that a small JSON beside it describes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.prepare.cells import Cells, Modality
from understudy.prepare.graphed import Graphed, GraphedPictures, GraphedSound, run, session_of
from understudy.prepare.picture import Resample
from understudy.prepare.pictures import Pictures
from understudy.prepare.waveform import Waveform
from understudy.process.document import Shape
from understudy.process.whole import read_json, refuse_endless

PREFIX = "onnx:"
"""Of an encoder's name; the file's path follows."""
NUMBER = (int, float)
COLOURS = (int, float, [(int, float)])
DESCRIPTION: Shape = {
    "vector": str,
    "tokens?": str,
    "size?": int,
    "short?": int,
    "resample?": str,
    "mean?": COLOURS,
    "scale?": COLOURS,
    "rate?": int,
    "seconds?": NUMBER,
}
"""vector, tokens: outputs of the graph, [B D] and [B ... D].

Of pictures: size: pixels of a side; short: what the short side is resized to before the centre is cut out, `size` when nothing
is said, 0 squeezes; resample: bilinear. What enters is (pixel - mean) * scale, [B 3 size size], pixels in 0..255 and mean 0,
scale 1 / 255 when nothing is said. Of sound: rate, samples a second; seconds of each row, 10; samples in [-1, 1] times scale, 1.
"""


def graphed(name: str, modality: Modality) -> Graphed:
    """The view of `onnx:FILE`, for a modality of pictures or sound.

    ValueError and FileNotFoundError for a file or a description that are not there, or that do not go together.
    """
    path = Path(name.removeprefix(PREFIX))
    told = path.with_suffix(".json")
    for each, what in ((path, "the ONNX file"), (told, "its description, a small JSON object")):
        if not each.is_file():
            raise FileNotFoundError(f"encoder {name!r}: no {each}, {what}")
    refuse_endless(path)
    description = read_json(told, DESCRIPTION)
    inner = inner_of(description, modality, told)
    graph = path.read_bytes()
    session = session_of(graph, str(path))
    if len(session.get_inputs()) != 1:
        raise ValueError(
            f"{path} has {len(session.get_inputs())} inputs; an encoder here has one, what {modality.kind}s are made of"
        )
    vector, tokens = description["vector"], description.get("tokens", "")
    there = [each.name for each in session.get_outputs()]
    if unknown := [each for each in (vector, tokens) if each and each not in there]:
        raise ValueError(f"{told} names output {unknown[0]!r}, and {path.name} has {', '.join(there)}")
    kind = GraphedPictures if isinstance(inner, Pictures) else GraphedSound
    asked = kind(inner, graph, session.get_inputs()[0].name, vector, tokens, width=1, steps=0)
    return measured(asked, session, path)


def inner_of(description: dict[str, Any], modality: Modality, told: Path) -> Pictures | Waveform:
    """What prepares a cell for the graph."""
    if modality.kind == "audio":
        if "rate" not in description:
            raise ValueError(f"{told} says no rate; an encoder of sound needs one, samples a second")
        seconds, scale = float(description.get("seconds", 10.0)), description.get("scale", 1.0)
        if not isinstance(scale, int | float):
            raise ValueError(f"{told}: scale is {scale!r}; sound takes one number")
        return Waveform(modality.rate, description["rate"], normalised=False, seconds=seconds, scale=float(scale))
    if modality.kind != "image":
        raise ValueError(f"{PREFIX}FILE reads pictures and sound, and the modality is a {modality.kind}")
    if "size" not in description:
        raise ValueError(f"{told} says no size; an encoder of pictures needs one, pixels of a side")
    mean, scale = (three(description.get(key, usual), key, told) for key, usual in (("mean", 0.0), ("scale", 1 / 255)))
    if min(scale) <= 0:
        raise ValueError(f"{told}: scale is {description['scale']!r}; expected numbers above 0")
    resample: Resample = description.get("resample", "bilinear")
    red, green, blue = (value / 255 for value in mean)
    deviations = (1 / (255 * scale[0]), 1 / (255 * scale[1]), 1 / (255 * scale[2]))
    size = description["size"]
    return Pictures(size, description.get("short", size), resample, mean=(red, green, blue), std=deviations)


def three(value: Any, key: str, told: Path) -> list[float]:
    """Of red, green and blue; one number stands for all."""
    found = [value] * 3 if isinstance(value, int | float) else list(value)
    if len(found) != 3:
        raise ValueError(f"{told}: {key} is {value!r}; expected one number, or three of red, green and blue")
    return [float(each) for each in found]


def measured(asked: Graphed, session: Any, path: Path) -> Graphed:
    """The view with the width and number of tokens that the graph gives of two cells of noise; ValueError where it cannot be."""
    noise = np.random.default_rng(0)
    is_sound = isinstance(asked.inner, Waveform)
    many = round(asked.inner.seconds * asked.inner.rate) if isinstance(asked.inner, Waveform) else 0
    draw = [
        noise.normal(size=many).astype(np.float32) if is_sound else noise.integers(0, 256, (32, 32, 3), np.uint8) for _ in "ab"
    ]
    values = asked.inner.prepare(Cells(asked.kind, draw, np.ones(2, dtype=bool)))["values"]
    outputs = [asked.vector, *filter(None, [asked.tokens])]
    vector, *tokens = run(session, {asked.entry: values}, outputs)
    alone = run(session, {asked.entry: values[:1]}, outputs)[0]
    if vector.ndim != 2 or any(each.ndim < 3 or each.shape[-1] != vector.shape[1] for each in tokens) or len(vector) != 2:
        said = ", ".join(f"{name} {list(each.shape)}" for name, each in zip(outputs, (vector, *tokens), strict=True))
        raise ValueError(f"{path} says {said} of 2 rows; expected a vector [2, D] and tokens [2, ..., D]")
    if not np.isfinite(vector).all() or not np.allclose(vector[:1], alone, rtol=1e-3, atol=1e-3):
        raise ValueError(f"{path} answers a row by the others beside it, or with no numbers; export it in evaluation mode")
    steps = int(np.prod(tokens[0].shape[1:-1])) if tokens else 0
    return replace(asked, width=vector.shape[1], steps=steps)
