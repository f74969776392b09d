"""Made clips for tests: each picture tells which one it is, through any codec; and sound beside it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np

SIZE = (48, 64)
"""Height and width."""


def numbered(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Pictures [H W 3] in five grey stripes, the digits of their number in base 3; the upper left corner is red."""
    pictures = []
    for number in range(count):
        picture = np.zeros((*size, 3), np.uint8)
        for place, stripe in enumerate(np.array_split(np.arange(size[1]), 5)):
            picture[:, stripe] = 40 + 80 * (number // 3**place % 3)
        picture[: size[0] // 4, : size[1] // 5] = (255, 0, 0)
        pictures.append(picture)
    return pictures


def number_of(picture: Any) -> int:
    """Which one of `numbered` this is, whatever its size."""
    array = np.asarray(picture).astype(float)
    row = array[array.shape[0] * 3 // 4].mean(axis=1)
    return sum(round((row[int((place + 0.5) * len(row) / 5)] - 40) / 80) * 3**place for place in range(5))


def clip(
    pictures: Sequence[np.ndarray],
    *,
    container: str = "mp4",
    codec: str = "libx264",
    rate: int = 25,
    at: Sequence[int] | None = None,
    turn: int = 0,
    sound: float = 0.0,
    fast: bool = False,
    **options: str,
) -> bytes:
    """A video file. at: when each picture is shown, in 1 / rate seconds. turn: degrees. sound: seconds of a tone of 440 Hz.
    fast: the header stands before the pictures (mp4 and mov), so that a file that is cut short still has one.
    """
    folder = TemporaryDirectory()
    path = Path(folder.name) / "clip"
    speed = {"preset": "ultrafast"} if codec == "libx264" else {"deadline": "realtime", "cpu-used": "8"} if "vpx" in codec else {}
    with folder, av.open(str(path), "w", format=container, options={"movflags": "faststart"} if fast else {}) as file:
        stream: Any = file.add_stream(codec, rate=rate, options={"threads": "1"} | speed | options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if turn:
            stream.set_display_rotation(turn)
        if sound:
            voice: Any = file.add_stream({"webm": "libopus", "avi": "mp3"}.get(container, "aac"), rate=48000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if at is None else at[number]
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if sound:
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(sound * 48000)) / 48000)
            samples = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], format="fltp", layout="mono")
            samples.rate, samples.pts = 48000, 0
            resampler = av.AudioResampler(format=voice.codec_context.format, layout=voice.codec_context.layout, rate=48000)
            fifo = av.AudioFifo()
            for part in resampler.resample(samples):
                fifo.write(part)
            size = voice.codec_context.frame_size or 1024
            while fifo.samples:
                file.mux(voice.encode(fifo.read(size, partial=True)))
            file.mux(voice.encode(None))
        file.close()
        return path.read_bytes()
