"""Named clips of an action set: what they were cut from, and their features or video files in a folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.importers.cleaning import Cleaner, mean_steps
from understudy.corpus.importers.unpickle import read_pickle
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader

Steps = Literal["mean", "sequence"]
FILMS = (".avi", ".mp4", ".webm", ".mov")
PICKLES = "*_video_features.pkl"
"""What the retrieval scripts of GeWu-Lab/cross-modal-distillation write: clip -> its feature."""
GROUP = re.compile(r"(?P<take>v_\w+_g\d+)_c\d+|(?P<video>v_.{11})_\d+")
Read = tuple[Modality, Cells, str]
"""A modality, its cells, and what was wrong with them in words."""


@dataclass(frozen=True)
class Clip:
    """A clip and the name of its class."""

    name: str
    label: str

    @property
    def group(self) -> str:
        """What it was cut from: `v_Archery_g08` of v_Archery_g08_c01 (UCF101), the video of a segment (ActivityNet)."""
        found = GROUP.fullmatch(self.name)
        return (found["take"] or found["video"]) if found else self.name


def read_clips(
    folders: Mapping[str, Path | str], clips: Sequence[Clip], *, steps: Steps, reader: MediaReader
) -> tuple[dict[str, Modality], dict[str, Cells], dict[str, str]]:
    """Each modality of the clips from its folder, and for `schema.about` what is absent.

    A folder holds NAME.npy or CLASS/NAME.npy ([D] or [T D]), video files named so, or pickles that match `PICKLES`. A clip that a
    folder lacks, or whose features are all zero, is absent there. steps: the mean of a clip's, which is a vector, or all of them.
    """
    if not folders:
        raise ValueError("no modality given; name a folder for each, e.g. audio=FOLDER")
    if steps not in ("mean", "sequence"):
        raise ValueError(f"steps {steps!r} given; choose mean or sequence")
    found = {name: read_folder(name, Path(folder), clips, steps=steps, reader=reader) for name, folder in folders.items()}
    modalities = {name: each[0] for name, each in found.items()}
    cells = {name: each[1] for name, each in found.items()}
    return modalities, cells, {name: each[2] for name, each in found.items() if each[2]}


def read_folder(name: str, folder: Path, clips: Sequence[Clip], *, steps: Steps, reader: MediaReader) -> Read:
    """One modality."""
    there: dict[str, Any] = {**files_of(folder)}
    for path in sorted(folder.glob(PICKLES)):
        there |= pickled(path)
    found = [there.get(clip.name) for clip in clips]
    if all(each is None for each in found):
        first = clips[0]
        wanted = f"{first.name}.npy, {first.label}/{first.name}.npy, a video named so, or {PICKLES}"
        raise FileNotFoundError(f"{folder} holds none of {len(clips)} clips; it should hold {wanted}")
    films = any(isinstance(each, Path) and each.suffix.lower() in FILMS for each in found)
    modality, cells, said = read_films(clips, found, reader) if films else read_features(name, clips, found, steps, reader)
    extra = len(set(there) - {clip.name for clip in clips})
    return modality, cells, "; ".join([*said, *([f"{extra} files of clips that are not listed"] if extra else [])])


def files_of(folder: Path) -> dict[str, Path]:
    """Clip -> its file, in the folder or in one of a class."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    found: dict[str, Path] = {}
    for path in sorted([*folder.glob("*.*"), *folder.glob("*/*.*")]):
        if path.suffix.lower() in (".npy", *FILMS) and not path.name.startswith("."):
            if path.stem in found:
                raise ValueError(f"{found[path.stem]} and {path} are both of one clip; remove one")
            found[path.stem] = path
    return found


def pickled(path: Path) -> dict[str, NDArray[Any]]:
    """Clip -> features of a pickle, read without running anything in it."""
    found = read_pickle(path)
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in found.items()):
        raise ValueError(f"{path}: expected a dict of arrays by clip")
    return found


def read_films(clips: Sequence[Clip], found: Sequence[Path | None], reader: MediaReader) -> tuple[Modality, Cells, list[str]]:
    """The video files as they are."""
    pairs = zip(clips, found, strict=True)
    cells = ragged("video", (None if path is None else reader.video(path, where=clip.name) for clip, path in pairs))
    return Modality("video"), cells, [] if cells.present.all() else [f"{int((~cells.present).sum())} rows are absent"]


def read_features(
    name: str, clips: Sequence[Clip], found: Sequence[Any], steps: Steps, reader: MediaReader
) -> tuple[Modality, Cells, list[str]]:
    """Vectors, or sequences where that is asked for and some clip has steps."""
    cleaner, rows, width, vectors = Cleaner(name), [], 0, True
    for clip, each in zip(clips, found, strict=True):
        array = reader.array(each, where=clip.name) if isinstance(each, Path) else each
        if array is None:
            cleaner.missing += 1
            rows.append(None)
            continue
        width = width or (array.shape[-1] if array.ndim else 0)
        if array.ndim not in (1, 2) or array.shape[-1] != width or not width or array.dtype.kind not in "biuf":
            where = each if isinstance(each, Path) else f"clip {clip.name}"
            wanted = f"[D] or [T D], D = {width}" if width else "[D] or [T D]"
            raise ValueError(f"{where}: {array.dtype} of shape {array.shape}; expected numbers {wanted}")
        vectors &= array.ndim == 1
        rows.append(cleaner.clean(np.atleast_2d(array)))
    said = list(cleaner.said().values())
    here = np.array([row is not None for row in rows])
    if not here.any():
        raise ValueError(f"modality {name!r}: {said[0]}; nothing is left of it")
    if steps == "sequence" and not vectors:
        return Modality("sequence", width=width), Cells("sequence", rows, here), said
    return Modality("vector", width=width), Cells("vector", mean_steps(rows, width), here), said
