"""How a published model's pictures were prepared: its processor file as settings of a view, held to its numbers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from understudy.encoders.published import FAULTS
from understudy.prepare.cells import Cells
from understudy.prepare.picture import CLIP_MEAN, CLIP_STD, Resample
from understudy.prepare.pictures import Pictures

FILES = ("processor_config.json", "preprocessor_config.json")
"""Where it stands, the first of them in the part `image_processor`; transformers 5 writes that one alone."""
Colours = tuple[float, float, float]
"""Red, green, blue."""
HALF = (0.5, 0.5, 0.5)
"""Mean and deviation of each colour, of a ViT."""


class Preparation(NamedTuple):
    """How a picture becomes numbers: settings of `Pictures` and of `Frames`."""

    size: int
    short: int
    whole: int = 0
    resample: Resample = "bicubic"
    mean: Colours = CLIP_MEAN
    std: Colours = CLIP_STD


def published_preparation(name: str, *, size: int, clip: bool) -> Preparation:
    """How pictures of `size` were prepared for the model in a folder or hub id.

    Without a file of it, as a CLIP is trained, or else as a ViT. Where its pictures keep their shape, they are squeezed into a
    square here, since a graph wants one size. ValueError for a file that cannot be read, and for one whose processor prepares
    them otherwise than can be said here: a picture of noise goes through both.
    """
    told, settings = processor_file(name)
    if settings is None:
        return Preparation(size, size) if clip else Preparation(size, 0, resample="bilinear", mean=HALF, std=HALF)
    try:
        processor = loaded(name, settings, size)
        said = as_settings(processor, size)
        theirs, given = of_noise(processor, size)
        ours = Pictures(**said._asdict()).prepare(Cells("image", [given], np.ones(1, dtype=bool)))["values"][0]
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{told}: {reason}; expected a JSON object of an image processor, image_mean and image_std three numbers each"
        ) from None
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-4, atol=1e-4):
        raise ValueError(
            f"{told}: its {type(processor).__name__} prepares pictures of {size} x {size} pixels in a way not known here; "
            "known are resizing, cutting out the centre, rescaling and normalising, in that order"
        )
    return said


def prepared_size(name: str, config: Mapping[str, Any]) -> int:
    """Pixels of a side of the square that a model looks at: as its processor file says, else as its configuration does.

    ValueError where neither does.
    """
    _, settings = processor_file(name)
    told = settings or {}
    said = [told.get("crop_size") if told.get("do_center_crop", True) else None, told.get("size")]
    for each in (*said, (config.get("vision_config") or config).get("image_size")):
        sides = list(each.values()) if isinstance(each, Mapping) else each if isinstance(each, list) else [each]
        whole = [side for side in sides if isinstance(side, int) and side > 0]
        if whole and len(whole) == len(sides):
            return min(whole)
    raise ValueError(
        f"{name} is a {config['model_type']}, and neither its processor file nor its configuration says of what size its "
        "pictures are: no encoder of kind image"
    )


def processor_file(name: str) -> tuple[str, Mapping[str, Any] | None]:
    """The file that tells of an image processor, and what; None where there is none. ValueError for a broken one."""
    from transformers.utils.hub import cached_file

    for file in FILES:
        told = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
        if not told:
            continue
        try:
            settings = json.loads(Path(told).read_text(encoding="utf-8"))
            found = settings.get("image_processor") if file == FILES[0] else settings
            if not isinstance(found, Mapping | None):
                raise ValueError(f"a {type(found).__name__} stands there")
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{told}: {error}; expected a JSON object of an image processor") from None
        if found is not None:
            return told, found
    return "", None


def loaded(name: str, settings: Mapping[str, Any], size: int) -> Any:
    """transformers' own processor, that of Pillow; pictures of `size` where the file does not say of what size."""
    from transformers import AutoImageProcessor

    unsaid = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    if settings.get("do_center_crop") is False:
        unsaid = {"size": {"height": size, "width": size}}
    missing = {} if "size" in settings or "crop_size" in settings else unsaid
    return AutoImageProcessor.from_pretrained(name, backend="pil", trust_remote_code=False, **missing)


def as_settings(processor: Any, size: int) -> Preparation:
    """What the processor's own settings come to. Rescaling and normalising are one mean and deviation of colours in [0, 1]."""
    resized, cut = dict(processor.size), bool(getattr(processor, "do_center_crop", False))
    if processor.do_rescale and not processor.rescale_factor > 0:
        raise ValueError(f"rescale_factor is {processor.rescale_factor}, which must be above 0")
    if not processor.do_resize:
        raise ValueError("do_resize is false, and pictures of every size are resized here")
    short = resized.get("shortest_edge") or 0
    whole = resized.get("height") or 0
    factor = 255 * processor.rescale_factor if processor.do_rescale else 255.0
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else (0.0, 1.0)
    colours = {"mean": scaled(mean, factor), "std": scaled(std, factor)}
    resample: Resample = get_args(Resample)[int(processor.resample)]
    return Preparation(size, short if cut else 0, whole if cut and not short and whole != size else 0, resample, **colours)


def scaled(colours: Any, factor: float) -> Colours:
    """Red, green and blue of values in [0, factor], as of [0, 1]; one number stands for all three."""
    red, green, blue = [colours] * 3 if isinstance(colours, int | float) else colours
    return float(red) / factor, float(green) / factor, float(blue) / factor


def of_noise(processor: Any, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """What the processor makes of a picture of noise [3 H W], and the picture: a square one where pictures keep their shape."""
    longer, square = (size + size // 2 + 1, 2 * size + 3), (size, size)
    for shape in (longer, square):
        given = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        # One of a video takes a list of pictures for a clip.
        found = np.asarray(processor([given], return_tensors="np")["pixel_values"], dtype=np.float32)
        if found.shape[-3:] == (3, size, size):
            return found.reshape(3, size, size), given
    return found.reshape(found.shape[-3:]), given
