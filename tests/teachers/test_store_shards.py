"""Stores that several machines share: what each has is taken over by who asks for all."""

import errno
import os

import numpy as np
import pytest
import torch

from teachers.test_store import Counting, write
from toy import CLASSES, ToyLoader, toy_loader
from understudy.batches.loader import Loader
from understudy.corpus import Schema, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.stored import StoredFrames
from understudy.process.alone import alone
from understudy.process.share import Share
from understudy.tasks import Regression
from understudy.teachers import writer as module


@pytest.mark.parametrize("codec", ["float32", "int8"])
def test_machines_that_share_the_rows_make_the_store_of_one(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    loader = toy_loader(CLASSES)
    whole = write(tmp_path / "whole", codec=codec)
    for index in (2, 0):
        part = write(tmp_path / "s", loader=ToyLoader(loader.of[Share(index, 3).slice]), share=Share(index, 3), codec=codec)
        assert part.folder == tmp_path / "s.shards" / f"{index + 1}-of-3"
    assert not (tmp_path / "s").exists()
    teacher = Counting()
    store = write(tmp_path / "s", teacher, codec=codec)
    assert teacher.asked == list(loader.of[1].id), "what no machine had, and no other"
    ids = [key for batch in loader.of for key in batch.id]
    found, expected = store.answers(ids).logits, whole.answers(ids).logits
    assert found is not None
    assert expected is not None
    assert torch.equal(found, expected)
    for name, error in whole.header.error.items():
        assert store.header.error[name] == pytest.approx(error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "whole"]


def test_a_share_takes_over_its_parts_and_asks_for_no_row_that_the_whole_has(tmp_path):
    loader = toy_loader(CLASSES)
    write(tmp_path / "s", loader=ToyLoader(loader.of[:1]))
    write(tmp_path / "s", loader=ToyLoader(loader.of[:2]), share=Share(0, 4))
    teacher = Counting()
    part = write(tmp_path / "s", teacher, loader=ToyLoader(loader.of[:3]), share=Share(0, 2))
    assert teacher.asked == list(loader.of[2].id)
    assert len(part) == sum(len(batch.id) for batch in loader.of[1:3])
    assert [each.name for each in (tmp_path / "s.shards").iterdir()] == ["1-of-2"]
    assert len(write(tmp_path / "s", loader=loader)) == 32


def test_a_loader_that_draws_anew_is_refused(tmp_path):
    view, here = StoredFrames(frames=1, patches=1, width=3, views=2), np.ones(8, dtype=bool)
    corpus = write_corpus(
        tmp_path / "corpus",
        Schema(Regression(), {"video": Modality("sequence", width=3)}),
        ids=list("abcdefgh"),
        targets=np.arange(8.0),
        cells={"video": Cells("sequence", [np.ones((4, 3), np.float32)] * 8, here)},
    )
    loader = Loader(corpus, np.arange(8), {"video": {view.key: view}}, task=corpus.task, batch_size=4, training=True)
    with pytest.raises(ValueError, match="the loader draws video anew each epoch, and a store keeps one answer a row"):
        write(tmp_path / "s", loader=loader)
    assert not (tmp_path / "s").exists()


def test_rows_that_two_machines_have_count_once_and_another_teachers_are_refused(tmp_path):
    loader = toy_loader(CLASSES)
    for index, of in ((0, 2), (0, 3)):
        write(tmp_path / "s", loader=ToyLoader(loader.of[Share(index, of).slice]), share=Share(index, of))
    store = write(tmp_path / "s", loader=loader)
    assert len(store) == 32
    assert sum(len(shard["id"]) for shard in store.shards) == 32
    write(tmp_path / "t", Counting(seed=1), loader=loader, share=Share(0, 2))
    with pytest.raises(ValueError, match="stale or foreign: teacher is"):
        write(tmp_path / "t", loader=loader)


def test_a_shared_folder_that_is_full_is_named_and_the_same_call_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    loader = toy_loader(CLASSES)

    def full(path, table, plain=module.write_shard):
        if len(list(tmp_path.glob("s.shards/1-of-2/0*.arrow"))) == 1:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(path, table)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_shard", full)
        with pytest.raises(OSError, match=r"00001.arrow cannot be written: No space left on device$"):
            write(tmp_path / "s", loader=loader, share=Share(0, 2))
    assert sorted(each.name for each in tmp_path.glob("s.shards/1-of-2/*")) == ["00000.arrow", "store.json"]
    assert len(write(tmp_path / "s", loader=loader, share=Share(0, 2))) == 32


def test_a_share_that_somebody_is_at_is_named(tmp_path):
    with (
        alone(tmp_path / "s.shards" / "1-of-2"),
        pytest.raises(ValueError, match=r"another process is at work in .*1-of-2; wait"),
    ):
        write(tmp_path / "s", share=Share(0, 2))
