"""Every row once, in order: what is read to be answered, not learnt from."""

import os

import numpy as np
from numpy.typing import NDArray

from understudy.batches.loader import Loader
from understudy.corpus import Corpus
from understudy.prepare.view import Views
from understudy.process.share import ALL, Share

ROWS = 64
"""In a batch that is only read: many pad short texts to the longest, few waste calls."""
FILMS = 8
"""The same of video, whose frames take megabytes a row."""
WORKERS = min(4, os.cpu_count() or 1)
"""Processes that prepare what cannot be cached, such as frames drawn anew each epoch; no value depends on it."""


def every_row(corpus: Corpus, rows: NDArray[np.intp], views: Views, *, share: Share = ALL) -> Loader:
    """Each of `rows` once, in order. share: only every so many-th batch, whose rows are the same however many share them."""
    film = any(view.kind == "video" for by_key in views.values() for view in by_key.values())
    size = FILMS if film else ROWS
    return Loader(corpus, rows, views, task=corpus.task, batch_size=size, shuffle=False, workers=WORKERS, part=share.slice)
