"""Made files in the published layouts of action sets: UCF101's lists with CCL's features, GeWu's annotation.json with its own."""

import json
import pickle
from pathlib import Path

import numpy as np

CLASSES = ("ApplyEyeMakeup", "Archery", "HandstandPushups", "Typing")
SOUND = CLASSES[:3]
"""The classes that the audio features have a folder of."""


def ucf_clips() -> dict[str, str]:
    """Clip -> class: eight takes of a class, two clips of each; the files of one class are spelled unlike its folder."""
    spelled = {label: label.replace("Handstand", "HandStand") for label in CLASSES}
    return {f"v_{spelled[c]}_g{take:02d}_c{clip:02d}": c for c in CLASSES for take in range(1, 9) for clip in (1, 2)}


def make_ucf(folder: Path, *, splits: int = 2) -> None:
    """lists/, audio/CLASS/NAME.npy (512, of one class [T 512]) and visual/NAME.npy; a silent clip, a clip without audio."""
    random, clips = np.random.default_rng(0), ucf_clips()
    for name in ("lists", "audio", "visual"):
        (folder / name).mkdir(parents=True)
    (folder / "lists" / "classInd.txt").write_text("".join(f"{n} {c}\r\n" for n, c in enumerate(CLASSES, start=1)))
    for split in range(1, splits + 1):
        test = {name for name in clips if int(name.split("_g")[1][:2]) in (split, split + 1)}
        rows = {True: [name for name in clips if name in test], False: [name for name in clips if name not in test]}
        train = [f"{clips[name]}/{name}.avi {CLASSES.index(clips[name]) + 1}\n" for name in rows[False]]
        (folder / "lists" / f"trainlist0{split}.txt").write_text("".join(train))
        (folder / "lists" / f"testlist0{split}.txt").write_text("".join(f"{clips[name]}/{name}.avi\n" for name in rows[True]))
    centres = random.normal(size=(2, len(CLASSES), 512)).astype(np.float32)
    for name, label in clips.items():
        place = CLASSES.index(label)
        sound, sight = (centres[side, place] + random.normal(size=512).astype(np.float32) for side in (0, 1))
        np.save(folder / "visual" / f"{name}.npy", sight)
        if label in SOUND and not name.endswith("Archery_g08_c02"):
            steps = np.stack([sound, sound + 2]) if label == "Archery" else sound
            inside = folder / "audio" / label.replace("Handstand", "HandStand")
            inside.mkdir(exist_ok=True)
            np.save(inside / f"{name}.npy", np.zeros(512, np.float32) if name.endswith("Archery_g08_c01") else steps)


def annotation(*, inner: bool = False) -> dict[str, object]:
    """As in GeWu's ActivityNet: three segments a video; `inner` as in CCL, where the label is in annotations."""
    classes, database = ("Playing polo", "Shaving"), {}
    for video in range(12):
        for segment in range(3):
            label = classes[video % 2]
            own = {"annotations": {"label": label, "segment": [1, 90]}} if inner else {"label": label, "segment": [0.5, 3.25]}
            name = f"v_{'abc-_XYZ' + f'{video:03d}'}_{segment}"
            database[name] = {"subset": "training" if video < 8 else "validation"} | own
    return {"labels": list(classes), "database": database}


def make_activitynet(folder: Path) -> None:
    """annotation.json, audio/NAME.npy [T 512], and the two pickles of video features that GeWu's scripts write."""
    random, document = np.random.default_rng(0), annotation()
    (folder / "audio").mkdir(parents=True)
    (folder / "video").mkdir()
    (folder / "annotation.json").write_text(json.dumps(document))
    parts = {"training": {}, "validation": {}}
    for number, (name, entry) in enumerate(document["database"].items()):
        np.save(folder / "audio" / f"{name}.npy", random.normal(size=(1 + number % 3, 512)).astype(np.float32))
        parts[entry["subset"]][name] = random.normal(size=512).astype(np.float32)
    for subset, features in parts.items():
        (folder / "video" / f"{subset}_video_features.pkl").write_bytes(pickle.dumps(features))
