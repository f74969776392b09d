"""A video clip in memory: what is in it, and its pictures at given moments. Seeks to keyframes; never decodes all of a long clip.

Every fault of a file is a ValueError. What a clip may cost is bounded by `Limits`: pixels by the decoder itself, also where
a header lies, and time by a clock in the file that libav reads from, so that a loop inside libav ends too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.limits import CONTAINERS, LIMITS, Limits, TimedFile

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image


@dataclass(frozen=True)
class Facts:
    """What a video file holds. duration: seconds. width, height: pixels as stored. rotation: degrees against the clock that
    turn a stored picture upright. fps: pictures a second on average, 0 for a single one. complete: whether the file holds
    about what its header states; otherwise it was cut short."""

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


@dataclass(frozen=True, eq=False)
class Timeline:
    """Every picture of a clip in the order it is shown. at: when, in units of `base` seconds. keyframes: those that need no
    other, by `at`. seek: when each of these is decoded. end: when the last picture ends."""

    at: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    seek: NDArray[np.int64]
    end: int
    base: float

    @staticmethod
    def of(ends: Mapping[int, int], seek: Mapping[int, int], base: float) -> "Timeline":
        """ends: when each picture is shown -> when it ends, or that again where the file does not say; seek: of the keyframes."""
        at, keys = np.array(sorted(ends), dtype=np.int64), np.array(sorted(seek), dtype=np.int64)
        end = max(ends.values())
        if end == at[-1] and len(at) > 1:
            end = int(at[-1] + np.median(np.diff(at)))
        return Timeline(at, keys, np.array([seek[key] for key in keys.tolist()], dtype=np.int64), end, base)

    def shown(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """`at` of what is shown at these places in [0, 1) of the clip."""
        moments = self.at[0] + places * (self.end - self.at[0])
        return self.at[np.clip(np.searchsorted(self.at, moments, side="right") - 1, 0, None)]

    def by_keyframe(self, chosen: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The chosen pictures in runs that need the same keyframe."""
        place = np.searchsorted(self.keyframes, chosen, side="right")
        for key in np.unique(place):
            yield chosen[place == key]


def probe_video(content: bytes, *, limits: Limits = LIMITS) -> Facts:
    """Facts of a video file's bytes, from its packets and its first picture; ValueError for one that has no picture."""
    with opened(content, limits) as (container, stream, clock):
        line, played = timeline(container, stream, clock, limits)
        first = next(iter(decoded(container, stream, clock, line, line.at[:1]).values()), None)
        if first is None:
            raise ValueError("no picture can be decoded")
        shown = (line.end - int(line.at[0])) * line.base
        return Facts(
            duration=shown,
            frames=len(line.at),
            width=first.width,
            height=first.height,
            rotation=round(first.rotation),
            fps=len(line.at) / shown if len(line.at) > 1 else 0.0,
            has_audio=bool(container.streams.audio),
            complete=whole(content, container, played),
        )


def whole(content: bytes, container: "InputContainer", played: float) -> bool:
    """Whether a file plays about as long as its header states, or is as long, for AVI, whose seconds follow what is there."""
    if content.startswith(b"RIFF"):
        return riff_is_whole(content)
    stated = [float(each.duration * each.time_base) for each in container.streams.video if each.duration and each.time_base]
    stated += [seconds_of(each.metadata.get("DURATION", "")) for each in container.streams.video]
    # A subtitle or a second picture track, which nothing here reads, may play longer than the pictures.
    alone = all(each.type in ("video", "audio") for each in container.streams) and len(container.streams.video) == 1
    stated += [container.duration / 1e6] if container.duration and (alone or not any(stated)) else []
    return not any(stated) or any(played >= 0.9 * seconds - 0.25 for seconds in stated if seconds)


def riff_is_whole(content: bytes) -> bool:
    """Whether a RIFF file, WAV or AVI, is about as long as it states; so is any other file."""
    stated = int.from_bytes(content[4:8], "little") if content.startswith(b"RIFF") else 0
    return stated == 2**32 - 1 or stated <= 1.05 * len(content)


def seconds_of(clock: str) -> float:
    """Seconds of 00:00:04.000000000, as Matroska says how long a track is; 0 of anything else."""
    try:
        hours, minutes, seconds = clock.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return 0.0


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
    from av.stream import Discard

    with opened(content, limits) as (container, stream, clock):
        for each in container.streams.audio:
            each.discard = Discard.all
        line, _ = timeline(container, stream, clock, limits)
        chosen = line.shown(places)
        kept: dict[int, NDArray[np.uint8]] = {}
        together = disordered(container, stream)
        for run in [np.unique(chosen)] if together else line.by_keyframe(np.unique(chosen)):
            for at, frame in decoded(container, stream, clock, line, run).items():
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

    if not content:
        raise ValueError("the file is empty")
    clock = TimedFile(content, limits.patience)
    try:
        with av.open(clock, mode="r", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container:
            films = [each for each in container.streams.video if not each.disposition & each.disposition.attached_pic]
            if not films:
                raise ValueError("it holds no video")
            stream, context = films[0], films[0].codec_context
            if context is None:
                raise ValueError("its pictures are coded in a way that is not known here")
            if context.width * context.height > limits.pixels:
                raise ValueError(f"pictures of {context.width} x {context.height}; at most {limits.megapixels:g} megapixels")
            for each in container.streams:
                if each is not stream and each.type != "audio":
                    each.discard = Discard.all
            context.options = {"max_pixels": str(limits.pixels)}
            context.thread_count = 1
            yield container, stream, clock
    except (FFmpegError, OSError, MemoryError, OverflowError, IndexError) as error:  # IndexError: packets of a stream unheard of.
        raise ValueError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None


def moment(packet: "Packet | VideoFrame", *, coded: bool = False) -> int | None:
    """When a packet or picture is shown, or when it is decoded where `coded` or where the container says no more."""
    return packet.dts if coded or packet.pts is None else packet.pts


def disordered(container: "InputContainer", stream: "VideoStream") -> bool:
    """Whether nothing says when a picture is shown: B-frames in AVI, which leave the decoder in the right order all the same."""
    return container.format.name == "avi" and stream.codec_context.has_b_frames


def timeline(container: "InputContainer", stream: "VideoStream", clock: TimedFile, limits: Limits) -> tuple[Timeline, float]:
    """The pictures' times, from the packets without decoding any; and for how many seconds the streams play."""
    from av.error import FFmpegError

    at: dict[int, int] = {}
    keyframes: dict[int, int] = {}
    played: dict[int, tuple[int, int]] = {}
    coded = disordered(container, stream)
    with suppress(FFmpegError):  # A file cut short: what came before is there.
        for packet in container.demux():
            when = moment(packet, coded=coded)
            if when is None or not packet.size:
                continue
            clock.check()
            ends = when + (packet.duration or 0)
            low, high = played.get(packet.stream_index, (when, ends))
            played[packet.stream_index] = min(low, when), max(high, ends)
            if packet.stream_index == stream.index and not packet.is_discard:
                at[when] = ends
                if packet.is_keyframe:
                    keyframes[when] = when if packet.dts is None else min(when, packet.dts)
    if not at:
        raise ValueError("it holds no picture")
    line = Timeline.of(at, keyframes, float(stream.time_base or 1))
    seconds = (line.end - int(line.at[0])) * line.base
    if seconds > limits.longest:
        raise ValueError(f"it lasts {seconds:.0f} seconds; at most {limits.longest:g}")
    bases = {index: float(container.streams[index].time_base or 1) for index in played}
    # From 0, as a stated duration is, where the first picture comes later; from the first where it comes before 0.
    began = min(0.0, *(low * bases[index] for index, (low, _) in played.items()))
    return line, max(high * bases[index] for index, (_, high) in played.items()) - began


def decoded(
    container: "InputContainer", stream: "VideoStream", clock: TimedFile, line: Timeline, run: NDArray[np.int64]
) -> "dict[int, VideoFrame]":
    """The pictures of a run that needs one keyframe, by when they are shown; those that are damaged are missing."""
    from av.error import FFmpegError

    found: dict[int, VideoFrame] = {}
    wanted = set(run.tolist())
    ahead = set(wanted)
    in_turn = iter(line.at.tolist()) if disordered(container, stream) else None

    def take(frames: "Iterable[VideoFrame]") -> None:
        for frame in frames:
            when = moment(frame) if in_turn is None else next(in_turn, None)
            if when is not None and when in wanted:
                found[when] = frame

    for packet in packets_from(container, stream, line, int(run[0] if in_turn is None else line.at[0])):
        clock.check()
        when = moment(packet)
        # Pictures that no other needs are skipped unless they are asked for.
        stream.codec_context.skip_frame = "DEFAULT" if in_turn is not None or when in wanted else "NONREF"
        with suppress(FFmpegError):
            take(packet.decode())
        ahead = ahead - {when} if in_turn is None else wanted - set(found)
        if not ahead:
            break
    with suppress(FFmpegError):
        take(stream.codec_context.decode(None))
    return found


def packets_from(container: "InputContainer", stream: "VideoStream", line: Timeline, wanted: int) -> "Iterator[Packet]":
    """Packets from the keyframe that this picture needs; from the beginning where seeking goes too far."""
    key = int(np.searchsorted(line.keyframes, wanted, side="right")) - 1
    # Some containers are sought by when a picture is shown, others by when it is decoded.
    starts = [line.keyframes[key], line.seek[key], line.seek[0]] if key >= 0 else [line.at[0]]
    for start in starts:
        container.seek(int(start), stream=stream)
        packets = container.demux(stream)
        first = next(packets, None)
        when = None if first is None else moment(first, coded=disordered(container, stream))
        if first is not None and (key < 0 or (first.is_keyframe and when is not None and when <= wanted)):
            yield first
            yield from packets
            return


def upright(frame: "VideoFrame") -> "Image":
    """A Pillow picture, turned as the file says."""
    from PIL import Image

    # A frame by itself (PyAV 18.1) would start threads of its own, which live until Python collects its cycles: hundreds of them.
    picture = Image.fromarray(frame.to_ndarray(format="rgb24", threads=1))
    turn = TURNS.get(display(frame))
    return picture if turn is None else picture.transpose(Image.Transpose[turn])


TURNS = {
    (0, -1, 1, 0): "ROTATE_90",
    (-1, 0, 0, -1): "ROTATE_180",
    (0, 1, -1, 0): "ROTATE_270",
    (-1, 0, 0, 1): "FLIP_LEFT_RIGHT",
    (1, 0, 0, -1): "FLIP_TOP_BOTTOM",
    (0, 1, 1, 0): "TRANSPOSE",
    (0, -1, -1, 0): "TRANSVERSE",
}
"""Where right and down go in a display matrix -> Pillow's name of that turn or mirroring; any other matrix is left alone."""


def display(frame: "VideoFrame") -> tuple[int, int, int, int]:
    """The signs of a, b, c and d of the frame's display matrix: x' = a x + c y, y' = b x + d y."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return (1, 0, 0, 1)
    values = np.frombuffer(bytes(matrix), np.int32).reshape(3, 3)[:2, :2]
    a, b, c, d = np.sign(np.where(np.abs(values) < 2**15, 0, values)).ravel().tolist()
    return a, b, c, d
