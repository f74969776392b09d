"""Raw clips as MMSA lays them out: `Raw/<video_id>/<clip_id>.mp4` beside a `label.csv`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import SPELLINGS
from understudy.corpus.importers.cleaning import naming
from understudy.corpus.importers.sentiment import Dataset, check_rows, facts, published_split, sentiment_task
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Modality
from understudy.prepare.columns import Column
from understudy.prepare.held import Held, ragged
from understudy.prepare.reader import MediaReader, OnError
from understudy.prepare.source import read_table

SUFFIXES = (".mp4", ".webm", ".avi", ".mov")
NEEDED = ("video_id", "clip_id", "text")


def import_raw(
    folder: Path | str,
    out: Path | str,
    *,
    on_error: OnError = "fail",
    dataset: Dataset | None = None,
    label: str = "label",
    rate: int = 16000,
    across_videos: bool = False,
) -> Corpus:
    """Modalities `text`, `audio` (the clip's own sound, at `rate` samples a second) and `video` (the file as it is).

    label.csv: video_id, clip_id, text, `label` (empty: unlabelled), mode (train, valid, test or empty; the split `given`).
    on_error: what is unreadable, missing, without sound or not in label.csv fails the import, or is skipped: the row stays, as
    its text and label are sound, with that modality absent, and the corpus's errors.json names each file.
    """
    folder = Path(folder)
    source = folder / "label.csv"
    if not source.is_file():
        raise FileNotFoundError(f"no file {source}; it holds {', '.join(NEEDED)}, label and mode")
    with naming(source):
        videos, clips, texts, labels, modes = _read_labels(source, label)
        ids = [f"{video}_{clip}" for video, clip in zip(videos, clips, strict=True)]
        task = sentiment_task(dataset)
        check_rows(task, ids, videos, labels, modes, across_videos=across_videos)
    reader = MediaReader(on_error)
    film, sound = _read(_find(folder / "Raw", videos, clips, reader), rate, reader)
    cells = {"text": ragged("text", texts), "audio": sound.cells("audio"), "video": film.cells("video")}
    cells = {name: each for name, each in cells.items() if each.present.any()}
    modalities = {"text": Modality("text", source=("text",)), "audio": Modality("audio", rate=rate), "video": Modality("video")}
    if not cells:
        raise ValueError(
            f"{folder}: none of {len(ids)} rows has a text or a readable clip; {'; '.join(map(str, reader.errors[:3]))}"
        )
    about = {"layout": "raw clips with label.csv, as in https://github.com/thuiar/MMSA", "label": label}
    about |= facts(dataset, ids, modes) | ({"skipped": f"{len(reader.errors)} files, see errors.json"} if reader.errors else {})
    return write_corpus(
        out,
        Schema(task, {name: modalities[name] for name in cells}, grouped=True, about=about),
        ids=ids,
        targets=labels,
        groups=videos,
        cells=cells,
        splits=lambda corpus: published_split(corpus, modes, across_videos=across_videos),
        errors=reader.errors,
    )


def _read_labels(
    source: Path, label: str
) -> tuple[list[str], list[str], list[str | None], NDArray[np.float64], NDArray[np.object_]]:
    """Video and clip ids, texts, labels (NaN: unlabelled) and modes, by row."""
    table = read_table(source)
    missing = [name for name in (*NEEDED, label) if name not in table.column_names]
    if missing:
        raise ValueError(f"there is no column {', '.join(missing)}; there are {', '.join(table.column_names)}")
    columns = {name: Column.of(table, name, 1) for name in (*NEEDED, label)}
    for name in ("video_id", "clip_id"):
        for row, value in enumerate(columns[name].categories()):
            if value is None or value.startswith(".") or "/" in value or "\\" in value or "\0" in value:
                raise columns[name].fault(
                    row, f"{value!r} is no {name}: it names a folder or file, without / and without a dot first"
                )
    modes = np.full(table.num_rows, None, object)
    if "mode" in table.column_names:
        column = Column.of(table, "mode", 1)
        for row, mode in enumerate(column.categories()):
            modes[row] = None if mode is None else SPELLINGS.get(mode.lower())
            if mode is not None and modes[row] is None:
                raise column.fault(row, f"{mode!r} is none of train, valid, test")
    videos, clips = (columns[name].categories().tolist() for name in ("video_id", "clip_id"))
    return videos, clips, columns["text"].texts(), columns[label].numbers(), modes


def _find(raw: Path, videos: Sequence[str], clips: Sequence[str], reader: MediaReader) -> list[Path]:
    """The file of each row, also where there is none; files without a row are faults."""
    if not raw.is_dir():
        raise FileNotFoundError(f"no folder {raw}; it holds VIDEO_ID/CLIP_ID.mp4")
    there: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(raw.glob("*/*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            there.setdefault((path.parent.name, path.stem), []).append(path)
    found: list[Path] = []
    for row, (video, clip) in enumerate(zip(videos, clips, strict=True)):
        files = there.pop((video, clip), [raw / video / f"{clip}.mp4"])
        if len(files) > 1:
            raise ValueError(f"label.csv, row {row + 1}: {' and '.join(map(str, files))} are both this clip; remove one")
        found.append(files[0])
    for files in there.values():
        reader.read(_refuse_unlabelled, files[0])
    return found


def _refuse_unlabelled(path: Path) -> None:
    raise ValueError(f"{path} has no row in label.csv")


def _read(paths: Sequence[Path], rate: int, reader: MediaReader) -> tuple[Held, Held]:
    """Each clip's bytes and its sound, None where it has none that can be read."""
    film, sound = Held(), Held()
    for row, path in enumerate(paths):
        where = f"label.csv, row {row + 1}"
        content = reader.video(path, where=where)
        # A file without a picture may still be heard; what is wrong with it is noted once.
        listener = MediaReader("skip") if content is None else reader
        heard = listener.audio(path, rate, where=where)
        film.append(content)
        sound.append(heard if heard is not None and len(heard) else None)
    return film, sound
