"""What the published sentiment sets share: label ranges, counts of splits, forms of ids, and the facts that imports state."""

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import SPELLINGS, given_split
from understudy.corpus.split import Split
from understudy.tasks import Regression

Dataset = Literal["mosi", "mosei", "sims"]
NAMES: Mapping[str, str] = {"mosi": "CMU-MOSI", "mosei": "CMU-MOSEI", "sims": "CH-SIMS"}
PARTS = ("train", "valid", "test")
PUBLISHED: Mapping[str, Mapping[str, tuple[int | None, int | None, int | None]]] = {
    "mosi": {"MOSI, SDK standard folds": (1284, 229, 686), "MOSI, JeremiahZ/mosi-text": (1281, 229, 685)},
    "mosei": {
        "MOSEI, MMSA config_regression.json": (16326, None, None),
        "MOSEI, SDK standard folds": (16331, 1871, 4662),
        "MOSEI, conventional": (None, 1871, 4659),
    },
}
"""Rows of train, valid and test by distribution; None where it is not known. Distributions differ by a handful of rows."""
FORMS = {
    "video$_$clip": re.compile(r"(?P<video>.+)\$_\$(?P<clip>[^$]+)"),
    "video[clip]": re.compile(r"(?P<video>.+)\[(?P<clip>\d+)\]"),
    "video_clip": re.compile(r"(?P<video>.+)_(?P<clip>\d+)"),
}


def sentiment_task(dataset: Dataset | None) -> Regression:
    """Sentiment in [-1, 1] (CH-SIMS) or in [-3, 3] (the others)."""
    high = 1.0 if dataset == "sims" else 3.0
    return Regression(low=-high, high=high, unit="sentiment points", sentiment=True)


def read_ids(given: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The form that every id has, ids as this package writes them, and their videos; ValueError for an id of no form.

    `video$_$clip` becomes `video_clip`, so that distributions compare. `video[clip]` stays: it counts from 0, the others from 1.
    """
    for form, pattern in FORMS.items():
        found = [pattern.fullmatch(each) for each in given]
        if all(found):
            videos = [match["video"] for match in found if match]
            if form == "video[clip]":
                return form, list(given), videos
            return form, [f"{match['video']}_{match['clip']}" for match in found if match], videos
    wrong = [each for each in given if not any(pattern.fullmatch(each) for pattern in FORMS.values())]
    which = f"id {wrong[0]!r}" if wrong else "ids of several forms"
    raise ValueError(f"{which}: expected all video_id$_$clip_id, all video_id_clip_id or all video_id[clip]")


def id_hash(ids: Sequence[str]) -> str:
    """SHA-256 over the sorted ids: results compare only where it is equal."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def facts(dataset: Dataset | None, ids: Sequence[str], parts: Sequence[str | None] | NDArray[Any]) -> dict[str, str]:
    """For `schema.about`: the set's name, rows of each part, hash of the ids. Warns where no distribution has such counts."""
    said = [SPELLINGS.get(str(part).strip().lower()) if part else None for part in parts]
    counts = {part: said.count(part) for part in PARTS}
    published = PUBLISHED.get(dataset or "", {})
    known = [{sizes[place] for sizes in published.values()} - {None} for place in range(len(PARTS))]
    if any(counts.values()) and any(sizes and count not in sizes for count, sizes in zip(counts.values(), known, strict=True)):
        rows = "; ".join(f"{row}: {'/'.join(str(size or '?') for size in sizes)}" for row, sizes in published.items())
        found = "/".join(map(str, counts.values()))
        warnings.warn(f"{found} train/valid/test rows; published: {rows}. Results compare only over the same rows", stacklevel=3)
    shown = ", ".join(f"{count} {part}" for part, count in counts.items())
    name = {"name": NAMES[dataset]} if dataset else {}
    return name | {"counts": f"{shown}, {len(ids)} in all", "id_hash": id_hash(ids)}


def check_rows(
    task: Regression,
    ids: Sequence[str],
    videos: Sequence[str],
    labels: NDArray[np.float64],
    parts: Sequence[str | None] | NDArray[Any],
    *,
    across_videos: bool,
) -> None:
    """ValueError for an id twice, a label out of range (NaN: unlabelled) and, unless `across_videos`, a video in two parts."""
    first: dict[str, int] = {}
    home: dict[str, tuple[str, str]] = {}
    for row, (name, video, label, part) in enumerate(zip(ids, videos, labels, parts, strict=True)):
        if first.setdefault(name, row) != row:
            raise ValueError(f"id {name!r} stands in rows {first[name] + 1} and {row + 1}; ids must be unique")
        if not np.isnan(label) and not task.low <= label <= task.high:
            raise ValueError(f"row {name!r}: label {label}; expected a number in [{task.low:g}, {task.high:g}]")
        if part and home.setdefault(video, (part, name))[0] != part and not across_videos:
            raise ValueError(
                f"video {video!r} stands in {home[video][0]} (row {home[video][1]!r}) and in {part} (row {name!r}); "
                "across_videos=True (--across-videos) lets it, and then scores are not by unseen videos"
            )


def published_split(corpus: Corpus, parts: Sequence[str | None] | NDArray[Any], *, across_videos: bool) -> list[Split]:
    """The split `given`, which keeps each video in one part unless `across_videos`; none where no row has a part."""
    if not any(parts):
        return []
    split = given_split(corpus, name="given", parts=parts)
    return [replace(split, group=False) if across_videos else split]
