"""What a run's trainings are carried out by: refused before anything is written where it cannot be."""

import pytest

import understudy as us
from study.small import make_corpus
from understudy.process import crew
from understudy.study.job import Engines, engines_of


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        ({}, Engines("local", 1, 1)),
        ({"jobs": 3, "threads": 2}, Engines("local", 3, 2)),
    ],
)
def test_what_is_asked_for(monkeypatch, machine, found):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    assert engines_of(machine) == found


def test_a_ray_that_is_not_installed_is_one_sentence_and_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(crew, "find_spec", lambda name: None)
    corpus = make_corpus(tmp_path / "corpus")
    with pytest.raises(ImportError, match=r"^engine is 'ray', and Ray is not installed: pip install 'understudy\[ray\]'$"):
        us.distill(corpus, student=["weak"], split="main", engine="ray", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_engine_that_there_is_not():
    with pytest.raises(ValueError, match="engine is 'dask'; choose local or ray"):
        engines_of({"engine": "dask"})  # pyright: ignore[reportArgumentType]


def test_ray_does_not_go_with_processes_launched_together(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match="engine is 'ray', but this is one of 2 processes launched together"):
        engines_of({"engine": "ray"})
