"""Stores that several machines share: what each has is taken over by who asks for all."""

import pytest
import torch

from teachers.test_store import Counting, write
from toy import CLASSES, ToyLoader, toy_loader
from understudy.process.share import Share
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
