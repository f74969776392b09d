"""Processes that prepare batches ahead change nothing but the time; what goes wrong in them is said as if they were not there."""

import multiprocessing
import os
import pickle
import signal
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from prepare.made_clips import clip, numbered
from understudy.batches.ahead import Guarded, Steps
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, write_corpus
from understudy.prepare import Frames, Text
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.view import FieldArrays, View
from understudy.tasks import Regression

ROWS = 14
FRAMES = Frames(2, size=16)
WORDS = ["one", "two two", "three three three"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    films = [None if row == 3 else clip(numbered(12)[: 4 + row % 9]) for row in range(ROWS - 1)] + [b"no film" * 99]
    cells = {
        "film": Cells("video", films, np.array([film is not None for film in films])),
        "words": Cells("text", [WORDS[row % 3] for row in range(ROWS)], np.ones(ROWS, bool)),
    }
    return write_corpus(
        tmp_path_factory.mktemp("workers") / "c",
        Schema(Regression(), {"film": Modality("video"), "words": Modality("text")}),
        ids=[f"r{row}" for row in range(ROWS)],
        targets=np.arange(ROWS) / 2,
        cells=cells,
    )


@pytest.fixture(scope="module")
def views(corpus):
    return {"film": {"frames": FRAMES}, "words": {"bpe": Text.bpe(vocabulary=300).fit(corpus.cells("words", np.arange(ROWS)))}}


def load(corpus, views, rows=ROWS - 1, **more):
    return Loader(corpus, np.arange(rows), views, task=corpus.task, batch_size=4, seed=1, **more)


def same(left, right):
    assert left.id == right.id
    assert torch.equal(left.target, right.target)
    for modality, by_key in left.inputs.items():
        assert torch.equal(left.present[modality], right.present[modality])
        for key, fields in by_key.items():
            for name, values in fields.items():
                assert torch.equal(values, right.inputs[modality][key][name])


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("workers", [1, 2])
def test_values_do_not_depend_on_workers(corpus, views, workers, start):
    alone, ahead = load(corpus, views, training=True), load(corpus, views, training=True, workers=workers)
    for epoch in (0, 1):
        for left, right in zip(alone.batches(epoch, start), ahead.batches(epoch, start), strict=True):
            same(left, right)
    assert not multiprocessing.active_children()


def frames_of(loader, epoch):
    return {
        key: values
        for batch in loader.batches(epoch)
        for key, values in zip(batch.id, batch.inputs["film"]["frames"]["values"], strict=True)
    }


def test_a_draw_is_of_seed_epoch_and_id_alone(corpus, views):
    film = {"film": views["film"]}
    first = frames_of(load(corpus, film, training=True), 0)
    again = frames_of(Loader(corpus, [9, 2], film, task=corpus.task, batch_size=2, seed=1, training=True), 0)
    assert all(torch.equal(first[key], again[key]) for key in ("r9", "r2"))
    later = frames_of(load(corpus, film, training=True), 1)
    assert any((first[key] != later[key]).any() for key in first)
    still = frames_of(load(corpus, film), 0)
    centre = FRAMES.prepare(corpus.cells("film", np.arange(ROWS - 1)))["values"]
    assert all(torch.equal(still[f"r{row}"], torch.from_numpy(values)) for row, values in enumerate(centre))
    assert not first["r3"].any()


def test_evaluation_decodes_once(corpus, views, monkeypatch):
    loader = load(corpus, {"film": views["film"]}, shuffle=False, workers=2)
    once = frames_of(loader, 0)
    monkeypatch.setattr(Frames, "prepare", lambda *_: pytest.fail("decoded again"))
    assert all(torch.equal(once[key], values) for key, values in frames_of(loader, 1).items())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_clip_names_its_row(corpus, views, workers):
    with pytest.raises(ValueError, match=r"^modality 'film', row 'r13': Invalid data") as caught:
        list(load(corpus, views, rows=ROWS, training=True, workers=workers).batches(0))
    assert "worker" not in str(caught.value)
    with pytest.raises(ValueError, match=r"modality 'film', row 'r13'"):
        list(load(corpus, views, rows=ROWS, workers=workers).batches(0))


@dataclass(frozen=True)
class Deadly(View):
    """Ends the process that prepares it."""

    kind = "video"

    @property
    def random(self) -> bool:
        return True

    def fit(self, cells: Cells) -> "Deadly":
        return self

    def prepare(self, cells: Cells) -> FieldArrays:
        assert multiprocessing.parent_process() is not None
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, state, assets) -> "Deadly":
        return cls()


def test_a_worker_that_dies_is_an_error(corpus):
    loader = load(corpus, {"film": {"deadly": Deadly()}}, training=True, workers=2)
    with pytest.raises(RuntimeError, match=r"a process that prepares batches died .* use fewer workers or smaller batches"):
        list(loader.batches(0))


def test_an_epoch_that_is_left_leaves_no_process(corpus, views):
    batches = load(corpus, views, training=True, workers=2).batches(0)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert not multiprocessing.active_children()


def test_what_a_spawned_process_receives_is_small(corpus):
    """Where processes are not forked, the corpus is opened again rather than sent."""
    steps = Steps(corpus, [np.array([0, 5])], {("film", "frames"): FRAMES}, 1, 3)
    sent = pickle.dumps(Guarded(steps))
    assert len(sent) < 3000
    found = pickle.loads(sent)[0]["film", "frames"]["values"]
    np.testing.assert_array_equal(found, steps[0]["film", "frames"]["values"])


def test_refused(corpus, views):
    with pytest.raises(ValueError, match="workers -1: expected 0"):
        load(corpus, views, workers=-1)
