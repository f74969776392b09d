"""Pictures as published models read them: resized, cut to the centre, standardised; equal to transformers' processors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Resample = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
"""How pixels are interpolated, in the order of Pillow's numbers for them, which processor files hold."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
NARROW = 8
"""A picture with sides further apart than this is first cut: resized whole, a strip of 1 x 10,000 would take gigabytes."""


@dataclass(frozen=True)
class Square:
    """A picture of any shape as a square of `size` pixels: resized, then its centre.

    short: what the short side is resized to, at least `size`, which None stands for. 0 squeezes both sides instead, into `whole`
    pixels, or `size` where that is 0.
    """

    size: int
    short: int | None = None
    whole: int = 0
    resample: Resample = "bicubic"

    def __post_init__(self) -> None:
        sides = [each for each in (self.short, self.whole) if each]
        if self.size < 1 or any(side < self.size for side in sides) or self.resample not in get_args(Resample):
            raise ValueError(
                f"pictures of size {self.size} from a short side of {self.short}, or both of {self.whole}, "
                f"resample={self.resample!r}: expected at least one pixel, a short side as large or 0, and one of "
                + ", ".join(get_args(Resample))
            )

    def of(self, picture: "Image") -> NDArray[np.uint8]:
        """`[size size 3]`."""
        if self.short == 0:
            side = self.whole or self.size
            return self._centre(picture, side, side)
        width, height = picture.size
        short, into = min(width, height), self.short or self.size
        if max(width, height) > NARROW * short:
            keep = NARROW * short
            left, top = max(0, (width - keep) // 2), max(0, (height - keep) // 2)
            picture = picture.crop((left, top, left + min(width, keep), top + min(height, keep)))
            width, height = picture.size
        return self._centre(picture, int(into * width / short), int(into * height / short))

    def _centre(self, picture: "Image", wide: int, high: int) -> NDArray[np.uint8]:
        """Of the picture in colour, resized with antialiasing."""
        from PIL.Image import Resampling

        left, top = (wide - self.size) // 2, (high - self.size) // 2
        full = picture.convert("RGB").resize((wide, high), Resampling[self.resample.upper()])
        return np.asarray(full.crop((left, top, left + self.size, top + self.size)))


def standardised(pixels: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """`[... H W 3]` in 0..255 as `[... 3 H W]`: to [0, 1], then in deviations `std` from `mean`."""
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    found = np.empty((*pixels.shape[:-3], 3, *pixels.shape[-3:-1]), dtype=np.float32)
    for colour in range(3):
        found[..., colour, :, :] = ((levels - np.float32(mean[colour])) / np.float32(std[colour]))[pixels[..., colour]]
    return found
