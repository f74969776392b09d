"""A setting that cannot be meant is refused before a folder is taken and anything is trained, for the whole catalogue."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import understudy as us
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.methods import CATALOGUE
from understudy.players.blueprint import Blueprint
from understudy.players.options import options_of
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression
from understudy.training.plan import Plan

ASKED: dict[str, Any] = {"split": "main", "plan": Plan(epochs=1), "sizes": {"width": 8}, "seeds": 1, "student": ["text"]}
# What makes every option of a method count; a number as target where it says so.
COUNTS: dict[str, dict[str, Any]] = {
    "cet": {"student": ["text", "seen"], "options": {"source": "softmax"}},
    "kd": {"student": ["seen"], "options": {"feature": 0.5, "mixup": 0.4}},
    "mad": {
        "teacher_fusion": "experts",
        "options": {"selection": "sampled", "score": "pooled", "distance": "infonce", "adaptive": True},
    },
    "umi": {"fusion": "slots", "teacher_fusion": "late", "options": {"align_to": "nearest"}},
    "videoadviser": {"teacher_head": {"classes": 3, "heads": 2}},
}
NUMBER = ("videoadviser",)
NUMERIC = [(name, option) for name in CATALOGUE for option, each in options_of(name).items() if each.annotation in (int, float)]


def make_corpus(folder: Path, *, number: bool) -> Corpus:
    """Three classes, or a number from -3 to 3, of a picture as numbers and a text."""
    rows = np.arange(60)
    seen = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    here = np.ones(60, bool)
    cells = {"text": Cells("text", [f"row {row} of {row % 3}" for row in rows], here), "seen": Cells("vector", seen, here)}
    task = Regression(low=-3.0, high=3.0) if number else Classification(classes=("a", "b", "c"))
    schema = Schema(task, {"text": Modality("text"), "seen": Modality("vector", width=3)})
    targets = (rows % 3 - 1).astype(float) if number else rows % 3
    corpus = write_corpus(folder, schema, ids=[f"r{row}" for row in rows], targets=targets, cells=cells)
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3))
    return corpus


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[bool, Corpus]:
    folder = tmp_path_factory.mktemp("data")
    return {number: make_corpus(folder / str(number), number=number) for number in (False, True)}


@pytest.fixture
def quiet_job(monkeypatch) -> None:
    """Nothing is trained."""
    monkeypatch.setattr("understudy.study.job.Job.play", lambda self, report: self.stages.run)


@pytest.mark.parametrize("name", sorted({name for name, _ in NUMERIC}))
def test_every_method_can_be_rehearsed(corpora, tmp_path, quiet_job, name):
    """So that a refusal below is of the one option that is wrong."""
    assert us.distill(corpora[name in NUMBER], method=name, out=tmp_path / "run", **ASKED | COUNTS.get(name, {})).seeds == [0]


@pytest.mark.parametrize(("name", "option"), NUMERIC)
def test_an_option_out_of_range_leaves_nothing(corpora, tmp_path, name, option):
    asked = {"options": {}} | ASKED | COUNTS.get(name, {})
    asked["options"] = asked["options"] | {option: -3}
    with pytest.raises(ValueError, match=rf"\b({option}|temperature) -3"):
        us.distill(corpora[name in NUMBER], method=name, out=tmp_path / "run", **asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": {"width": -3}}, "a model: width is -3; allowed: 1 or more"),
        ({"sizes": {"width": 0}}, "width is 0"),
        ({"sizes": {"width": 17}, "encoders": {"text": "small"}}, "width=17, heads=4: expected a width that the heads divide"),
        ({"sizes": {"dropout": 1.5}}, "dropout is 1.5; allowed: a probability"),
        ({"sizes": {"modality_dropout": 2}}, "modality_dropout is 2.0; allowed: a probability, 0 to 1"),
        ({"sizes": {"depth": 0}, "fusion": "single_stream"}, "depth is 0"),
        ({"sizes": {"slots": 5}, "fusion": "slots"}, "slots is 5; allowed: an even number, 2 or more"),
        ({"fusion": "slots", "method": "umi"}, "umi's student has .* pseudo-labels .*'slots', its teacher 'late'"),
        ({"teacher_fusion": "late", "method": "umi"}, "umi's student has two branches .*'slots', its teacher 'late'"),
        ({"max_tokens": {"text": 1}}, "max_tokens text=1; give a number of tokens, 2 or more"),
        ({"max_tokens": {"seen": 9}}, "max_tokens is named for 'seen', a vector; it is for texts"),
        ({"options": {"weight": float("nan")}}, "kd: weight is nan; expected a finite number"),
        ({"plan": {"rate": float("inf")}}, "a plan: rate is inf"),
        ({"options": {"mixup": 0.4}}, "nothing lies between two rows of text; use mixup 0"),
        ({"teacher_head": {"classes": 3, "heads": 5}}, "heads=?.5"),
    ],
)
def test_other_settings_that_cannot_be_meant(corpora, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        us.distill(corpora["teacher_head" in changes], out=tmp_path / "run", **ASKED | changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": {"width": 8, "depth": 3}}, "sizes: depth=3 has no effect: it is of fusion single_stream or slots"),
        ({"sizes": {"width": 8, "slots": 4}}, "sizes: slots=4 has no effect: it is of fusion slots"),
        ({"sizes": {"width": 8, "freeze": "clip"}}, "sizes: freeze=clip has no effect: no player reads a video"),
        ({"sizes": {"width": 8, "modality_dropout": 0.5}, "teacher": ["seen"]}, "modality_dropout=0.5 has no effect"),
        (
            {"encoders": {"seen": "mlp"}, "teacher": ["text"]},
            "encoders: seen=mlp has no effect: seen is not read by student or t",
        ),
        ({"teacher_encoders": {"text": "small"}, "teacher": ["seen"]}, "teacher_encoders: text=small .*not read by teacher"),
        ({"teacher_max_tokens": {"text": 9}, "teacher": ["seen"]}, "teacher_max_tokens: text=9 .*not read by teacher"),
        ({"ensemble": "yes"}, "ensemble 'yes' has no effect: there is one seed"),
    ],
)
def test_a_setting_without_effect_is_warned_of(corpora, tmp_path, quiet_job, changes, said):
    with pytest.warns(UserWarning, match=said):
        us.distill(corpora[False], out=tmp_path / "run", **ASKED | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": {"width": 8, "depth": 1}, "fusion": "single_stream"},
        {"sizes": {"width": 8, "modality_dropout": 0.5}, "encoders": {"text": "small", "seen": "mlp"}},
        {"teacher": ["seen"], "encoders": {"text": "small"}, "teacher_encoders": {"seen": "mlp"}},
        {"ensemble": "yes", "seeds": 2},
    ],
)
def test_a_setting_with_an_effect_is_not(corpora, tmp_path, quiet_job, changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        us.distill(corpora[False], out=tmp_path / "run", **ASKED | changes)


def test_a_text_is_cut_where_the_player_says(corpora, tmp_path, quiet_job):
    asked = ASKED | {"max_tokens": {"text": 9}, "teacher_max_tokens": {"text": 20}}
    run = us.distill(corpora[False], out=tmp_path / "run", **asked)
    found = {player: Blueprint.load(run.folder, player).views["text"].max_tokens for player in ("student", "teacher")}
    assert found == {"student": 9, "teacher": 20}


def test_more_tokens_than_the_model_reads_are_refused(corpora, tmp_path, minilm):
    asked = ASKED | {"encoders": {"text": str(minilm)}, "max_tokens": {"text": 513}}
    with pytest.raises(ValueError, match=f"max_tokens text=513: {minilm} reads at most 512"):
        us.distill(corpora[False], out=tmp_path / "run", **asked)
    assert not (tmp_path / "run").exists()
