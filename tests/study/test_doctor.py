"""Doctor: what it says lacks is what cannot be imported, and a corpus says what it needs."""

import shutil
from importlib.util import find_spec

import pytest
from tests.study.small import make_corpus

from understudy.cli import main
from understudy.study import doctor as looked
from understudy.study.doctor import EXTRAS, doctor

GONE = ("PIL", "av", "torch")


def test_here_everything_that_is_needed_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "not" / "yet"))
    found = doctor()
    assert found.lacking == []
    assert found.versions["torch"]
    assert found.devices[0].startswith("cpu (")
    assert found.free[str(tmp_path / "not" / "yet")] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert set(found.missing) == {e for e, modules in EXTRAS.items() if any(find_spec(name) is None for name in modules)}


def test_what_lacks_is_named_with_its_remedy(tmp_path, monkeypatch, capsys):
    corpus = make_corpus(tmp_path / "corpus", rows=60)
    monkeypatch.setattr(looked, "find_spec", lambda name: None if name in GONE else find_spec(name))
    found = doctor(corpus)
    assert found.lacking == ["train"]
    assert found.devices == ()
    assert found.missing["media"] == ("PIL", "av")
    assert "missing    [media] lacks PIL, av: pip install 'understudy[media]' (only if you want it)" in str(found)
    assert main(["doctor", str(corpus.folder)]) == 2
    assert "something is missing" in capsys.readouterr().out


def test_pictures_and_texts_need_what_reads_them():
    assert looked.needed_by(["image", "text", "vector", "video"]) == ["media", "text"]
