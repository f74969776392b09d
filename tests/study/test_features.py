"""Stored features: what the tower said, resumable, with a list of what could not be read, and a teacher trained on them."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import understudy as us
from tiny_clips import FRAMES, WIDTH, film, make_clip
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.encoders import TextEncoder, XClip
from understudy.encoders.clip import published_frames
from understudy.prepare import Text
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.stored import StoredFrames
from understudy.process.crew import Crew
from understudy.process.share import Share
from understudy.study import features
from understudy.study.features import store_feature_share, store_features
from understudy.tasks import Regression
from understudy.teachers import writer as stores

ROWS = 30
STEPS = FRAMES + 4


@pytest.fixture(scope="module")
def xclip(tmp_path_factory):
    return str(make_clip(tmp_path_factory.mktemp("xclip")))


def make_corpus(folder, *, broken=()) -> Corpus:
    draws = np.random.default_rng(0)
    target = draws.uniform(-3, 3, ROWS)
    here = np.arange(ROWS) != 4
    clips = [film(int(128 + 40 * y)) for y in target]
    for row in broken:
        clips[row] = clips[row][:40]
    words = ["bad" if y < 0 else "good" for y in target]
    corpus = write_corpus(
        folder,
        Schema(Regression(low=-3.0, high=3.0), {"video": Modality("video"), "text": Modality("text")}, grouped=True),
        ids=[f"c{row}" for row in range(ROWS)],
        targets=[None if row == 7 else y for row, y in enumerate(target.tolist())],
        groups=[f"g{row % 10}" for row in range(ROWS)],
        cells={
            "video": Cells("video", [c if h else None for c, h in zip(clips, here, strict=True)], here),
            "text": Cells("text", words, np.ones(ROWS, dtype=bool)),
        },
    )
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.2))
    return corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


@pytest.fixture
def one_process(monkeypatch):
    monkeypatch.setattr(features, "WORKERS", 0)


def test_all_else_stays_and_the_features_are_the_towers(corpus, xclip, tmp_path):
    made = store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, views=2, quiet=True)
    assert made.modalities["video"] == Modality("sequence", width=WIDTH)
    assert (made.ids == corpus.ids).all()
    assert (made.groups == corpus.groups).all()
    np.testing.assert_array_equal(made.has_target, corpus.has_target)
    np.testing.assert_array_equal(made.target[made.has_target], corpus.target[corpus.has_target])
    np.testing.assert_array_equal(made.split("main").train, corpus.split("main").train)
    np.testing.assert_array_equal(made.present("video"), corpus.present("video"))
    assert made.cells("text", [3]).values == corpus.cells("text", [3]).values
    view, rows = published_frames(xclip), [11, 2]
    with torch.no_grad():
        tower = XClip.pretrained(xclip, view).eval().tower
        assert tower is not None
        expected = torch.cat(tower(torch.from_numpy(view.prepare(corpus.cells("video", rows))["values"])), dim=1).numpy()
    for said, wanted in zip(made.cells("video", rows).values, expected, strict=True):
        assert said.shape == (2 * STEPS, WIDTH)
        np.testing.assert_allclose(said[:STEPS], wanted, rtol=0, atol=1e-5)
    assert not (tmp_path / "new.features").exists()


def test_a_killed_call_goes_on_and_asks_only_for_what_is_missing(corpus, xclip, tmp_path, monkeypatch, one_process):
    monkeypatch.setattr(stores, "SHARD_SECONDS", 0.0)
    asked = []
    real = features.tokens_of

    def counted(tower, fields):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(len(fields["values"]))
        return real(tower, fields)

    monkeypatch.setattr(features, "tokens_of", counted)
    with pytest.raises(KeyboardInterrupt):
        store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, quiet=True)
    assert not (tmp_path / "new").exists()
    asked.clear()
    asked.extend([0, 0, 0])
    made = store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, quiet=True)
    assert sum(asked) == ROWS - 1 - 16
    monkeypatch.setattr(features, "tokens_of", real)
    whole = store_features(corpus, tmp_path / "whole", modality="video", encoder=xclip, quiet=True)
    assert made.fingerprint == whole.fingerprint


def test_machines_that_share_the_clips_make_the_corpus_of_one(xclip, tmp_path, one_process, monkeypatch):
    corpus = make_corpus(tmp_path / "corpus")
    asked: dict[str, Any] = {"modality": "video", "encoder": xclip, "quiet": True}
    whole = store_features(corpus, tmp_path / "whole", **asked)
    parts = [store_feature_share(corpus, tmp_path / "new", Share(index, 2), **asked) for index in range(2)]
    assert sum(map(len, parts)) == int(corpus.present("video").sum())
    monkeypatch.setattr(features, "tokens_of", None)  # nothing is left to ask
    assert store_features(corpus, tmp_path / "new", **asked).fingerprint == whole.fingerprint
    assert not list(tmp_path.glob("new.*"))


def test_workers_make_the_corpus_of_one_and_go_on_from_any_others(xclip, tmp_path):
    corpus = make_corpus(tmp_path / "corpus", broken=(5,))
    asked: dict[str, Any] = {"modality": "video", "encoder": xclip, "on_error": "skip", "quiet": True}
    whole = store_features(corpus, tmp_path / "whole", **asked)
    store_feature_share(corpus, tmp_path / "new", Share(1, 3), **asked)
    made = store_features(corpus, tmp_path / "new", crew=Crew(2), **asked)
    assert made.fingerprint == whole.fingerprint
    assert (tmp_path / "new" / "errors.json").read_bytes() == (tmp_path / "whole" / "errors.json").read_bytes()
    assert not list(tmp_path.glob("new.*"))


def test_what_cannot_be_read_fails_or_is_named(xclip, tmp_path, one_process):
    corpus = make_corpus(tmp_path / "corpus", broken=(5, 6))
    with pytest.raises(ValueError, match="modality 'video', row 'c5': "):
        store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, quiet=True)
    made = store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, on_error="skip", quiet=True)
    assert np.flatnonzero(~made.present("video")).tolist() == [4, 5, 6]
    listed = json.loads((tmp_path / "new" / "errors.json").read_text())
    assert [each["where"] for each in listed] == ["row 'c5'", "row 'c6'"]
    assert all(each["reason"] for each in listed)


def test_a_teacher_learns_from_stored_features_alone(corpus, xclip, tmp_path, one_process):
    made = store_features(corpus, tmp_path / "new", modality="video", encoder=xclip, views=2, quiet=True)
    run = us.distill(
        made,
        student=["text"],
        teacher_head={"classes": 7},
        sizes={"width": 16},
        plan={"epochs": 1},
        seeds=1,
        out=tmp_path / "run",
        report=False,
    )
    teacher = run.model("teacher", seed=0)
    encoder = teacher.encoders["video"]
    assert isinstance(encoder, XClip)
    assert encoder.tower is None
    assert encoder.view == StoredFrames(FRAMES, 4, WIDTH, views=2)
    assert encoder.view.random


def test_tokens_of_a_text_become_a_sequence(corpus, minilm, tmp_path):
    made = store_features(corpus, tmp_path / "new", modality="text", encoder=str(minilm), quiet=True)
    view = Text.pretrained(minilm)
    fields = {n: torch.from_numpy(v) for n, v in view.prepare(corpus.cells("text", [8])).items()}
    with torch.no_grad():
        expected = TextEncoder.pretrained(minilm, view).eval()(fields).tokens.values[0].numpy()
    np.testing.assert_allclose(made.cells("text", [8]).values[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"modality": "smell"}, KeyError, "no modality 'smell'"),
        ({"views": 0}, ValueError, "views=0 of a video"),
        ({"modality": "text", "views": 2}, ValueError, "views=2 of a text"),
        ({"encoder": "nowhere"}, FileNotFoundError, "no published encoder nowhere"),
    ],
)
def test_what_cannot_be_stored_is_refused(corpus, xclip, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        store_features(corpus, tmp_path / "new", **{"modality": "video", "encoder": xclip} | options, quiet=True)
    assert list(tmp_path.iterdir()) == []
