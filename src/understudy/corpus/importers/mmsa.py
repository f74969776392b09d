"""Feature files of MMSA (thuiar/MMSA): one pickle with the train, valid and test rows of CMU-MOSI, CMU-MOSEI or CH-SIMS."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.importers.cleaning import Cleaner, naming, unpadded
from understudy.corpus.importers.sentiment import (
    PARTS,
    Dataset,
    check_rows,
    facts,
    published_split,
    read_ids,
    sentiment_task,
)
from understudy.corpus.importers.unpickle import read_pickle
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.process.whole import sha256

FEATURES = ("text", "audio", "vision")
USED = ("id", "raw_text", *FEATURES)
ABOUT = {
    "licence": "research data, not for redistribution",
    "layout": "MMSA feature file, https://github.com/thuiar/MMSA",
    "left_out": "text_bert (token ids: the text itself is here), annotations, classification_labels and the other labels",
}
Part = Mapping[str, Any]


def import_mmsa(
    path: Path | str, out: Path | str, *, dataset: Dataset, label: str = "regression_labels", across_videos: bool = False
) -> Corpus:
    """Modalities `raw_text` (text) and `text`, `audio`, `vision` (sequences), as far as the file has them, and the split `given`.

    The pickle is read without running anything in it. Steps of zeros before and after a row's features are padding and dropped,
    as is what lies beyond `audio_lengths` and `vision_lengths`; numbers that are not finite become missing (NaN), and a modality
    that is zero in all of a row is absent: both are counted in `schema.about`. label: the key that is the target; CH-SIMS also
    has regression_labels_T, _A and _V, one modality's label each. across_videos: let one video stand in two parts.
    """
    path = Path(path)
    with naming(path):
        data = read_parts(read_pickle(path), ("id", label))
        form, ids, videos = read_ids([name for part in PARTS for name in strings(part, "id", data[part]["id"])])
        parts = [part for part in PARTS for _ in range(len(data[part]["id"]))]
        labels = np.concatenate([_labels(part, data[part], label) for part in PARTS])
        task = sentiment_task(dataset)
        check_rows(task, ids, videos, labels, parts, across_videos=across_videos)
        modalities, cells, said = feature_cells(data, ids)
    about = facts(dataset, ids, parts) | {"source": path.name, "sha256": sha256(path), "ids": form, "label": label}
    return write_corpus(
        out,
        Schema(task, modalities, grouped=True, about=ABOUT | about | said),
        ids=ids,
        targets=labels,
        groups=videos,
        cells=cells,
        splits=lambda corpus: published_split(corpus, parts, across_videos=across_videos),
    )


def read_parts(data: Any, needed: Sequence[str]) -> dict[str, Part]:
    """The three parts, each with the same of our keys, those `needed` among them, and as many rows in each."""
    if not isinstance(data, dict) or not all(isinstance(data.get(part), dict) for part in PARTS):
        has = ", ".join(map(str, data)) if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"expected a dict with the dicts train, valid and test; it holds {has}")
    for part in PARTS:
        missing = [key for key in needed if key not in data[part]]
        if missing:
            raise ValueError(f"{part} has no {', '.join(missing)}; it has {', '.join(map(str, data[part]))}")
        rows = {
            key: _count(part, key, data[part][key])
            for key in (*USED, *needed, "audio_lengths", "vision_lengths")
            if key in data[part]
        }
        if len(set(rows.values())) > 1:
            raise ValueError(
                f"{part}: first dimensions differ: " + ", ".join(f"{key} has {count}" for key, count in rows.items())
            )
    for key in USED:
        having = [part for part in PARTS if key in data[part]]
        if having and len(having) < len(PARTS):
            raise ValueError(f"{key} is in {', '.join(having)} alone; expected it in train, valid and test, or in none")
    if not any(key in data["train"] for key in USED[1:]):
        raise ValueError(f"no part has any of {', '.join(USED[1:])}")
    return data


def _count(part: str, key: str, values: Any) -> int:
    if not isinstance(values, (list, tuple, np.ndarray)) or (isinstance(values, np.ndarray) and not values.ndim):
        raise ValueError(f"{part}, {key}: expected an array or a list, found {type(values).__name__}")
    return len(values)


def strings(part: str, key: str, values: Any) -> list[str]:
    """N strings, given as strings, bytes or arrays of one."""
    found = []
    for row, value in enumerate(values):
        while isinstance(value, (list, tuple, np.ndarray)) and len(value) == 1:
            value = value[0]
        if isinstance(value, bytes):
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{part}, {key}, row {row}: bytes that are not UTF-8") from None
        if not isinstance(value, str):
            raise ValueError(f"{part}, {key}, row {row}: expected a string, found {type(value).__name__}")
        found.append(str(value))
    return found


def _labels(part: str, rows: Part, label: str) -> NDArray[np.float64]:
    try:
        found = np.asarray(rows[label], np.float64).reshape(len(rows["id"]))
    except (TypeError, ValueError):
        raise ValueError(f"{part}, {label}: expected one number a row") from None
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found)))
        raise ValueError(f"{part}, {label}, row {strings(part, 'id', rows['id'])[row]!r}: {found[row]} is no label")
    return found


def feature_cells(data: Mapping[str, Part], ids: list[str]) -> tuple[dict[str, Modality], dict[str, Cells], dict[str, str]]:
    """Modalities, their cells, and what was wrong with them; a modality that no row has is left out."""
    modalities: dict[str, Modality] = {}
    cells: dict[str, Cells] = {}
    said: dict[str, str] = {}
    if "raw_text" in data["train"]:
        texts = [text if text.strip() else None for part in PARTS for text in strings(part, "raw_text", data[part]["raw_text"])]
        modalities["raw_text"], cells["raw_text"] = Modality("text"), _ragged("text", texts)
    for name in FEATURES:
        if name not in data["train"]:
            continue
        arrays = {part: _features(part, name, data[part]) for part in PARTS}
        widths = {part: array.shape[2] for part, array in arrays.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(f"{name}: steps of different width: {', '.join(f'{w} in {part}' for part, w in widths.items())}")
        cleaner = Cleaner(name)
        rows = [cleaner.clean(steps) for part in PARTS for steps in _steps(name, part, arrays[part], data[part], cleaner)]
        modalities[name], cells[name] = Modality("sequence", width=widths["train"]), _ragged("sequence", rows)
        said |= cleaner.said()
    for name in [name for name in cells if not cells[name].present.any()]:
        del modalities[name], cells[name]
        said[name] = "absent in every row, left out"
    if not cells:
        raise ValueError(f"none of {len(ids)} rows has anything in it")
    return modalities, cells, said


def _ragged(kind: Any, rows: list[Any]) -> Cells:
    return Cells(kind, rows, np.array([row is not None for row in rows], bool))


def _features(part: str, name: str, rows: Part) -> NDArray[Any]:
    """`[N T D]` of numbers."""
    found = np.asarray(rows[name]) if isinstance(rows[name], np.ndarray) else np.array(rows[name], object)
    if found.ndim != 3 or found.dtype.kind not in "biuf" or 0 in found.shape[1:]:
        raise ValueError(f"{part}, {name}: {found.dtype} of shape {found.shape}; expected numbers [N T D]")
    return found


def _steps(name: str, part: str, array: NDArray[Any], rows: Part, cleaner: Cleaner) -> Iterator[NDArray[Any]]:
    """Each row's steps without padding; those beyond its stated length are cut off and counted."""
    lengths = [array.shape[1]] * len(array)
    if f"{name}_lengths" in rows:
        try:
            lengths = [int(each) for each in np.asarray(rows[f"{name}_lengths"]).reshape(len(array))]
        except (TypeError, ValueError):
            raise ValueError(f"{part}, {name}_lengths: expected one whole number a row") from None
    for row, length in enumerate(lengths):
        if not 0 <= length <= array.shape[1]:
            raise ValueError(f"{part}, {name}_lengths, row {row}: {length}; {name} has {array.shape[1]} steps a row")
        steps = unpadded(array[row])
        cleaner.cut += len(steps) > length
        yield steps[:length]
