"""Validation rows choose the encoder of vectors where nobody names one."""

import json
import shutil
from typing import Any, cast

import numpy as np
import pytest

import understudy as us
from study.small import SIZES, files, make_corpus
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.players.blueprint import TRIED, Blueprint
from understudy.players.defaults import TELLING
from understudy.prepare.cells import Cells, Modality
from understudy.study.ahead import ahead
from understudy.study.distill import asked_of
from understudy.study.settings import Asked
from understudy.tasks import Classification

ASKED: dict[str, Any] = {"student": ["weak"], "split": "many", "plan": {"epochs": 3}, "sizes": SIZES, "seeds": 2, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    made = make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=700)
    made.save_split(make_split(made, name="many", valid=0.2, test=0.3))
    made.save_split(make_split(made, name="few", valid=0.05, test=0.3))
    made.save_split(make_split(made, name="none", valid=0.0, test=0.3, labelled=40))
    assert len(made.split("many").valid) >= TELLING
    return made


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, out=tmp_path_factory.mktemp("run") / "run", **ASKED)


def best(run: us.Run, system: str, metric: str) -> float:
    lines = (run.folder / system / "seed-0" / "log.jsonl").read_text().splitlines()
    return max(json.loads(line)["valid"][metric] for line in lines)


@pytest.mark.parametrize(("player", "system"), [("student", "plain"), ("teacher", "teacher")])
def test_the_better_one_on_validation_rows_is_taken_and_its_training_kept(run, player, system):
    scores = {each: best(run, f"{system}/trial-{each}", run.results["metric"]["name"]) for each in TRIED["vector"]}
    chosen = set(Blueprint.load(run.folder, player).encoders.values())
    assert chosen == {max(scores, key=lambda each: scores[each])}
    tried, kept = (run.folder / system / place / "seed-0" for place in (f"trial-{chosen.pop()}", ""))
    assert (tried / "model.safetensors").read_bytes() == (kept / "model.safetensors").read_bytes()


def test_what_is_asked_says_that_nobody_named_it(run):
    assert set(run.settings["arguments"]["encoders"].values()) == {"auto"}


def test_a_run_that_was_stopped_on_the_way_ends_the_same(corpus, run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    for name in ("results.json", "student.json", "teacher.json", "plain/seed-0", "distilled", "teacher/trial-mlp/seed-0"):
        path = tmp_path / "run" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = us.distill(corpus, out=tmp_path / "run", **ASKED)
    assert files(again.folder) == files(run.folder)


def test_two_at_once_end_the_same(corpus, run, tmp_path):
    assert files(us.distill(corpus, out=tmp_path / "run", jobs=2, **ASKED).folder) == files(run.folder)


def test_who_takes_plain_students_takes_their_encoder(corpus, run, tmp_path):
    other = us.distill(corpus, out=tmp_path / "run", method="dkd", plain_of=run, teachers_of=run, **ASKED)
    assert not (other.folder / "plain" / "trial-mlp").exists()
    assert Blueprint.load(other.folder, "student").encoders == Blueprint.load(run.folder, "student").encoders


@pytest.mark.parametrize("more", [{"split": "few"}, {"encoders": {"weak": "mlp"}, "teacher": ["weak", "strong"]}])
def test_few_validation_rows_choose_nothing_and_a_name_is_a_name(corpus, tmp_path, more: dict[str, Any]):
    if "encoders" in more:
        more = more | {"teacher_encoders": {"strong": "mlp"}}
    asked: dict[str, Any] = ASKED | more
    found = us.distill(corpus, out=tmp_path / "run", **asked)
    assert not [*found.folder.glob("*/trial-*")]


def test_nobody_tries_a_teacher_that_is_a_simple_model(corpus, tmp_path):
    found = us.distill(corpus, out=tmp_path / "run", answers="crossfit", teacher_model="linear", **ASKED)
    assert {path.parent.name for path in found.folder.glob("*/trial-*")} == {"plain"}
    told = ahead(corpus, split="many", student=["weak"], answers="crossfit", teacher_model="linear", seeds=2)
    assert {line.system for line in told.lines if "/trial-" in line.system} == {f"plain/trial-{each}" for each in TRIED["vector"]}


def test_it_cannot_be_asked_for_without_rows_to_choose_by(corpus, tmp_path):
    asked: dict[str, Any] = ASKED | {"split": "none", "encoders": {"weak": "auto"}}
    with pytest.raises(ValueError, match="validation rows"):
        us.distill(corpus, out=tmp_path / "run", **asked)


TEXTS: dict[str, Any] = ASKED | {"student": ["said"], "teacher": ["said", "weak"], "seeds": 1}


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Corpus:
    """`said` holds the answer in one of its words."""
    random, many = np.random.default_rng(5), 600
    target = random.integers(2, size=many)
    said = [f"it was a {('dull', 'fine')[each]} film about {random.choice(['love', 'war', 'food'])}" for each in target]
    here = np.ones(many, bool)
    made = write_corpus(
        tmp_path_factory.mktemp("told") / "corpus",
        Schema(Classification(classes=("low", "high")), {"said": Modality("text"), "weak": Modality("vector", width=2)}),
        ids=[f"r{row}" for row in range(many)],
        targets=target,
        cells={
            "said": Cells("text", said, here),
            "weak": Cells("vector", random.normal(size=(many, 2)).astype(np.float32), here),
        },
    )
    made.save_split(make_split(made, name="many", valid=0.2, test=0.3))
    return made


def test_a_text_is_tried_as_a_bag_of_words_and_ships_so(told, tmp_path):
    found = us.distill(told, out=tmp_path / "run", **TEXTS)
    assert {path.name for path in found.folder.glob("*/trial-*")} == {f"trial-{each}" for each in TRIED["text"]}
    bags = us.distill(told, out=tmp_path / "bags", **TEXTS | {"encoders": {"said": "bag"}, "plan": {"epochs": 20}})
    assert bags.results["systems"]["plain"]["metrics"]["accuracy"]["mean"] == 1.0
    assert Blueprint.load(bags.folder, "teacher").encoders == {"said": "bag", "weak": "piecewise"}
    us.export(bags.model("plain"), tmp_path / "shipped", corpus=told, split="many")
    asked = ["It was a FINE film about war.", "it was a dull, dull film", "unheard of"]
    answers = us.Artifact(tmp_path / "shipped").predict({"said": asked})
    assert list(answers["prediction"])[:2] == ["high", "low"]


def test_both_kinds_are_tried_side_by_side_where_both_are_asked_for(told, tmp_path):
    asked = TEXTS | {"encoders": {"said": "auto"}, "teacher_encoders": {"weak": "auto"}}
    lines = {line.system for line in ahead(told, **asked).lines}
    assert lines >= {"plain/trial-small", "plain/trial-bag", "teacher/trial-small-piecewise", "teacher/trial-bag-mlp"}


def test_who_needs_tokens_of_a_text_has_them(told):
    asked: dict[str, Any] = {**TEXTS, "teacher_fusion": "single_stream"}
    settings, _ = asked_of(told, told.split("many"), cast(Asked, asked))
    whole = settings.checked(told)
    assert {**whole.student.encoders, **whole.teacher.encoders} == {"said": "small", "weak": "piecewise"}


def test_a_plan_counts_the_trials(corpus):
    asked: dict[str, Any] = {name: value for name, value in ASKED.items() if name != "report"}
    found = {line.system: line.trainings for line in ahead(corpus, **asked).lines}
    assert {name: found[name] for name in found if "/trial-" in name} == {
        f"{system}/trial-{each}": 1 for system in ("plain", "teacher") for each in TRIED["vector"]
    }
