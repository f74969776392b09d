"""Sound in memory: samples of a file's first stream of sound, read around what is broken. Every fault is a ValueError."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.clip import riff_is_whole
from understudy.prepare.limits import CONTAINERS, LIMITS, Limits, TimedFile

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.container import InputContainer

LOUDEST = 2.0
"""A sample beyond this is no loud one: the file is in another unit, such as that of 16-bit numbers."""
PADDING = 0.25
"""Seconds of a coder's padding behind the stated end, at most; they are no sound of the file."""
SHORT = 0.9
"""A file that holds a smaller share of the seconds that it states, less PADDING, was cut short."""


@dataclass(eq=False)
class Resampled:
    """Frames as mono float32 at one rate; a stream may change its rate, its channels or its format on the way.

    The library gives packed samples, whose mean over the channels is ours: its own mixing makes loud stereo exceed 1.
    """

    rate: int
    pieces: list[NDArray[np.float32]] = field(default_factory=list)
    samples: int = 0
    _kind: tuple[Any, ...] | None = None
    _resampler: "AudioResampler | None" = None
    _channels: int = 1

    def add(self, frame: "AudioFrame") -> None:
        """One frame."""
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._kind:
            self.end()
            from av import AudioResampler

            self._kind, self._channels = kind, frame.layout.nb_channels
            self._resampler = AudioResampler(format="flt", layout=frame.layout, rate=self.rate)
        self._take(frame)

    def end(self) -> None:
        """What the resampler still holds."""
        if self._resampler is not None:
            self._take(None)

    def _take(self, frame: "AudioFrame | None") -> None:
        assert self._resampler is not None
        for out in self._resampler.resample(frame):
            piece = out.to_ndarray().reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
            self.pieces.append(piece)
            self.samples += len(piece)


def decode_audio(content: bytes, rate: int, *, limits: Limits = LIMITS) -> tuple[NDArray[np.float32], int]:
    """Samples `[T]` in [-1, 1] at `rate`, the mean of the channels; and how many broken packets were read around."""
    import av
    from av.error import FFmpegError

    if not content:
        raise ValueError("the file is empty")
    clock, sound, broken = TimedFile(content, limits.patience), Resampled(rate), 0
    try:
        with av.open(clock, mode="r", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.audio:
                raise ValueError("it holds no sound")
            stated = stated_seconds(container, content)
            for frames in packets_of(container):
                clock.check()
                broken += frames is None
                for frame in frames or ():
                    sound.add(frame)
                if sound.samples > limits.longest * rate:
                    raise ValueError(f"it lasts longer than {limits.longest:g} seconds")
            sound.end()
    except (FFmpegError, OSError, MemoryError, IndexError) as error:
        raise ValueError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
    if not sound.samples:
        raise ValueError("no packet of its sound can be decoded" if broken else "it holds no sound")
    return checked(np.concatenate(sound.pieces), rate, stated, content), broken


def packets_of(container: "InputContainer") -> "Iterator[list[AudioFrame] | None]":
    """The frames of each packet, None of one that is broken, such as a tag inside of an MP3."""
    from av.error import FFmpegError

    for packet in container.demux(container.streams.audio[0]):
        try:
            yield packet.decode()
        except FFmpegError:
            yield None


def stated_seconds(container: "InputContainer", content: bytes) -> float | None:
    """How long the file says that its sound is; None where that is only an estimate, as of an MP3 without a count of frames."""
    stream = container.streams.audio[0]
    if container.format.name == "mp3" and not any(mark in content[:4096] for mark in (b"Xing", b"Info", b"VBRI")):
        return None
    if container.format.name in ("aac", "flac", "amr", "wav", "aiff", "au", "caf", "w64") and stream.duration is None:
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None or len(container.streams) > 1 else container.duration / 1e6


def checked(samples: NDArray[np.float32], rate: int, stated: float | None, content: bytes) -> NDArray[np.float32]:
    """Samples without padding, in [-1, 1]; ValueError for a file that was cut short or is in another unit."""
    seconds = len(samples) / rate
    if cut := not riff_is_whole(content):
        stated = seconds * int.from_bytes(content[4:8], "little") / len(content)
    if cut or (stated is not None and seconds < SHORT * stated - PADDING):
        raise ValueError(f"it holds {seconds:.2f} of the {stated:.2f} seconds that it states; it was cut short")
    if stated is not None and stated < seconds <= stated + PADDING:
        samples = samples[: max(1, round(stated * rate))]
    peak = float(np.abs(samples).max())
    if np.isnan(peak):
        raise ValueError("some of its samples are no numbers")
    if peak > LOUDEST:
        raise ValueError(f"its samples reach {peak:g}, where 1 is the loudest; divide them by their unit, such as 32768")
    return np.clip(samples, -1, 1)
