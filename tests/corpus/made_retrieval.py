"""Made files in the published layouts of the retrieval sets: a Wikipedia folder, Tux Paint stamps, VEGAS and AVE in HDF5."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat


def make_wikipedia(folder: Path, *, train: int = 20, test: int = 8) -> None:
    random = np.random.default_rng(0)
    rows = {"train": train, "test": test}
    for part, count in rows.items():
        lines = [f"article{row // 2}-{row}\timage{part}{row}\t{row % 2 + 1}" for row in range(count)]
        (folder / f"{part}set_txt_img_cat.list").write_text("\n".join(lines) + "\n")
    (folder / "categories.list").write_text("art\nwar\n")
    arrays = {
        f"{letter}_{part[:2]}": random.random((count, width))
        for letter, width in (("I", 6), ("T", 3))
        for part, count in rows.items()
    }
    savemat(folder / "raw_features.mat", arrays)


def ogg(path: Path, *, pitch: float, seconds: float = 0.3, rate: int = 44100) -> None:
    """A tone."""
    samples = np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate).astype(np.float32) * 0.5
    with av.open(str(path), "w", format="ogg") as container:
        stream: Any = container.add_stream("flac", rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def make_stamps(folder: Path, *, each: int = 12) -> None:
    """Two folders; of each, one stamp is a mirror image, one an SVG, one is incomplete. A third folder is too small."""
    random = np.random.default_rng(0)
    for number, top in enumerate(("animals", "food", "space")):
        inner = folder / top / "inner"
        inner.mkdir(parents=True)
        for row in range(each if top != "space" else 2):
            stem = inner / f"stamp{row}"
            Image.fromarray(random.integers(0, 255, (40, 120 + row, 4), np.uint8)).save(stem.with_suffix(".png"))
            stem.with_suffix(".txt").write_text(
                f"The {top} {row}.\nde.utf8=Das {row}.\nfr.utf8=Le {top} {row} é.\n", encoding="utf-8"
            )
            ogg(inner / f"stamp{row}_desc_fr.ogg", pitch=200 + 40 * row + 7 * number)
        for ending in (".png", ".txt", "_desc_fr.ogg"):
            (inner / f"mirror{ending}").write_bytes((inner / f"stamp0{ending}").read_bytes())
        (inner / "stamp1.png").rename(inner / "stamp1.svg")
        (inner / "stamp2.txt").write_text("Only English.\n")


def clips(rows: int = 60, classes: int = 3) -> dict[str, Any]:
    """Audio, visual features and classes of paired clips."""
    random = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    return {"audio": random.normal(size=(rows, 5)), "visual": random.normal(size=(rows, 7)).astype(np.float32), "labels": labels}


def write_layout_a(path: Path, data: dict[str, Any], *, train: int = 45, labels: Any = None) -> None:
    labels = data["labels"] if labels is None else labels
    with h5py.File(path, "w") as file:
        for name, array in (("audio", data["audio"]), ("visual", data["visual"]), ("lab", labels)):
            file[f"{name}_train"], file[f"{name}_test"] = array[:train], array[train:]


def write_layout_b(path: Path, data: dict[str, Any], *, train: int = 45, parts: Any = None, labels: Any = None) -> None:
    with h5py.File(path, "w") as file:
        file["audio_feat"], file["visual_feat"] = data["audio"], data["visual"]
        file["Label_ID"] = data["labels"] if labels is None else labels
        file["Train_test"] = (np.arange(len(data["labels"])) >= train).astype(int) if parts is None else parts
