"""Rows that are read some at a time: the same cells, and the very views that are fitted on all of them at once."""

import numpy as np
import pytest

from corpus.made import made_corpus
from understudy.corpus import Corpus
from understudy.corpus import streamed as module
from understudy.corpus.streamed import streamed
from understudy.prepare import Text
from understudy.prepare.catalogue import view_for


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return made_corpus(tmp_path_factory.mktemp("made") / "corpus")


@pytest.fixture
def few(monkeypatch) -> list[int]:
    """Blocks of three rows; how many rows were asked for each time."""
    asked: list[int] = []
    monkeypatch.setattr(module, "ROWS", 3)
    monkeypatch.setattr(module, "HEAVY_ROWS", 3)
    plain = Corpus.cells
    monkeypatch.setattr(Corpus, "cells", lambda self, name, rows: asked.append(len(rows)) or plain(self, name, rows))
    return asked


def test_the_cells_are_the_same_and_each_is_read_once(corpus, few):
    rows = np.random.default_rng(0).permutation(len(corpus))
    for name in corpus.modalities:
        whole = corpus.cells(name, rows)
        few.clear()
        some = streamed(corpus, name, rows)
        np.testing.assert_array_equal(some.present, whole.present)
        if corpus.modalities[name].kind in module.AT_ONCE:
            continue
        for value, expected in zip(some.values, whole.values, strict=True):
            np.testing.assert_array_equal(value, expected)
        assert sum(few) == len(rows)
        assert max(few) == 3
        with pytest.raises(IndexError):
            some.values[len(rows)]


def test_views_are_fitted_as_on_all_rows(corpus, few):
    rows = np.arange(len(corpus))
    for name, modality in corpus.modalities.items():
        view = Text.bpe(vocabulary=300) if modality.kind == "text" else view_for(modality)
        assert view.fit(streamed(corpus, name, rows)).key == view.fit(corpus.cells(name, rows)).key, name
