"""Pictures as CLIP reads them: short side resized, centre cut out, standardised by channel. Equal to transformers' processor."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Resample = Literal["bicubic", "bilinear"]
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
NARROW = 8
"""A picture with sides further apart than this is first cut: resized whole, a strip of 1 x 10,000 would take gigabytes."""


def resized(picture: "Image", size: tuple[int, int], resample: Resample) -> "Image":
    """In colour, at `size` (W, H), with antialiasing."""
    from PIL.Image import Resampling

    return picture.convert("RGB").resize(size, Resampling[resample.upper()])


def centre_square(picture: "Image", size: int, resample: Resample, *, short: int = 0) -> NDArray[np.uint8]:
    """`[size size 3]`: the short side resized to `short` (`size` where it is 0), then the centre."""
    width, height = picture.size
    side, into = min(width, height), short or size
    if max(width, height) > NARROW * side:
        keep = NARROW * side
        left, top = max(0, (width - keep) // 2), max(0, (height - keep) // 2)
        picture = picture.crop((left, top, left + min(width, keep), top + min(height, keep)))
        width, height = picture.size
    wide, high = int(into * width / side), int(into * height / side)
    left, top = (wide - size) // 2, (high - size) // 2
    return np.asarray(resized(picture, (wide, high), resample).crop((left, top, left + size, top + size)))


def standardised(pixels: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """`[... H W 3]` in 0..255 as `[... 3 H W]`: to [0, 1], then in deviations `std` from `mean`."""
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    found = np.empty((*pixels.shape[:-3], 3, *pixels.shape[-3:-1]), dtype=np.float32)
    for colour in range(3):
        found[..., colour, :, :] = ((levels - np.float32(mean[colour])) / np.float32(std[colour]))[pixels[..., colour]]
    return found
