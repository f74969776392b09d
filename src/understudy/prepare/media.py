"""Media files in memory: arrays, pictures, sound and video, of which the last two are decoded in a process of their own.

Every fault is one ValueError that names the file.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare import npz
from understudy.prepare.isolated import decoder
from understudy.prepare.limits import LIMITS, Limits
from understudy.prepare.medium import Medium, called, opened

LARGEST_FILE = 2**30
"""Bytes of a video or sound file: it is read into memory whole."""


PICTURES = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
"""The formats that Pillow may find in a file, by its names; readers of rarer ones never meet a stranger's file."""
MEGAPIXELS = 100.0
"""Of a single picture, at most, where nobody says less."""


def read_array(path: Path) -> NDArray[Any]:
    """A `.npy` array; never unpickles."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with path.open("rb") as opened:
            # Not `np.load`, which would also open an archive of arrays under this name.
            return npz.read_array(opened, path.stat().st_size)
    except npz.FAULTS as error:
        raise ValueError(f"{path} is not a .npy file of numbers: {error}") from None


def read_image(path: Medium, *, megapixels: float = MEGAPIXELS) -> NDArray[np.uint8]:
    """A picture as uint8 `[H W C]`, C = 1 (grey) or 3 (colour), turned upright; transparent parts become white."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if isinstance(path, Path) and not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with Image.open(opened(path), formats=PICTURES) as found:
            if found.width * found.height > megapixels * 1e6:
                raise ValueError(f"{found.width} x {found.height} pixels; at most {megapixels:g} megapixels are read")
            upright = ImageOps.exif_transpose(found)
            if upright.mode[0] in "IF":
                raise ValueError("more than 8 bits a channel; save it with 8")
            if upright.has_transparency_data:
                seen = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
            pixels = np.asarray(upright.convert("L" if upright.mode in ("1", "L") else "RGB"))
    except UnidentifiedImageError:
        raise ValueError(f"{called(path)} is not a readable picture: of none of the formats {', '.join(PICTURES)}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{called(path)} is not a readable picture: {error}") from None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def read_bytes(path: Medium) -> bytes:
    """A whole file; a device or a pipe, which may never end, is none."""
    if isinstance(path, bytes):
        return path
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} is larger than {LARGEST_FILE / 2**30:g} GiB; cut it into clips")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def read_video(path: Medium, *, limits: Limits = LIMITS) -> bytes:
    """The bytes of a video file, after a look at its packets and its first picture; a file that was cut short is refused."""
    content = read_bytes(path)
    try:
        if not decoder(limits).complete(content):
            raise ValueError("it ends before its stated end; it was cut short")
    except ValueError as error:
        raise ValueError(f"{called(path)} is not a readable video: {error}") from None
    return content


def read_audio(path: Medium, rate: int, *, limits: Limits = LIMITS) -> NDArray[np.float32]:
    """A sound file, or the sound of a video file, as float32 `[T]` in [-1, 1] at `rate` samples a second.

    The mean of the channels of its first stream of sound; a warning says how many broken packets were read around.
    """
    try:
        samples, broken = decoder(limits).audio(read_bytes(path), rate)
    except ValueError as error:
        raise ValueError(f"{called(path)} is not a readable sound file: {error}") from None
    if broken:
        warnings.warn(f"{called(path)}: {broken} broken packets were read around")
    return samples
