"""Probe: what could a simple model read out of these modalities? Ridge regression on plain features, cross-validated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.draw import assign
from understudy.prepare.audio import LogMel
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.image import Image
from understudy.prepare.standardisation import Standardisation
from understudy.prepare.video import Frames
from understudy.tasks import MultiLabel, Regression, Task

Array = NDArray[Any]

THIRDS, TOPICS, FREQUENT = 3, 100, 50
PENALTIES = np.logspace(-2, 4, 13)


def features(cells: Cells, modality: Modality) -> Array:
    """One block of plain features `[N D]`: standardised, absent rows 0 with a presence column, and of total variance about 1.

    vector, table: as they are, categories one-hot (the 50 most frequent), missing numbers marked. text: TF-IDF of words and
    pairs, reduced to 100 directions. sequence, audio (log-mel): mean of each third, deviation, length; regions the same over all
    boxes in their order, with the boxes' own numbers. image: 8 x 8 pixels;
    video: the same of the middle of each third. No label is used.
    """
    if not cells.present.any():
        return np.zeros((len(cells), 1))
    here = cells.take(np.flatnonzero(cells.present))
    raw = {
        "vector": vector,
        "table": table,
        "text": text,
        "sequence": sequence,
        "regions": sequence,
        "image": image,
        "video": video,
    }
    block = audio(here, modality.rate) if cells.kind == "audio" else raw[cells.kind](here)
    full = np.zeros((len(cells), block.shape[1] + 1))
    full[cells.present, :-1] = Standardisation.fit([block]).apply(block) / np.sqrt(block.shape[1])
    full[:, -1] = cells.present
    return full


def vector(cells: Cells) -> Array:
    """The numbers, and which are missing."""
    return with_missing(np.asarray(cells.values, np.float64))


def with_missing(numbers: Array) -> Array:
    """Numbers with NaN, and a column for each that has any."""
    missing = np.isnan(numbers)
    return np.concatenate([numbers, missing[:, missing.any(axis=0)]], axis=1)


def table(cells: Cells) -> Array:
    """Numbers and one-hot categories."""
    blocks = []
    for column in cells.values.values():
        if column.dtype != object:
            blocks.append(with_missing(column[:, None]))
            continue
        known, count = np.unique([value for value in column if value is not None] or [""], return_counts=True)
        frequent = known[np.argsort(-count, kind="stable")[:FREQUENT]]
        blocks.append((column[:, None] == frequent.astype(object)).astype(np.float64))
    return np.concatenate(blocks, axis=1)


def text(cells: Cells) -> Array:
    """TF-IDF of words and word pairs, reduced; a constant where no text has a word."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        counts: Any = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(cells.values)
    except ValueError:
        return np.zeros((len(cells), 1))
    directions = min(TOPICS, *(side - 1 for side in counts.shape))
    return TruncatedSVD(directions, random_state=0).fit_transform(counts) if directions > 0 else counts.toarray()


def sequence(cells: Cells) -> Array:
    """Summary of every sequence."""
    return np.stack([summary(np.asarray(steps, np.float64)) for steps in cells.values])


def audio(cells: Cells, rate: int) -> Array:
    """Summary of every clip's log-mel spectrogram."""
    view = LogMel(rate, mels=20)
    return np.stack([summary(view.log_mel(clip)) for clip in cells.values])


def summary(steps: Array) -> Array:
    """Mean of each third, deviation, and logarithm of the length, of steps `[T D]`; a missing number counts as 0."""
    steps = np.nan_to_num(steps)
    parts = [part.mean(axis=0) if len(part) else np.zeros(steps.shape[1]) for part in np.array_split(steps, THIRDS)]
    return np.concatenate([*parts, steps.std(axis=0) if len(steps) else np.zeros(steps.shape[1]), [np.log1p(len(steps))]])


def image(cells: Cells) -> Array:
    """Small pictures, flat."""
    return Image((8, 8)).fit(cells).prepare(cells)["values"].reshape(len(cells), -1)


def video(cells: Cells) -> Array:
    """A small picture from the middle of each third, flat."""
    return Frames(frames=THIRDS, size=8).prepare(cells)["values"].reshape(len(cells), -1)


def folds_of(groups: Array, strata: Array, *, folds: int, seed: int) -> Array:
    """The fold of each row; a group is in one fold, and each stratum is spread over the folds as evenly as groups allow.

    strata: the class of each row. Without them a fold holds more of the classes that the other folds lack, and a probe that has
    nothing to go by says the class that is rarest where it is asked: an accuracy below chance.
    """
    _, codes = np.unique(groups, return_inverse=True)
    many = int(codes.max()) + 1
    if many < 2:
        raise ValueError("all rows are of one group, so nothing can be held out: a probe needs at least two groups")
    parts = min(folds, many)
    return assign(codes, strata, [1 / parts] * parts, seed)


def held_out(task: Task, blocks: Mapping[str, Array], use: Sequence[str], target: Array, fold: Array) -> Array:
    """Predictions of every row by a ridge regression that did not see its fold, from the blocks in `use`.

    The penalty is chosen inside by leave-one-out on the other folds. Classes are scores `[N C]`, of which the largest counts.
    """
    from sklearn.linear_model import RidgeCV

    x = np.concatenate([blocks[name] for name in use], axis=1)
    y, columns = goals(task, target)
    said = np.zeros((len(y), task.outputs))
    for held in np.unique(fold):
        train = fold != held
        found = RidgeCV(alphas=PENALTIES).fit(x[train], y[train])
        said[np.ix_(~train, columns)] = found.predict(x[~train]).reshape(-1, y.shape[1])
    return said[:, 0] if isinstance(task, Regression) else said


def goals(task: Task, target: Array) -> tuple[Array, Array]:
    """What is regressed on `[N G]`, and which columns of a model's answer that is: of many answers the 100 most given ones."""
    if isinstance(task, Regression):
        return target[:, None], np.arange(1)
    if not isinstance(task, MultiLabel):
        return np.eye(task.outputs)[target], np.arange(task.outputs)
    soft = task.collate(target)
    most = np.argsort(-soft.sum(axis=0), kind="stable")[:TOPICS]
    return soft[:, most], most
