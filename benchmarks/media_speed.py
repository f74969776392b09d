"""Frames of video clips against decoding everything, and a store's writing and reading; alternating in one process."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, cast

import av
import numpy as np
import torch
from PIL import Image

from benchmarks.record import table, write_result
from understudy.batches.batch import Batch, Output
from understudy.prepare.cells import Cells
from understudy.prepare.picture import CLIP_MEAN, CLIP_STD, Square, standardised
from understudy.prepare.video import Frames
from understudy.prepare.view import Views
from understudy.tasks import Regression
from understudy.teachers.header import Codec
from understudy.teachers.store import Store
from understudy.teachers.teacher import Teacher
from understudy.teachers.writer import write_store

FRAMES, SIZE, RATE, ROUNDS = 8, 224, 25, 9
# Name, seconds, width, height, pictures from one keyframe to the next (50: as on the web; 250: what x264 does by itself).
CLIPS = [
    ("2s", 2, 320, 240, 50),
    ("10s", 10, 320, 240, 50),
    ("60s", 60, 320, 240, 50),
    ("10s_one_keyframe", 10, 320, 240, 250),
    ("10s_720p", 10, 1280, 720, 50),
]
ROWS, WIDTH, BATCH = 20_000, 512, 256
LOAD = os.getloadavg()[0]
CODECS: tuple[Codec, ...] = ("float32", "float16", "int8")


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    torch.set_num_threads(1)
    rows = [decoding(*clip, rounds=ROUNDS) for clip in CLIPS] if not quick else [decoding("quick", 1, 64, 48, 12, rounds=1)]
    kept = storing(ROWS, ROUNDS) if not quick else storing(300, 1)
    if quick:
        return
    figures = {f"{name}_{row['clip']}": row[name] for row in rows for name in ("clips_per_second", "mb_per_second", "speedup")}
    figures["load_before"] = LOAD
    figures |= {f"{name}_{row['codec']}": row[name] for row in kept for name in ("write_mb_per_second", "read_mb_per_second")}
    write_result("media_speed", figures=figures, rows=rows + kept, seeds=[0], text=page(rows, kept))


def film(seconds: int, width: int, height: int, keyframes: int) -> bytes:
    """H.264 in mp4: a drifting pattern with some noise."""
    random, sink = np.random.default_rng(0), BytesIO()
    pattern = random.integers(0, 256, (height // 8, width // 4, 3), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(pattern).resize((2 * width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    with av.open(sink, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "g": str(keyframes), "threads": "2"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(seconds * RATE):
            left = 3 * number % width
            grain = random.integers(-12, 13, (height, width, 1), dtype=np.int16)
            picture = np.clip(wide[:, left : left + width] + grain, 0, 255).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return sink.getvalue()


def ours(content: bytes) -> Any:
    return Frames(FRAMES, size=SIZE).prepare(Cells("video", [content], np.ones(1, dtype=bool)))["values"][0]


def decode_all(content: bytes, *, convert_all: bool) -> Any:
    """What one would write: decode every picture, then take eight of them. convert_all: each to RGB while decoding."""
    with av.open(BytesIO(content), mode="r") as file:
        frames: list[Any] = list(file.decode(video=0))
    pictures = [frame.to_ndarray(format="rgb24") for frame in frames] if convert_all else frames
    chosen = [pictures[int((place + 0.5) / FRAMES * len(pictures))] for place in range(FRAMES)]
    arrays = chosen if convert_all else [frame.to_ndarray(format="rgb24") for frame in chosen]
    small = [Square(SIZE).of(Image.fromarray(each)) for each in arrays]
    return standardised(np.stack(small), CLIP_MEAN, CLIP_STD)


def decoding(name: str, seconds: int, width: int, height: int, keyframes: int, *, rounds: int) -> dict[str, Any]:
    """Medians of rounds in which every way reads the clip, in turns; all give the same frames."""
    content = film(seconds, width, height, keyframes)
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(content),
        "decode_all": lambda: decode_all(content, convert_all=False),
        "convert_all": lambda: decode_all(content, convert_all=True),
    }
    expected = ways["convert_all"]()
    for way in ways.values():
        np.testing.assert_allclose(way(), expected, atol=1e-5)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            taken[way].append(processor_seconds_of(run))
    typical = {way: median(each) for way, each in taken.items()}
    return {
        "clip": name,
        "seconds": seconds,
        "size": f"{width} x {height}",
        "keyframe_every": keyframes,
        "mb": len(content) / 1e6,
        "clips_per_second": 1 / typical["ours"],
        "mb_per_second": len(content) / 1e6 / typical["ours"],
        "ms": {way: 1e3 * each for way, each in typical.items()},
        "speedup": median(one / other for one, other in zip(taken["decode_all"], taken["ours"], strict=True)),
        "speedup_over_convert_all": median(one / other for one, other in zip(taken["convert_all"], taken["ours"], strict=True)),
        "rounds": rounds,
    }


def processor_seconds_of(run: Callable[[], Any]) -> float:
    """All of its work is the processor's, so other work on the machine does not count."""
    began = time.process_time()
    run()
    return time.process_time() - began


def seconds_of(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


class Known(Teacher):
    """Answers that cost nothing: what remains is the store."""

    task, modalities, width = Regression(), ("features",), WIDTH

    def __init__(self, rows: int) -> None:
        self.embedding = torch.from_numpy(np.random.default_rng(0).normal(size=(rows, WIDTH)).astype(np.float32))

    def __call__(self, batch: Batch) -> Output:
        rows = torch.from_numpy(np.array([int(key) for key in batch.id]))
        return Output(valid=torch.ones(len(batch), dtype=torch.bool), embedding=self.embedding[rows])

    @property
    def views(self) -> Views:
        return {}

    @property
    def identity(self) -> str:
        return "known answers"


class Numbers:
    """Batches of ids in order."""

    def __init__(self, rows: int) -> None:
        self.all = [
            Batch({}, {}, torch.zeros(len(part)), torch.zeros(len(part), dtype=torch.bool), tuple(map(str, part)))
            for part in (range(start, min(start + BATCH, rows)) for start in range(0, rows, BATCH))
        ]

    def __len__(self) -> int:
        return len(self.all)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return iter(self.all[start:])


def storing(rows: int, rounds: int) -> list[dict[str, Any]]:
    """MB of float32 answers a second, written (all of them, to the disk) and read back (opened, then random batches)."""
    teacher, loader = Known(rows), Numbers(rows)
    order = np.random.default_rng(1).permutation(rows).astype(str).tolist()
    taken: dict[str, list[tuple[float, float]]] = {codec: [] for codec in CODECS}
    files: dict[str, float] = {}
    for _ in range(rounds):
        for codec in CODECS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "store"
                written = seconds_of(lambda f=folder, c=codec: write_store(f, teacher, loader, corpus="made", codec=c))
                taken[codec].append((written, seconds_of(lambda f=folder: read_all(f, order))))
                files[codec] = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    size = rows * WIDTH * 4 / 1e6
    return [
        {
            "codec": codec,
            "rows": rows,
            "width": WIDTH,
            "mb": size,
            "file_mb": files[codec],
            "write_mb_per_second": size / median(one for one, _ in taken[codec]),
            "read_mb_per_second": size / median(other for _, other in taken[codec]),
            "rounds": rounds,
        }
        for codec in CODECS
    ]


def read_all(folder: Path, order: list[str]) -> None:
    store = Store(folder)
    for start in range(0, len(order), BATCH):
        cast(torch.Tensor, store.answers(order[start : start + BATCH]).embedding)


def page(rows: list[dict[str, Any]], kept: list[dict[str, Any]]) -> str:
    clips = [
        [
            f"{row['seconds']} s, {row['size']}, a keyframe every {row['keyframe_every']}",
            f"{row['mb']:.2f}",
            f"{row['clips_per_second']:.1f}",
            f"{row['mb_per_second']:.1f}",
            *(f"{row['ms'][way]:.0f}" for way in ("ours", "decode_all", "convert_all")),
            f"{row['speedup']:.1f}x",
            f"{row['speedup_over_convert_all']:.1f}x",
        ]
        for row in rows
    ]
    stores = [
        [row["codec"], f"{row['file_mb']:.1f}", f"{row['write_mb_per_second']:.0f}", f"{row['read_mb_per_second']:.0f}"]
        for row in kept
    ]
    heads = [
        "clip",
        "MB",
        "clips/s",
        "MB/s",
        "ours, ms",
        "decode all, ms",
        "and convert all, ms",
        "faster",
        "than converting all",
    ]
    return f"""# Media speed

From a file's bytes in memory to {FRAMES} frames of {SIZE} x {SIZE} as CLIP reads them, one process, one thread of decoding. H.264 in
mp4 at {RATE} pictures a second. *Decode all* decodes every picture and converts and resizes the eight; *convert all* turns each into
RGB first. All three give the same numbers to 1e-5. Times are the processor's, so other work on the machine counts little. They
alternate; medians of {ROUNDS} rounds, ratios are medians of the rounds' ratios. A clip of 2 s, or with one keyframe in 10 s, leaves little to skip: what is won there are pictures that no other needs.

{table(heads, clips)}

A store of {ROWS:,} embeddings of {WIDTH} float32 ({kept[0]["mb"]:.0f} MB), written through to the disk, then opened and read in random
batches of {BATCH}. MB are those of float32, whatever the codec keeps. Codecs alternate; medians of {ROUNDS} rounds. These are seconds by the clock,
and {LOAD:.1f} programs on average wanted one of the machine's {os.cpu_count()} cores when the measurement began: where that is more than
a few tenths, a quiet machine is faster.

{table(["codec", "MB on disk", "written, MB/s", "read, MB/s"], stores)}
"""


if __name__ == "__main__":
    main()
