"""A video clip in memory: what is in it, and its pictures at given moments. Seeks to keyframes; never decodes all of a long clip.

Every fault of a file is a ValueError. What a clip may cost is bounded by `Limits`: pixels by the decoder itself, also where
a header lies, and time by a clock in the file that libav reads from, so that a loop inside libav ends too.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image

CONTAINERS = "mov,matroska,avi,mpeg,mpegts,flv,asf,ogg,wav,flac,mp3,aac,aiff,amr,au,caf,w64"
"""Formats that libav may find in a file. Playlists and scripts, which name other files, are not among them."""


@dataclass(frozen=True)
class Limits:
    """What one clip may cost. megapixels: of a picture. longest: seconds that it plays. patience: seconds of reading it."""

    megapixels: float = 9.0
    longest: float = 3600.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        if min(self.megapixels, self.longest, self.patience) <= 0:
            raise ValueError(f"{self}: every limit must be above 0")

    @property
    def pixels(self) -> int:
        return round(self.megapixels * 1e6)


LIMITS = Limits()


@dataclass(frozen=True)
class Facts:
    """What a video file holds. duration: seconds. width, height: pixels as stored. rotation: degrees against the clock that
    turn a stored picture upright. fps: pictures a second on average, 0 for a single one. complete: whether the pictures
    and the sound last as long as the file says."""

    duration: float
    frames: int
    width: int
    height: int
    rotation: int
    fps: float
    has_audio: bool
    complete: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class TimedFile(BytesIO):
    """Bytes that cannot be read any more when the time is up."""

    def __init__(self, content: bytes, seconds: float) -> None:
        super().__init__(content)
        self.seconds, self.ends = seconds, time.monotonic() + seconds

    def check(self) -> None:
        """ValueError when the time is up."""
        if time.monotonic() > self.ends:
            raise ValueError(f"reading it takes longer than {self.seconds:g} seconds")

    def read(self, size: int | None = -1, /) -> bytes:
        self.check()
        return super().read(size)


@dataclass(frozen=True, eq=False)
class Timeline:
    """Every picture of a clip in the order it is shown. at: when, in units of `base` seconds. keyframes: those that need no
    other, by `at`. seek: where to look for each keyframe. end: when the last picture ends."""

    at: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    seek: NDArray[np.int64]
    end: int
    base: float

    def shown(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """`at` of what is shown at these places in [0, 1) of the clip."""
        moments = self.at[0] + places * (self.end - self.at[0])
        return self.at[np.clip(np.searchsorted(self.at, moments, side="right") - 1, 0, None)]


def probe_video(content: bytes, *, limits: Limits = LIMITS) -> Facts:
    """Facts of a video file's bytes, from its packets and its first picture; ValueError for one that has no picture."""
    with opened(content, limits) as (container, stream, clock):
        line, played = timeline(container, stream, clock, limits)
        first = next(iter(decoded(container, stream, clock, line, {int(line.at[0])}, int(line.at[0])).values()), None)
        if first is None:
            raise ValueError("no picture can be decoded")
        stated = 0.0 if container.duration is None else container.duration / 1e6
        shown = (line.end - int(line.at[0])) * line.base
        return Facts(
            duration=shown,
            frames=len(line.at),
            width=first.width,
            height=first.height,
            rotation=first.rotation,
            fps=len(line.at) / shown if len(line.at) > 1 else 0.0,
            has_audio=bool(container.streams.audio),
            complete=played > 0.9 * stated - 0.5,
        )


def pictures_at(
    content: bytes,
    places: NDArray[np.float64],
    keep: "Callable[[Image], NDArray[np.uint8]]",
    *,
    limits: Limits = LIMITS,
) -> list[NDArray[np.uint8]]:
    """What is shown, upright, at `places` in [0, 1) of a clip, each through `keep`; a short clip gives pictures repeatedly.

    A picture that cannot be decoded is replaced by the nearest that can; ValueError where none can.
    """
    with opened(content, limits) as (container, stream, clock):
        line, _ = timeline(container, stream, clock, limits)
        chosen = line.shown(places)
        kept: dict[int, NDArray[np.uint8]] = {}
        for start, wanted in by_keyframe(line, np.unique(chosen)):
            for at, frame in decoded(container, stream, clock, line, wanted, start).items():
                kept[at] = keep(upright(frame))
        if not kept:
            raise ValueError("no picture can be decoded")
        there = np.array(sorted(kept))
        return [kept[int(there[np.argmin(np.abs(there - at))])] for at in chosen]


@contextmanager
def opened(content: bytes, limits: Limits) -> "Iterator[tuple[InputContainer, VideoStream, TimedFile]]":
    """The container, its first video stream ready to decode, and the clock; every fault of the file is a ValueError."""
    import av
    from av.error import FFmpegError
    from av.stream import Discard

    clock = TimedFile(content, limits.patience)
    if not content:
        raise ValueError("the file is empty")
    try:
        with av.open(clock, mode="r", options={"format_whitelist": CONTAINERS}) as container:
            videos = [each for each in container.streams.video if not each.disposition & each.disposition.attached_pic]
            if not videos:
                raise ValueError("it holds no video")
            stream = videos[0]
            context = stream.codec_context
            if context.width * context.height > limits.pixels:
                raise ValueError(f"pictures of {context.width} x {context.height}; at most {limits.megapixels:g} megapixels")
            for each in container.streams:
                if each.type not in ("video", "audio"):
                    each.discard = Discard.all
            context.options = {"max_pixels": str(limits.pixels)}
            context.thread_count = 1
            yield container, stream, clock
    except (FFmpegError, OSError, MemoryError, OverflowError) as error:
        raise ValueError(f"it is not a readable video: {error}") from None


def moment(packet: "Packet | VideoFrame") -> int | None:
    """When a packet or picture is shown; AVI says only when it is decoded, which is the same there."""
    return packet.dts if packet.pts is None else packet.pts


def timeline(container: "InputContainer", stream: "VideoStream", clock: TimedFile, limits: Limits) -> tuple[Timeline, float]:
    """The pictures' times, from the packets without decoding any; and the seconds after which all streams have ended."""
    from av.error import FFmpegError

    at: dict[int, int] = {}
    keyframes: dict[int, int] = {}
    played, end, base = 0.0, 0, float(stream.time_base or 1)
    try:
        for packet in container.demux():
            when = moment(packet)
            if when is None or not packet.size:
                continue
            clock.check()
            lasts = packet.duration or 0
            played = max(played, float((when + lasts) * packet.time_base))
            if packet.stream is not stream or packet.is_discard:
                continue
            at[when], end = lasts, max(end, when + lasts)
            if packet.is_keyframe:
                keyframes[when] = when if packet.dts is None else min(when, packet.dts)
    except FFmpegError:
        pass  # A file cut short: what came before is there.
    if not at:
        raise ValueError("it holds no picture")
    times, keys = np.array(sorted(at)), np.array(sorted(keyframes), dtype=np.int64)
    if not at[times[-1]] and len(times) > 1:
        end = int(times[-1] + np.median(np.diff(times)))
    line = Timeline(times, keys, np.array([keyframes[key] for key in keys.tolist()], dtype=np.int64), end, base)
    seconds = (line.end - int(times[0])) * line.base
    if seconds > limits.longest:
        raise ValueError(f"it lasts {seconds:.0f} seconds; at most {limits.longest:g}")
    return line, played


def by_keyframe(line: Timeline, chosen: NDArray[np.int64]) -> Iterator[tuple[int, set[int]]]:
    """The chosen pictures in runs that need the same keyframe, each with where to seek."""
    place = np.searchsorted(line.keyframes, chosen, side="right") - 1
    for key in np.unique(place):
        yield int(line.at[0] if key < 0 else line.seek[key]), set(chosen[place == key].tolist())


def decoded(
    container: "InputContainer", stream: "VideoStream", clock: TimedFile, line: Timeline, wanted: set[int], start: int
) -> "dict[int, VideoFrame]":
    """The wanted pictures, decoded from the keyframe at `start`; what is damaged is missing, or stands in for nothing else."""
    from av.error import FFmpegError

    found: dict[int, VideoFrame] = {}
    open_ = set(wanted)

    def take(frames: "Sequence[VideoFrame]") -> None:
        for frame in frames:
            when = moment(frame)
            if when in wanted:
                found[when] = frame

    container.seek(start, stream=stream)
    for packet in container.demux(stream):
        clock.check()
        try:
            take(packet.decode())
        except FFmpegError:
            continue
        open_.discard(moment(packet))
        if not open_:
            break
    with suppress(FFmpegError):
        take(stream.codec_context.decode(None))
    return found


def upright(frame: "VideoFrame") -> "Image":
    """A Pillow picture, turned as the file says."""
    from PIL import Image

    turns = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    picture = frame.to_image()
    turn = turns.get(round(frame.rotation) % 360)
    return picture if turn is None else picture.transpose(turn)
