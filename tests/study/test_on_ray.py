"""The stages of a run as Ray tasks of two local workers: the same run as in turn. Skipped where Ray is not installed."""

import os
from dataclasses import replace

import pytest

import understudy as us
from study.small import PLAN, SIZES, files, make_corpus
from understudy.study.stage import Stage

ray = pytest.importorskip("ray")

ASKED = {"student": ["weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 2, "report": False, "threads": 1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> us.Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for all tests, since its start takes seconds; a run joins what is there."""
    from understudy.study.on_ray import join

    join(2)
    yield
    ray.shutdown()


def test_two_workers_leave_what_one_process_leaves_byte_for_byte(corpus, tmp_path):
    one = us.distill(corpus, out=tmp_path / "one", jobs=1, **ASKED)
    two = us.distill(corpus, out=tmp_path / "two", engine="ray", **ASKED)
    assert files(two.folder) == files(one.folder)
    assert ray.is_initialized(), "a cluster that was there stays"


def test_a_stage_that_fails_is_named_and_stops_the_rest(corpus, tmp_path):
    asked = ASKED | {"plan": replace(PLAN, rate=1e30, clip=None, epochs=2), "engine": "ray"}
    with pytest.raises(ValueError, match=r"(teacher|plain), seed [01]: loss term 'supervised' of part 'main' is (nan|inf)"):
        us.distill(corpus, out=tmp_path / "run", **asked)
    assert not list((tmp_path / "run").glob("distilled/*"))


def test_a_worker_that_dies_is_named():
    from understudy.study.on_ray import seconds_of

    task = ray.remote(max_retries=0)(lambda: os._exit(1)).remote()
    with pytest.raises(ChildProcessError, match="plain, seed 0: the process that trained it died"):
        seconds_of(task, Stage("plain", 0))
