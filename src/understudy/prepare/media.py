"""Media files in memory: arrays, pictures and sound. Every fault is one ValueError that names the file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_array(path: Path) -> NDArray[Any]:
    """A `.npy` array; never unpickles."""
    try:
        return np.load(path, allow_pickle=False)
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


def read_audio(path: Path, rate: int) -> NDArray[np.float32]:
    """A sound file as float32 `[T]` in [-1, 1]: the mean of the channels of its first stream, at `rate` samples a second."""
    import av
    from av.error import FFmpegError

    resampler = av.AudioResampler(format="fltp", rate=rate)
    try:
        with av.open(str(path)) as container:
            frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (FFmpegError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not a readable sound file: {error}") from None
    # The resampler's own mixing to one channel makes loud stereo exceed 1.
    pieces = [frame.to_ndarray().mean(axis=0) for frame in frames]
    return np.clip(np.concatenate(pieces, dtype=np.float32), -1, 1) if pieces else np.zeros(0, dtype=np.float32)
