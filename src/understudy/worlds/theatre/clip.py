"""Clip: frames and sound as one mp4 (H.264 and AAC), byte for byte the same for the same input on one machine."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

ONE_BY_ONE = {"threads": "1", "flags": "+bitexact"}
"""One thread, and no version of the encoder in the file."""


def write_clip(
    path: Path,
    *,
    pictures: NDArray[np.uint8] | None,
    frame_rate: int,
    sound: NDArray[np.float32] | None,
    sound_rate: int,
) -> None:
    """pictures: `[T H W 3]`, even H and W, or None for sound alone; sound: mono in [-1, 1], or None for a silent film."""
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as file:
        film = track = None
        if pictures is not None:
            film = file.add_stream("libx264", rate=frame_rate, options=ONE_BY_ONE | {"preset": "ultrafast", "crf": "20"})
            film.height, film.width, film.pix_fmt = pictures.shape[1], pictures.shape[2], "yuv420p"
        if sound is not None:
            track = file.add_stream("aac", rate=sound_rate, layout="mono", options=ONE_BY_ONE)
            track.bit_rate = 48_000
        if film is not None and pictures is not None:
            for picture in pictures:
                file.mux(film.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(film.encode())
        if track is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = sound_rate, Fraction(1, sound_rate), 0
            file.mux(track.encode(frame))
            file.mux(track.encode())
