"""Stage: a script becomes a folder of raw clips with label.csv, in the layout of MMSA."""

import csv
import json
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.process.progress import progress
from understudy.process.whole import whole_folder
from understudy.worlds.theatre.clip import write_clip
from understudy.worlds.theatre.draw import Puppet, frames
from understudy.worlds.theatre.script import Script, World
from understudy.worlds.theatre.voice import speech

CLIPS = {"train": 600, "valid": 100, "test": 300}
CLIPS_A_VIDEO = 10
SECONDS, FRAME_RATE, SOUND_RATE = 2.0, 12, 16_000


@dataclass(frozen=True)
class Stage:
    """What decides a theatre's files: clips a mode, how many train clips are labelled, seed, size in pixels, world."""

    clips: Mapping[str, int]
    labelled: int
    seed: int
    size: int
    world: World

    def script(self) -> Script:
        """What is played, clip after clip, as in label.csv."""
        return self.world.write(sum(self.clips.values()), seed=self.seed)

    def modes(self) -> list[str]:
        """train, valid or test, by clip."""
        return [mode for mode, count in self.clips.items() for _ in range(count)]

    def has_label(self) -> NDArray[np.bool_]:
        """Which clips have their label in label.csv: some train clips, and all of the others."""
        known = np.array([mode != "train" for mode in self.modes()])
        train = np.flatnonzero(~known)
        known[np.random.default_rng([self.seed, 1]).permutation(train)[: self.labelled]] = True
        return known

    def names(self) -> list[tuple[str, str]]:
        """video_id and clip_id; the ten clips of a video show one puppet, and no video is in two modes."""
        names, videos = [], 0
        for count in self.clips.values():
            names += [(f"show{videos + clip // CLIPS_A_VIDEO:03d}", str(clip % CLIPS_A_VIDEO)) for clip in range(count)]
            videos += -(-count // CLIPS_A_VIDEO)
        return names

    def actor(self, video: str) -> tuple[Puppet, float]:
        """The puppet of a video and the pitch of its voice in Hz."""
        random = np.random.default_rng([self.seed, 2, int(video.removeprefix("show"))])
        return Puppet.drawn(random), 130 * 2 ** random.uniform(-0.3, 0.3)

    def film(self, script: Script, clip: int) -> NDArray[np.uint8]:
        """The frames of a clip, `[T size size 3]`."""
        puppet, _ = self.actor(self.names()[clip][0])
        random = np.random.default_rng([self.seed, 3, clip])
        count = round(SECONDS * FRAME_RATE)
        return frames(puppet, float(script.face[clip]), count=count, rate=FRAME_RATE, size=self.size, random=random)

    def record(self, script: Script, clip: int) -> NDArray[np.float32]:
        """The sound of a clip."""
        _, pitch = self.actor(self.names()[clip][0])
        random = np.random.default_rng([self.seed, 4, clip])
        return speech(float(script.voice[clip]), pitch=pitch, seconds=SECONDS, rate=SOUND_RATE, random=random)

    def play(self, folder: Path, clips: range) -> None:
        """Write these clips' files; one that has lost its sound or its picture is a file without it."""
        script, names = self.script(), self.names()
        for clip in clips:
            video, name = names[clip]
            write_clip(
                folder / "Raw" / video / f"{name}.mp4",
                pictures=self.film(script, clip) if script.present["video"][clip] else None,
                frame_rate=FRAME_RATE,
                sound=self.record(script, clip) if script.present["audio"][clip] else None,
                sound_rate=SOUND_RATE,
            )

    def write_labels(self, path: Path) -> None:
        """label.csv."""
        script, known = self.script(), self.has_label()
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["video_id", "clip_id", "text", "label", "annotation", "mode"])
            for clip, (name, mode) in enumerate(zip(self.names(), self.modes(), strict=True)):
                label = float(script.label[clip])
                said = [f"{label:.4f}", "Negative" if label < 0 else "Positive" if label > 0 else "Neutral"]
                text = script.text[clip] if script.present["text"][clip] else ""
                writer.writerow([*name, text, *(said if known[clip] else ["", ""]), mode])


def make_theatre(
    out: Path | str,
    *,
    clips: Mapping[str, int] | None = None,
    labelled: int = 100,
    seed: int = 0,
    size: int = 64,
    world: World | None = None,
) -> Stage:
    """Write `out`/Raw/VIDEO/CLIP.mp4, label.csv and theatre.json; a folder that holds the same theatre already is left as it is.

    clips: how many train, valid and test clips of two seconds; 600, 100 and 300 when None. labelled: of the train clips.
    size: pixels, even. A process a core draws and encodes; the files depend on none but the arguments and, through the encoders,
    on the machine. ValueError for a folder that holds something else.
    """
    stage = Stage(dict(clips or CLIPS), labelled, seed, size, world or World())
    if not set(stage.clips) <= set(CLIPS) or min(stage.clips.values()) < 1 or not 0 <= labelled <= stage.clips.get("train", 0):
        raise ValueError(
            f"clips={stage.clips}, labelled={labelled}: give at least 1 clip a mode, and label at most the train clips"
        )
    if size < 16 or size % 2:
        raise ValueError(f"size={size}: expected an even number of pixels, at least 16")
    folder, facts = Path(out), json.dumps(asdict(stage), indent=1)
    if (folder / "theatre.json").is_file():
        if (folder / "theatre.json").read_text(encoding="utf-8") != facts:
            raise ValueError(f"{folder} holds another theatre; give another folder, or remove it first")
        return stage
    with whole_folder(folder) as partial_:
        for video in sorted({video for video, _ in stage.names()}):
            (partial_ / "Raw" / video).mkdir(parents=True)
        perform(stage, partial_, os.cpu_count() or 1)
        stage.write_labels(partial_ / "label.csv")
        (partial_ / "theatre.json").write_text(facts, encoding="utf-8")
    return stage


def perform(stage: Stage, folder: Path, processes: int) -> None:
    """Every clip's file, in several processes."""
    count = len(stage.names())
    parts = [range(start, min(start + CLIPS_A_VIDEO, count)) for start in range(0, count, CLIPS_A_VIDEO)]
    with progress("clips", total=count, quiet=False) as tell:
        if processes == 1:
            done = map(partial(stage.play, folder), parts)
            for part, _ in zip(parts, done, strict=True):
                tell(part.stop, "")
            return
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for part, _ in zip(parts, pool.map(partial(stage.play, folder), parts), strict=True):
                tell(part.stop, "")
