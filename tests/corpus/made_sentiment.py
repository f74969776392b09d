"""Made files in the published layouts of the sentiment sets: an MMSA pickle, CMU SDK sequences, raw clips with label.csv."""

import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np

SIZES = {"train": 9, "valid": 3, "test": 4}
WORDS = ("GOOD", "sp", "MOVIE", "I", "LIKED")


def mmsa(*, steps: int = 7, lengths: bool = True, sims: bool = False) -> dict[str, dict[str, Any]]:
    """What an MMSA feature file holds; audio has one -inf a part, the second row's vision is all zero."""
    random = np.random.default_rng(0)
    data: dict[str, dict[str, Any]] = {}
    for number, (part, rows) in enumerate(SIZES.items()):
        data[part] = {
            "raw_text": [f"{part.upper()} WORDS {row}" for row in range(rows)],
            "id": [f"vi_deo{number}x{row // 3}$_${row}" for row in range(rows)],
            "text": random.normal(size=(rows, 5, 8)).astype(np.float32),
            "text_bert": np.zeros((rows, 3, 5), np.float32),
            "audio": random.normal(size=(rows, steps, 3)),
            "vision": random.normal(size=(rows, steps, 2)).astype(np.float32),
            "annotations": ["Neutral"] * rows,
            "regression_labels": random.uniform(-1, 1, rows).astype(np.float32),
            "classification_labels": np.ones(rows),
        }
        data[part]["audio"][:, 4:] = 0
        data[part]["audio"][0, 1, 1] = -np.inf
        data[part]["vision"][1] = 0
        if lengths:
            data[part] |= {"audio_lengths": [4] * rows, "vision_lengths": np.full(rows, steps)}
        if sims:
            data[part] |= {f"regression_labels_{each}": np.full(rows, 0.5, np.float32) for each in "TAV"}
    return data


def write_mmsa(path: Path, data: Any = None, *, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(mmsa() if data is None else data, protocol=protocol))
    return path


def write_csd(path: Path, entries: dict[str, tuple[Any, Any]]) -> Path:
    """One computational sequence: entry -> (features, intervals)."""
    with h5py.File(path, "w") as file:
        root = file.create_group(path.stem)
        root.create_group("metadata").create_dataset("root name", data=f'"{path.stem}"')
        data = root.create_group("data")
        for name, (features, intervals) in entries.items():
            entry = data.create_group(name)
            entry.create_dataset("features", data=features)
            entry.create_dataset("intervals", data=np.asarray(intervals, np.float64))
    return path


def make_csd(folder: Path) -> None:
    """Five videos of two segments of 2 seconds; a word every half second, audio every tenth, split.csv by video."""
    random = np.random.default_rng(1)
    spans = [[0.0, 2.0], [2.5, 4.5]]
    videos = [f"vid_{number}" for number in range(5)]
    write_csd(
        folder / "CMU_MOSI_Opinion_Labels.csd",
        {video: (np.array([[number - 2.0], [number / 2]]), spans) for number, video in enumerate(videos)},
    )
    words = np.array([[word.encode()] for word in WORDS * 2])
    write_csd(
        folder / "CMU_MOSI_TimestampedWords.csd",
        {video: (words, [[each / 2, each / 2 + 0.5] for each in range(10)]) for video in videos},
    )
    audio = {video: (random.normal(size=(50, 4)), [[each / 10, each / 10 + 0.1] for each in range(50)]) for video in videos[1:]}
    audio["vid_1"][0][3, 2] = np.nan
    audio["vid_2"][0][:] = 0
    write_csd(folder / "CMU_MOSI_COVAREP.csd", audio)
    parts = ("train", "train", "train", "valid", "test")
    lines = [f"{video},{part}\r\n" for video, part in zip(videos, parts, strict=True)]
    (folder / "split.csv").write_text("video,split\r\n" + "".join(lines))


def write_clip(path: Path, *, seconds: float = 0.4, sound: bool = True, colour: int = 0) -> Path:
    """A small clip with a picture that changes, and a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream("libx264" if path.suffix != ".avi" else "mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 32, 24, "yuv420p"
        tone: Any = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(round(10 * seconds)):
            picture = np.full((24, 32, 3), (40 * colour + 9 * number) % 256, np.uint8)
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(film.encode(None))
        if tone is not None:
            wave = (0.3 * np.sin(np.arange(round(8000 * seconds)) * (0.2 + 0.1 * colour))).astype(np.float32)
            for start in range(0, len(wave), 1024):
                frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
                container.mux(tone.encode(frame))
            container.mux(tone.encode(None))
    return path


def make_raw(folder: Path) -> None:
    """Six clips of five videos, one unlabelled, with a byte-order mark, quotes and CRLF in label.csv."""
    rows = ["video_id,clip_id,text,label,label_T,annotation,mode"]
    modes = ("train", "train", "train", "train", "valid", "test")
    for row, mode in enumerate(modes):
        video, clip = f"v{max(0, row - 1)}", f"{row:04d}"
        write_clip(folder / "Raw" / video / f"{clip}.mp4", colour=row)
        rows.append(f'{video},{clip},"it was ""{row}"", said they",{"" if row == 1 else row / 2 - 1.5},0.5,Neutral,{mode}')
    (folder / "label.csv").write_bytes("\ufeff".encode() + "\r\n".join(rows).encode() + b"\r\n")
