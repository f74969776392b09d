"""A run that is chosen and judged by another metric, and learnt by another loss."""

from typing import Any

import numpy as np
import pytest

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.corpus import Corpus, make_split
from understudy.evaluate.compare import compare_runs
from understudy.tasks import Classification

ASKED: dict[str, Any] = {"student": ["weak"], "plan": PLAN, "sizes": SIZES, "seeds": 2, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    asked: dict[str, Any] = {"metric": "balanced_accuracy", "class_weights": "balanced", "label_smoothing": 0.1}
    return us.distill(corpus, split="full", out=tmp_path_factory.mktemp("run") / "run", **ASKED, **asked)


def test_results_are_about_the_metric(run):
    assert run.results["metric"] == {"name": "balanced_accuracy", "higher_is_better": True}
    gain = [run.results["systems"][name]["metrics"]["balanced_accuracy"]["mean"] for name in ("distilled", "plain")]
    assert run.results["comparison"]["difference"] == pytest.approx(gain[0] - gain[1])


def test_whoever_opens_the_run_is_asked_the_same(run, corpus):
    task = run.model().task
    assert isinstance(task, Classification)
    assert (run.corpus().task.primary, task.primary, task.smoothing) == ("balanced_accuracy", "balanced_accuracy", 0.1)
    count = np.bincount(corpus.target[run.split().labelled])
    assert np.multiply(task.weights, count) == pytest.approx([count.sum() / 2] * 2)


def test_it_goes_on_and_ships(run, corpus, tmp_path):
    artifact = us.Artifact(run.export(tmp_path / "ship"))
    weak = corpus.cells("weak", run.split().test).values
    assert len(artifact.predict([{"weak": row.tolist()} for row in weak[:3]])) == 3


def test_others_are_not_held_against_it_nor_lend_it_their_models(run, corpus, tmp_path):
    usual = us.distill(corpus, split="full", out=tmp_path / "usual", **ASKED)
    assert compare_runs([run.folder, usual.folder])[1]["against_first"] is None
    with pytest.raises(ValueError, match="trained with another metric"):
        us.distill(corpus, split="full", out=tmp_path / "other", plain_of=run, **ASKED)


def test_what_the_task_has_not_is_said_before_anything_is_written(corpus, tmp_path):
    with pytest.raises(ValueError, match="balanced_accuracy"):
        us.distill(corpus, split=make_split(corpus, name="new", valid=0.2, test=0.3), out=tmp_path / "run", metric="f1", **ASKED)
    assert not (tmp_path / "run").exists()
