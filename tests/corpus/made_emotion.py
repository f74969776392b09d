"""Made files in the published layouts of IEMOCAP: MMIN's folder of HDF5 and folds, MulT's pickle."""

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np

WIDTHS = {"A/comparE": 130, "V/denseface": 342, "L/bert_large": 1024}
SPEAKERS = [f"Ses{session:02d}{sex}" for session in range(1, 6) for sex in "FM"]


def utterances(each: int = 4) -> dict[str, int]:
    """Utterance -> class; `each` of a speaker, of the classes in turn."""
    return {
        f"{speaker[:5]}F_impro0{row % 2 + 1}_{speaker[5]}{row:03d}": (row + number) % 4
        for number, speaker in enumerate(SPEAKERS)
        for row in range(each)
    }


def write_part(folder: Path, stem: str, names: list[str], known: dict[str, int]) -> None:
    np.save(folder / f"{stem}_int2name.npy", np.array([[name.encode()] for name in names]))
    np.save(folder / f"{stem}_label.npy", np.eye(4)[[known[name] for name in names]])


def make_iemocap(folder: Path, *, each: int = 4, folds: int = 10) -> dict[str, int]:
    """Ten folds: speaker 2 of session 1 tested, speaker 1 validates, the other sessions train; then the other way round.

    Of the first utterance the face is all zero, of the second it has no entry; the third's audio has a NaN; all have padding.
    """
    random, known = np.random.default_rng(0), utterances(each)
    centres = {stem: random.normal(size=(4, width)).astype(np.float32) for stem, width in WIDTHS.items()}
    for stem, width in WIDTHS.items():
        (folder / stem).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / f"{stem}.h5", "w") as file:
            for row, (name, label) in enumerate(known.items()):
                steps = centres[stem][label] + random.normal(size=(2 + row % 3, width)).astype(np.float32)
                padded = np.concatenate([steps, np.zeros((3, width), np.float32)])
                if stem == "V/denseface" and row == 0:
                    padded[:] = 0
                if stem == "A/comparE" and row == 2:
                    padded[1, 5] = np.nan
                if stem != "V/denseface" or row != 1:
                    file[name] = padded
    for fold in range(folds):
        held = SPEAKERS[fold], SPEAKERS[fold ^ 1]
        inside = folder / "target" / str(fold + 1)
        inside.mkdir(parents=True)
        own = {speaker: [name for name in known if name[:5] + name.split("_")[-1][0] == speaker] for speaker in SPEAKERS}
        write_part(inside, "val", own[held[0]], known)
        write_part(inside, "tst", own[held[1]], known)
        write_part(inside, "trn", [name for speaker in SPEAKERS if speaker not in held for name in own[speaker]], known)
    return known


def mult(*, named: bool = False) -> dict[str, dict[str, Any]]:
    """What iemocap_data.pkl holds; the second row's vision is all zero, one number of the audio is -inf."""
    random, data = np.random.default_rng(1), {}
    for number, (part, rows) in enumerate({"train": 12, "valid": 4, "test": 6}.items()):
        yes = random.random((rows, 4)) < 0.5
        yes[:2] = [[True] * 4, [False] * 4]
        data[part] = {
            "text": random.normal(size=(rows, 20, 300)).astype(np.float32),
            "audio": random.normal(size=(rows, 20, 74)),
            "vision": random.normal(size=(rows, 20, 35)).astype(np.float32),
            "labels": np.stack([~yes, yes], axis=2).astype(np.int64),
        }
        data[part]["audio"][0, 1, 1] = -np.inf
        data[part]["vision"][1] = 0
        if named:
            data[part]["id"] = np.array([[f"Ses0{number + 1}F_impro01_F{row:03d}", "0", "1"] for row in range(rows)])
    return data


def write_mult(path: Path, data: Any = None) -> Path:
    path.write_bytes(pickle.dumps(mult() if data is None else data, protocol=4))
    return path
