"""Media files in memory: arrays, pictures and sound. Every fault is one ValueError that names the file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.clip import probe_video
from understudy.prepare.limits import CONTAINERS, LIMITS, Limits, TimedFile

if TYPE_CHECKING:
    from av import AudioFrame

LARGEST_FILE = 2**30
"""Bytes of a video or sound file: it is read into memory whole."""


def read_array(path: Path) -> NDArray[Any]:
    """A `.npy` array; never unpickles."""
    try:
        with path.open("rb") as opened:
            # Not `np.load`, which would also open an archive of arrays under this name.
            return np.lib.format.read_array(opened, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a .npy file of numbers: {error}") from None


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture as uint8 `[H W C]`, C = 1 (grey) or 3 (colour), turned upright; transparent parts become white."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            if upright.mode[0] in "IF":
                raise ValueError("more than 8 bits a channel; save it with 8")
            if upright.has_transparency_data:
                seen = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
            pixels = np.asarray(upright.convert("L" if upright.mode in ("1", "L") else "RGB"))
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a readable picture: {error}") from None
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def read_bytes(path: Path) -> bytes:
    """A whole file; a device or a pipe, which may never end, is none."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} is larger than {LARGEST_FILE / 2**30:g} GiB; cut it into clips")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def read_video(path: Path, *, limits: Limits = LIMITS) -> bytes:
    """The bytes of a video file, after a look at its packets and its first picture; a file that was cut short is refused."""
    content = read_bytes(path)
    try:
        facts = probe_video(content, limits=limits)
    except ValueError as error:
        raise ValueError(f"{path} is not a readable video: {error}") from None
    if not facts.complete:
        raise ValueError(f"{path} is not a readable video: it ends before its stated end; it was cut short")
    return content


def read_audio(path: Path, rate: int, *, limits: Limits = LIMITS) -> NDArray[np.float32]:
    """A sound file, or the sound of a video file, as float32 `[T]` in [-1, 1] at `rate` samples a second.

    The mean of the channels of its first stream of sound.
    """
    try:
        return decode_audio(read_bytes(path), rate, limits=limits)
    except ValueError as error:
        raise ValueError(f"{path} is not a readable sound file: {error}") from None


def decode_audio(content: bytes, rate: int, *, limits: Limits = LIMITS) -> NDArray[np.float32]:
    """The samples in the bytes of such a file."""
    import av
    from av.error import FFmpegError

    if not content:
        raise ValueError("the file is empty")
    resampler = av.AudioResampler(format="flt", rate=rate)
    pieces: list[NDArray[np.float32]] = []
    most, samples = limits.longest * rate, 0
    clock = TimedFile(content, limits.patience)
    try:
        with av.open(clock, mode="r", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.audio:
                raise ValueError("it holds no sound")
            for frame in container.decode(audio=0):
                clock.check()
                for out in resampler.resample(frame):
                    pieces.append(mixed(out))
                    samples += len(pieces[-1])
                if samples > most:
                    raise ValueError(f"it lasts longer than {limits.longest:g} seconds")
        pieces += [mixed(out) for out in resampler.resample(None)]
    except (FFmpegError, OSError, MemoryError, IndexError) as error:
        raise ValueError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
    return np.clip(np.concatenate(pieces, dtype=np.float32), -1, 1) if pieces else np.zeros(0, dtype=np.float32)


def mixed(frame: "AudioFrame") -> NDArray[np.float32]:
    """The mean of the channels of packed samples; the resampler's own mixing to one makes loud stereo exceed 1."""
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).mean(axis=1)
