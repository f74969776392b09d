"""Blueprints with class prompts and published video encoders: built, saved, and back without any source."""

import shutil

import numpy as np
import pytest
import torch

from tiny_clips import FRAMES, SIZE, WIDTH, WORDS, film, make_clip
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.encoders.class_text import class_features
from understudy.encoders.clip import published_frames
from understudy.players.blueprint import Blueprint, check_encoders, draw
from understudy.players.player import Player
from understudy.players.prompting import check_head, fitted_anchors, tokens_of
from understudy.prepare import Frames
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression

TASK = Regression(low=-3.0, high=3.0, sentiment=True)
SIZES = {"width": 16, "dropout": 0.1}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    rows, draws = 20, np.random.default_rng(0)
    modalities = {"video": Modality("video"), "text": Modality("text")}
    cells = {
        "video": Cells("video", [film(10 * row) for row in range(rows)], np.ones(rows, dtype=bool)),
        "text": Cells("text", list(draws.choice(WORDS, rows)), np.ones(rows, dtype=bool)),
    }
    made = write_corpus(
        tmp_path_factory.mktemp("corpus") / "corpus",
        Schema(TASK, modalities),
        ids=[str(row) for row in range(rows)],
        targets=draws.uniform(-3, 3, rows),
        cells=cells,
    )
    made.save_split(make_split(made, name="main", valid=0.2, test=0.2))
    return made


def drawn(corpus, modalities, **options) -> Blueprint:
    return draw(corpus, corpus.split("main"), Player(modalities, sizes=SIZES, **options), name="teacher")


def test_a_teacher_with_a_published_clip_comes_back_without_it(corpus, tmp_path):
    folder = str(make_clip(tmp_path / "xclip"))
    head = {"classes": 2, "text_encoder": folder, "anchors": [-2, 2]}
    made = drawn(corpus, ["video", "text"], encoders={"video": folder}, head=head)
    assert made.views["video"] == published_frames(folder) == Frames(FRAMES, size=SIZE)
    first = made.build(0)
    made.save(tmp_path)
    torch.testing.assert_close(first.head.prompts, class_features(folder, ["negative", "positive"]), rtol=0, atol=0)
    published = {name: w for name, w in make_weights(folder).items() if name.startswith("prompts_generator.decoder")}
    generator = first.head.generator.state_dict()
    assert all(torch.equal(generator[name.removeprefix("prompts_generator.")], w) for name, w in published.items())
    shutil.rmtree(folder)
    again = Blueprint.load(tmp_path, "teacher").build(0, weights=False)
    again.load_state_dict(first.state_dict())
    fields = {"video": {"values": torch.randn(2, FRAMES, 3, SIZE, SIZE)}}
    here = {"video": torch.ones(2, dtype=torch.bool), "text": torch.zeros(2, dtype=torch.bool)}
    with torch.no_grad():
        for one, other in zip(first.eval().answer(fields, here)[:2], again.eval().answer(fields, here)[:2], strict=True):
            assert torch.equal(one, other)
    assert first.head.prompts.shape == (2, WIDTH)
    assert not any(p.requires_grad for p in first.encoders["video"].tower.parameters())


def make_weights(folder):
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder).state_dict()


@pytest.mark.parametrize("name", ["conv", "xclip", "clip"])
def test_own_video_encoders_need_no_weights(corpus, name):
    model = drawn(corpus, ["video"], encoders={"video": name}, head={"classes": 7}).build(0)
    video = model.views["video"]
    assert not video.random
    with torch.no_grad():
        output = model.answer({"video": {"values": torch.randn(2, 8, 3, 64, 64)}}, {"video": torch.ones(2, dtype=torch.bool)})
    assert output[0].shape == (2, 1)
    assert output[3]["classes"].shape == (2, 7)


def test_a_text_teacher_with_prompts_of_another_tower(corpus, minilm):
    head = {"classes": 3, "prompts": ["bad", "so so", "good"], "text_encoder": str(minilm)}
    model = drawn(corpus, ["text"], head=head).build(0)
    assert model.head.enter.in_features == 384


def test_anchors_are_the_means_of_the_train_labels_by_class(corpus):
    labels = corpus.target[corpus.split("main").labelled]
    head = drawn(corpus, ["text"], head={"classes": 2}).head
    assert head["anchors"] == pytest.approx([labels[labels < 0].mean(), labels[labels > 0].mean()])
    assert head["places"] == [-3.0, 3.0], "a label still finds its class by the range"
    built = drawn(corpus, ["text"], head={"classes": 2}).build(0).head
    assert built.anchors.tolist() == pytest.approx(head["anchors"])
    assert built.places == [-3.0, 3.0]
    even = drawn(corpus, ["text"], head={"classes": 3, "anchors": "even"}).head
    assert even["anchors"] == [-3.0, 0.0, 3.0]
    assert "places" not in even


def test_anchors_by_quantiles_have_as_many_labels_each_and_need_no_range():
    labels = np.array([0.0, 0.1, 0.2, 0.3, 1.0, 9.0])
    assert fitted_anchors(Regression(), 3, "quantiles", labels) == {"anchors": pytest.approx([0.05, 0.25, 5.0])}
    assert check_head(Regression(), {"classes": 3, "anchors": "quantiles"}, {"text": "text"})["anchors"] == "quantiles"
    with pytest.raises(ValueError, match="1 different means for 2 classes"):
        fitted_anchors(Regression(), 2, "quantiles", np.zeros(8))


def test_a_class_without_labels_stands_for_its_place_and_a_label_between_two_for_none():
    found = fitted_anchors(TASK, 3, "means", np.array([-2.0, -1.5, -3.0, 2.0]))
    assert found["anchors"] == pytest.approx([-2.5, 0.0, 2.0])


def test_without_a_head_nothing_changes(corpus):
    made = drawn(corpus, ["text"])
    assert made.head == {}
    assert [name for name, _ in made.build(0).head.named_parameters()] == ["1.weight", "1.bias"]


@pytest.mark.parametrize(
    ("task", "head", "error", "message"),
    [
        (TASK, {"colour": 3}, ValueError, "teacher_head has no colour"),
        (TASK, {"tokens_of": "audio"}, KeyError, "tokens_of is 'audio'"),
        (TASK, {"classes": 7, "prompts": ["a", "b"], "text_encoder": "x"}, ValueError, "2 prompts for 7 classes"),
        (TASK, {"prompts": ["a", "b"]}, ValueError, "prompts need a text_encoder"),
        (TASK, {"classes": 5, "text_encoder": "x"}, ValueError, "no prompts are known for 5 classes"),
        (TASK, {"anchors": "margin"}, ValueError, "two classes"),
        (TASK, {"anchors": [-3, 0]}, ValueError, "2 anchors for 7 classes"),
        (Classification(classes=("a", "b")), {"classes": 3}, ValueError, "3 class prompts for a task of 2 classes"),
        (TASK, {"tokens_of": "word"}, ValueError, "'word', a vector, whose encoder gives no tokens; choose from video, text"),
        (TASK, {"heads": 0}, ValueError, "at least 1 head"),
        (TASK, {"layers": -1}, ValueError, "no negative number of layers"),
        (TASK, {"logit_scale": 9}, ValueError, "at most ln 100"),
        (TASK, {"classes": 10**9}, ValueError, "at most 10,000"),
        (TASK, {"classes": 2, "anchors": [3, -3]}, ValueError, "finite and ascend"),
        (TASK, {"classes": 2, "anchors": ["a", 3]}, ValueError, "a number for each class"),
        (TASK, {"prompts": ["a", " "], "text_encoder": "x"}, ValueError, "a text of its own"),
        (TASK, {"prompts": ["a", "a"], "text_encoder": "x"}, ValueError, "a text of its own"),
        (TASK, {"prompts": ["a", 1], "text_encoder": "x"}, ValueError, "a text of its own"),
        (TASK, {"prompts": [], "text_encoder": "x"}, ValueError, "0 prompts for 7 classes"),
        (Classification(classes=("a", "b")), {"anchors": [0, 1]}, ValueError, "for a classification task"),
        (Classification(classes=("a", "b")), {"anchors": "means"}, ValueError, "for a classification task"),
        (Regression(), {"anchors": "means"}, ValueError, "give anchors"),
    ],
)
def test_a_head_that_cannot_be_is_refused_before_anything_runs(task, head, error, message):
    with pytest.raises(error, match=message):
        check_head(task, head, {"video": "video", "text": "text", "word": "vector"})


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"text": "text", "audio": "audio", "video": "video"}, "video"),
        ({"word": "vector", "text": "text", "steps": "sequence"}, "text"),
    ],
)
def test_class_prompts_read_the_video_or_else_what_has_tokens(kinds, expected):
    assert tokens_of({"classes": 7}, kinds) == expected
    with pytest.raises(ValueError, match="class prompts need tokens"):
        tokens_of({"classes": 7}, {"word": "vector"})


def test_a_teacher_of_text_and_video_ties_its_prompts_to_the_video(corpus):
    assert drawn(corpus, ["text", "video"], head={"classes": 7}).head["tokens_of"] == "video"


def test_an_unknown_video_encoder_is_refused_without_asking_the_hub(corpus, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", lambda name, **told: asked.append(name) or 1 / 0)
    with pytest.raises(ValueError, match=r"video encoder 'nowhere': neither ours \(conv, xclip, clip\) nor a tran"):
        check_encoders(corpus, {"video": "nowhere"})
    with pytest.raises(ValueError, match="video encoder 'no where'"):
        check_encoders(corpus, {"video": "no where"})
    assert not asked
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: "it was fetched before")
    with pytest.raises(ZeroDivisionError):
        check_encoders(corpus, {"video": "nowhere"})
    assert asked == ["nowhere"]
