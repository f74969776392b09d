"""Features: plain numbers of any modality, as a simple model reads them. Fitted on train rows, without labels. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from understudy.prepare.audio import LogMel
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.image import Image
from understudy.prepare.standardisation import Standardisation
from understudy.prepare.video import Frames

Array = NDArray[Any]

THIRDS, TOPICS, FREQUENT = 3, 100, 50
WORDS = 10**0.5
"""Length of a row's TF-IDF: beside standardised columns, words are many and each is rare (ours)."""


@dataclass(frozen=True, eq=False)
class Features:
    """Readers of several modalities, fitted.

    vector, table: standardised columns, categories one-hot (the 50 most frequent), missing numbers marked. text: TF-IDF of words
    and pairs. sequence, audio (log-mel): mean of each third, deviation, length; regions the same over all boxes in their order,
    with the boxes' own numbers. image: 8 x 8 pixels; video: the same of the middle of each third. An absent row is 0, with a
    column that says so.
    """

    readers: Mapping[str, "Reader"]

    @staticmethod
    def fit(cells: Mapping[str, Cells], modalities: Mapping[str, Modality]) -> "Features":
        """On the cells of train rows, modality by modality."""
        return Features({name: Reader(each, modalities[name]) for name, each in cells.items()})

    def wide(self, cells: Mapping[str, Cells]) -> Any:
        """`[N D]`: every word of texts, as a sparse matrix where there are any; for linear models."""
        parts = [reader.wide(cells[name]) for name, reader in self.readers.items()]
        words = any(sparse.issparse(part) for part in parts)
        return sparse.hstack(parts).tocsr() if words else np.concatenate(parts, axis=1)

    def narrow(self, cells: Mapping[str, Cells]) -> Array:
        """`[N D]`: texts as 100 directions of their words; for trees and kernels."""
        return np.concatenate([reader.narrow(cells[name]) for name, reader in self.readers.items()], axis=1)


class Reader:
    """One modality's columns."""

    def __init__(self, cells: Cells, modality: Modality) -> None:
        self.cells, self.modality = cells, modality
        here = cells.take(np.flatnonzero(cells.present))
        self.known = len(here) > 0
        if not self.known:
            return
        self.one = here.take(np.zeros(1, np.intp))
        if cells.kind == "table":
            self.frequent = {name: frequent(column) for name, column in here.values.items() if column.dtype == object}
        if cells.kind in ("vector", "table"):
            self.missing = np.isnan(self.numbers(here)).any(axis=0)
        if cells.kind == "image":
            self.image = Image((8, 8)).fit(here)
        self.words = bag_of_words(here.values) if cells.kind == "text" else None
        if cells.kind != "text":
            self.scale = Standardisation.fit([self.raw(here)])

    def wide(self, cells: Cells) -> Any:
        """Standardised columns or words, with the column of presence."""
        here = np.flatnonzero(cells.present)
        presence = cells.present[:, None].astype(np.float64)
        if not self.known or (self.modality.kind == "text" and self.words is None):
            return presence
        if not len(here):
            return nowhere(self.wide(self.one), len(cells))
        if self.words is None:
            return placed(self.scale.apply(self.raw(cells.take(here))), here, presence)
        counts = self.words.transform(cells.take(here).values) * WORDS
        return sparse.hstack([spread(counts, here, len(cells)), sparse.csr_matrix(presence)]).tocsr()

    def narrow(self, cells: Cells) -> Array:
        """The same with few directions of words."""
        if not self.known or self.words is None:
            return self.wide(cells)
        here = np.flatnonzero(cells.present)
        if not len(here):
            return nowhere(self.narrow(self.one), len(cells))
        counts = self.words.transform(cells.take(here).values)
        return placed(self.topics.transform(counts) if self.topics else counts.toarray(), here, cells.present[:, None] * 1.0)

    @cached_property
    def topics(self) -> Any:
        """Directions of the words of the rows it was fitted on; None of a single word."""
        from sklearn.decomposition import TruncatedSVD

        assert self.words is not None
        counts = self.words.transform(self.cells.take(np.flatnonzero(self.cells.present)).values)
        directions = min(TOPICS, *(side - 1 for side in counts.shape))
        return TruncatedSVD(directions, random_state=0).fit(counts) if directions > 0 else None

    def raw(self, here: Cells) -> Array:
        """Columns before standardisation, of rows that are present."""
        if here.kind in ("vector", "table"):
            numbers = self.numbers(here)
            marks = np.isnan(numbers[:, self.missing])
            return np.concatenate([numbers, marks, *self.categories(here)], axis=1)
        if here.kind == "audio":
            return audio(here, self.modality.rate)
        if here.kind == "image":
            return self.image.prepare(here)["values"].reshape(len(here), -1)
        return video(here) if here.kind == "video" else sequence(here)

    def numbers(self, here: Cells) -> Array:
        """The numbers of a vector or a table, NaN where missing."""
        if here.kind == "vector":
            return np.asarray(here.values, np.float64)
        columns = [np.asarray(column, np.float64) for column in here.values.values() if column.dtype != object]
        return np.stack(columns, axis=1) if columns else np.zeros((len(here), 0))

    def categories(self, here: Cells) -> list[Array]:
        """One-hot categories of a table."""
        if here.kind != "table":
            return []
        return [(here.values[name][:, None] == known).astype(np.float64) for name, known in self.frequent.items()]


def nowhere(one: Any, rows: int) -> Any:
    """So many rows without the modality, as wide as the row `one`: there is nothing that could be read."""
    shape = (rows, one.shape[1])
    return sparse.csr_matrix(shape) if sparse.issparse(one) else np.zeros(shape)


def placed(block: Any, here: Array, presence: Array) -> Array:
    """Rows that are present among all, and the column of presence."""
    full = np.zeros((len(presence), block.shape[1] + 1))
    full[here, :-1] = block
    full[:, -1:] = presence
    return full


def spread(counts: Any, here: Array, rows: int) -> Any:
    """Sparse rows that are present among all."""
    places = sparse.csr_matrix((np.ones(len(here)), (here, np.arange(len(here)))), shape=(rows, len(here)))
    return places @ counts


def frequent(column: Array) -> Array:
    """The most frequent categories."""
    known, count = np.unique([value for value in column if value is not None] or [""], return_counts=True)
    return known[np.argsort(-count, kind="stable")[:FREQUENT]].astype(object)


def bag_of_words(texts: Sequence[str]) -> Any:
    """TF-IDF of words and word pairs; None where no text has a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        return TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit(texts)
    except ValueError:
        return None


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


def video(cells: Cells) -> Array:
    """A small picture from the middle of each third, flat."""
    return Frames(frames=THIRDS, size=8).prepare(cells)["values"].reshape(len(cells), -1)
