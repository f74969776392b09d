"""Stamps: pictures, their captions and their spoken names, from the Debian package tuxpaint-stamps-default."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import make_folds, make_split
from understudy.corpus.importers.pictures import shrunk
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Modality
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader, OnError
from understudy.tasks import Retrieval

SPEECH = "_desc_{language}.ogg"
ABOUT = {
    "name": "Tux Paint stamps",
    "licence": "GPL-2 (Debian package tuxpaint-stamps-default)",
    "citation": "Tux Paint stamps collection, https://tuxpaint.org",
    "class": "the top folder",
    "group": "stamps that share the English caption or the recording: mirror images, variants, the same name twice",
}


@dataclass(frozen=True)
class Stamp:
    """One stamp. recording: a digest of its speech, by which equal ones are known. picture: None where it is an SVG."""

    name: str
    folder: str
    picture: Path | None
    speech: Path
    english: str
    caption: str
    recording: str


def import_stamps(
    folder: Path | str,
    out: Path | str,
    *,
    language: str = "fr",
    least: int = 30,
    side: int = 96,
    rate: int = 16000,
    seed: int = 0,
    folds: int = 5,
    on_error: OnError = "fail",
) -> Corpus:
    """Modalities `picture`, `speech` and `caption` (both in `language`), grouped, with splits `fold-0` ... and `random` (80/20).

    folder: of the installed package, /usr/share/tuxpaint/stamps. least: top folders with fewer PNG pictures are left out. side:
    longest side of a picture in the corpus, in pixels. rate: samples a second of the speech. A stamp needs a recording, a caption
    and a PNG or SVG; an SVG cannot be drawn here, so its picture is absent. Each split holds a tenth for validation, drawn by
    `seed`. on_error: whether an unreadable picture or recording fails the import or leaves that cell absent (see errors.json).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; install the Debian package tuxpaint-stamps-default, or unpack it")
    found, left_out = stamps(folder, language)
    counts = Counter(stamp.folder for stamp in found if stamp.picture)
    classes = tuple(sorted(name for name, count in counts.items() if count >= least))
    if len(classes) < 2:
        raise ValueError(
            f"{folder}: {len(classes)} top folders have {least} pictures with caption and {language} speech; need two"
        )
    kept = [stamp for stamp in found if stamp.folder in classes]
    reader = MediaReader(on_error)
    cells = {
        "picture": ragged("image", (small(reader, stamp.picture, side) for stamp in kept)),
        "speech": ragged("audio", (reader.audio(stamp.speech, rate, where=stamp.name) for stamp in kept)),
        "caption": ragged("text", (stamp.caption for stamp in kept)),
    }
    modalities = {"picture": Modality("image"), "speech": Modality("audio", rate=rate), "caption": Modality("text")}
    drawn = f"{sum(stamp.picture is None for stamp in kept)} of {len(kept)} stamps are SVG: their picture is absent"
    about = ABOUT | {
        "pictures": drawn,
        "left out": f"{left_out} without caption or picture, {len(found) - len(kept)} of small classes",
    }
    return write_corpus(
        out,
        Schema(Retrieval(classes=classes, branches=("picture", "speech")), modalities, grouped=True, about=about),
        ids=[stamp.name for stamp in kept],
        targets=[classes.index(stamp.folder) for stamp in kept],
        groups=groups_of(kept),
        cells=cells,
        splits=lambda corpus: fold_splits(corpus, folds=folds, seed=seed),
        errors=reader.errors,
    )


def stamps(folder: Path, language: str) -> tuple[list[Stamp], int]:
    """Every stamp with a recording, a caption and a picture, sorted by name; and how many recordings lack one of the others."""
    found, left_out = [], 0
    ending = SPEECH.format(language=language)
    for speech in sorted(folder.rglob(f"*{ending}")):
        stem = speech.with_name(speech.name.removesuffix(ending))
        place = stem.relative_to(folder)
        captions = read_captions(stem.with_name(f"{stem.name}.txt"))
        png, svg = (stem.with_name(f"{stem.name}{each}") for each in (".png", ".svg"))
        spoken = captions.get(language)
        if spoken is None or len(place.parts) < 2 or not (png.is_file() or svg.is_file()):
            left_out += 1
            continue
        digest = hashlib.sha256(speech.read_bytes()).hexdigest()
        picture = png if png.is_file() else None
        found.append(Stamp(place.as_posix(), place.parts[0], picture, speech, captions[""], spoken, digest))
    return found, left_out


def read_captions(path: Path) -> dict[str, str]:
    """Captions by language, the English one by ""; empty where there is no caption."""
    if not path.is_file():
        return {}
    first, *others = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    named = (line.partition(".utf8=") for line in others if ".utf8=" in line)
    return {"": first.strip()} | {language: text.strip() for language, _, text in named if text.strip()}


def small(reader: MediaReader, path: Path | None, side: int) -> NDArray[np.uint8] | None:
    """A picture whose longer side is at most `side`; None where it is absent."""
    pixels = reader.image(path, where=path.name) if path else None
    return None if pixels is None else shrunk(pixels, side)


def groups_of(found: list[Stamp]) -> list[str]:
    """A group a stamp: joined, over any chain, by an equal English caption or an equal recording."""
    group = list(range(len(found)))

    def root(row: int) -> int:
        while group[row] != row:
            row = group[row]
        return row

    known: dict[tuple[str, str], int] = {}
    for row, stamp in enumerate(found):
        for key in (("caption", stamp.english.casefold()), ("recording", stamp.recording)):
            one, other = sorted((root(row), root(known.setdefault(key, row))))
            group[other] = one
    return [found[root(row)].name for row in range(len(found))]


def fold_splits(corpus: Corpus, *, folds: int, seed: int) -> Iterator[Split]:
    """`fold-0` ..., whose test parts are the whole corpus, and `random`, 80/20; each holds a tenth for validation."""
    yield from make_folds(corpus, folds=folds, seed=seed)
    yield make_split(corpus, name="random", valid=0.1, test=0.2, seed=seed)
