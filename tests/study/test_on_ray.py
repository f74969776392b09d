"""On Ray, with two local workers: the run, the answers and the predictions of one process. Skipped where it is not installed."""

import os
from dataclasses import replace

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

import understudy as us
from serve.made_artifact import write_artifact
from study.small import PLAN, SIZES, files, make_corpus
from understudy.artifact import Artifact, asked, predict_file
from understudy.process.crew import Crew
from understudy.process.share import ALL, Share
from understudy.study.evaluation import store_answers

ray = pytest.importorskip("ray")

ASKED = {"student": ["weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 2, "report": False, "threads": 1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> us.Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for all tests, since its start takes seconds; a run joins what is there."""
    from understudy.process.on_ray import joined

    with joined(2):
        yield


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
    from understudy.process.on_ray import answer_of

    task = ray.remote(max_retries=0)(lambda: os._exit(1)).remote()
    with pytest.raises(ChildProcessError, match="plain, seed 0: its process died"):
        answer_of(task, "plain, seed 0")


def test_workers_on_ray_leave_the_answers_of_one_process(corpus, tmp_path):
    run = us.distill(corpus, out=tmp_path / "run", jobs=1, **ASKED | {"seeds": 1, "plan": replace(PLAN, epochs=1)})
    whole = store_answers(run, tmp_path / "whole", quiet=True)
    made = store_answers(run, tmp_path / "store", crew=Crew(2, "ray"), quiet=True)
    ids = corpus.ids.tolist()
    assert torch.equal(made.answers(ids).logits, whole.answers(ids).logits)  # pyright: ignore[reportArgumentType]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run", "store", "whole"]


def test_predictions_on_ray_are_the_bytes_of_one_process(tmp_path, monkeypatch):
    artifact = Artifact(write_artifact(tmp_path / "artifact", classes=False))
    monkeypatch.setattr(asked, "PIECE", 16)
    rows = pa.table({"said": [f"row {row}" for row in range(100)], "age": [1.0] * 100, "<i>town": ["Ulm"] * 100})
    parquet.write_table(rows, tmp_path / "t.parquet")
    predict_file(artifact, tmp_path / "t.parquet", tmp_path / "whole.csv")
    predict_file(artifact, tmp_path / "t.parquet", tmp_path / "ray.csv", crew=Crew(2, "ray"))
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob(".ray*"))


def test_a_worker_on_ray_that_fails_is_told_of():
    for bad, kind, said in (
        (fault, ValueError, "^the third number is none$"),
        (die, ChildProcessError, "^worker 1 of 1: its process died"),
    ):
        with pytest.raises(kind, match=said):
            Crew(1, "ray").divide(bad, ALL)


def fault(share: Share) -> None:
    raise ValueError("the third number is none")


def die(share: Share) -> None:
    os._exit(1)
