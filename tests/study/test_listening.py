"""What students listen to: answers of teachers that never saw the row, of simple models, and the choice on validation rows."""

import re
from dataclasses import replace

import numpy as np
import pytest
from tests.study.small import PLAN, SIZES, make_corpus

import understudy as us
from understudy.corpus import Split
from understudy.evaluate.predictions import VALIDATION, Predictions
from understudy.report import write_report
from understudy.study.answers import fold_by_id, simple_teacher, without_fold
from understudy.study.run import Run
from understudy.study.settings import Settings
from understudy.teachers.store import Store

ASKED = {"student": ["weak"], "teacher": ["strong", "weak"], "plan": PLAN, "sizes": SIZES, "seeds": 2}
HARMFUL = {"options": {"weight": 1.0}, "teacher_plan": {"epochs": 1, "rate": 0.0}}
"""A teacher that learnt nothing, and is all that a student hears."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> us.Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> Run:
    """Answers chosen on validation rows."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return us.distill(corpus, split="main", answers="auto", out=out, report=False, **ASKED)


def test_the_choice_is_made_on_validation_rows_and_told(run):
    source = run.results["listening"]["source"]
    assert source in ("network, crossfit", "network, insample")
    assert {path.name for path in (run.folder / "tried").iterdir()} == {"crossfit", "insample"}
    assert len(list((run.folder / "teacher").glob("fold-*"))) == 5
    chosen = run.folder / "tried" / source.split(", ")[1] / "seed-0" / "model.safetensors"
    assert chosen.read_bytes() == (run.folder / "distilled" / "seed-0" / "model.safetensors").read_bytes()


def test_what_decided_is_told_in_the_metric_itself(tmp_path, capsys):
    """An error is a positive number, although the smaller is the better."""
    corpus = make_corpus(tmp_path / "corpus", regression=True)
    asked = ASKED | {"plan": {"epochs": 1}, "seeds": 1}
    run = us.distill(corpus, split="main", answers="auto", out=tmp_path / "run", report=False, **asked)
    found = re.search(r"^answers on validation rows, mae: labels alone (\S+), ", capsys.readouterr().err, re.MULTILINE)
    plain = Predictions.load(run.folder / "plain" / "seed-0" / VALIDATION)
    assert found
    assert float(found[1]) == pytest.approx(np.abs(plain.values - plain.target).mean(), abs=1e-4)


@pytest.mark.parametrize(
    ("labelled", "train", "changes", "answers"),
    [
        (200, 400, {}, "auto"),
        (199, 199, {}, "insample"),
        (300, 601, {}, "insample"),
        (300, 300, {"method": "pkt"}, "insample"),
        (300, 300, {"ensemble": "yes"}, "insample"),
        (300, 300, {"answers": "insample"}, "insample"),
        (20, 400, {"teacher_model": "forest"}, "crossfit"),
    ],
)
def test_who_says_nothing_has_the_rows_choose_where_most_train_rows_have_a_label(tmp_path, labelled, train, changes, answers):
    corpus = make_corpus(tmp_path / "c", rows=train + 30)
    corpus.save_split(Split("s", np.arange(train), np.arange(train, train + 30), np.arange(labelled)))
    asked = Settings(corpus.place, us.Player(["weak"]), split="s")
    assert replace(asked, **changes).checked(corpus).answers == answers


def test_validation_rows_may_say_that_labels_alone_are_better(tmp_path):
    corpus = make_corpus(tmp_path / "c")
    run = us.distill(corpus, split="full", out=tmp_path / "run", answers="auto", report=False, **ASKED | HARMFUL)
    assert run.results["listening"] == {"source": "labels alone"}
    for seed in run.seeds:
        files = [run.folder / system / f"seed-{seed}" / "model.safetensors" for system in ("plain", "distilled")]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert run.verdict == "not distinguishable"
    page = write_report(run.folder).read_text()
    assert "labels alone" in page
    assert "The teacher’s answers would do harm, so the distilled student is the plain one" in page
    before = (run.folder / "results.json").read_bytes()
    again = us.distill(corpus, split="full", out=tmp_path / "run", answers="auto", report=False, **ASKED | HARMFUL)
    assert (again.folder / "results.json").read_bytes() == before


def test_no_fold_teacher_saw_the_rows_that_it_answers(corpus, run):
    split = corpus.split("main")
    fold = fold_by_id(corpus, split.labelled)
    for number in range(5):
        part = without_fold(split, corpus, fold, number)
        held = [key for key, place in fold.items() if place == number]
        assert not set(held) & set(corpus.ids[part.train].tolist())
        assert len(part.labelled) + len(held) == len(split.labelled)
    assert not Store(run.folder / "teacher" / "answers_crossfit").missing(corpus.ids[split.train].tolist())


def test_the_page_says_how_good_and_how_sure_the_teacher_is(run):
    said = run.results["listening"]
    assert all(0 < said[part]["confidence"] <= 1 for part in ("train", "held_out"))
    page = write_report(run.folder).read_text()
    assert "Teacher on train rows with a label" in page
    assert "Teacher on test rows" in page


def test_a_simple_teacher_needs_no_network(corpus, tmp_path):
    run = us.distill(corpus, split="main", answers="crossfit", teacher_model="linear", out=tmp_path / "run", **ASKED)
    assert run.results["listening"]["source"] == "linear, crossfit"
    assert not list((run.folder / "teacher").glob("seed-*/model.safetensors"))
    accuracy = run.results["systems"]["teacher"]["metrics"]["accuracy"]
    assert len(accuracy["seeds"]) == 1
    assert accuracy["mean"] > 0.8
    assert run.results["baselines"]["simple"]["metric"] > run.results["baselines"]["constant"]["metric"]
    assert "Best simple model" in run.report.read_text()
    assert us.distill(corpus, split="main", answers="crossfit", teacher_model="linear", out=tmp_path / "run", **ASKED).results


def test_answers_of_a_simple_teacher_are_out_of_fold(tmp_path):
    corpus = make_corpus(tmp_path / "c", regression=True)
    split = corpus.split("full")
    task = corpus.task.fit(corpus.target[split.labelled])
    found = simple_teacher("forest", corpus, split, task, ["strong", "weak"])
    ids, truth = corpus.ids[split.labelled].tolist(), corpus.target[split.labelled]
    said = np.array([found.teacher.logits[found.teacher.place[key], 0].item() for key in ids]) * task.scale + task.mean
    off, unseen = np.abs(said - truth).mean(), np.abs(found.test.values - found.test.target).mean()
    # On rows that it saw, a forest is off by a third of that.
    assert off > 0.7 * unseen
    assert simple_teacher("auto", corpus, split, task, ["strong", "weak"]).model == "linear"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teacher_model": "forest", "answers": "insample"}, "know their train rows by heart; say 'crossfit'"),
        ({"answers": "crossfit", "method": "pkt"}, "reads more of its teacher than its answers"),
    ],
)
def test_what_cannot_be_listened_to(corpus, tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        us.distill(corpus, split="main", out=tmp_path / "run", **(ASKED | changes))
    assert not (tmp_path / "run").exists()
