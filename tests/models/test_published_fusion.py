"""Published vision-language models: they say what transformers has them say, in a model, a blueprint and a run."""

import json
import shutil

import numpy as np
import pytest
import torch

import understudy as us
from made_clip import CLIP_TEXTS
from made_joint import FEATURES, make_joint_folder
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.encoders import DetectedRegions, ImagePatches, ViltPatches, Words
from understudy.encoders.published import published_weights
from understudy.models.published_fusion import MODELS
from understudy.players.blueprint import Blueprint
from understudy.prepare import Choices, Pictures, Regions, Text
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, Classification, Task
from understudy.training.plan import Plan

CLASSES = Classification(classes=("yes", "no"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: make_joint_folder(tmp_path_factory.mktemp(kind), kind) for kind in MODELS}


def regions(draw: np.random.Generator, count: int) -> np.ndarray:
    corners = np.concatenate([draw.uniform(0, 0.4, (count, 2)), draw.uniform(0.5, 1, (count, 2))], axis=1)
    return np.concatenate([corners, draw.normal(5, 3, (count, FEATURES))], axis=1).astype(np.float32)


def made_cells(task: Task, rows: int) -> dict[str, Cells]:
    draw, here = np.random.default_rng(4), np.ones(rows, dtype=bool)
    texts = [CLIP_TEXTS[row % len(CLIP_TEXTS)] for row in range(rows)]
    text = Cells("text", texts, here)
    if isinstance(task, Choice):
        text = Cells("choices", [tuple(draw.choice(CLIP_TEXTS, 2)) for _ in texts], here)
    seen = Cells("regions", [regions(draw, 1 + row % 3) if row % 5 else None for row in range(rows)], np.arange(rows) % 5 > 0)
    pictures = [draw.integers(0, 256, (20, 16, 3), dtype=np.uint8) if row % 4 else None for row in range(rows)]
    return {"text": text, "regions": seen, "image": Cells("image", pictures, np.arange(rows) % 4 > 0)}


def fields(view, cells):
    return {name: torch.from_numpy(values) for name, values in view.prepare(cells).items()}


@pytest.mark.parametrize("kind", ["visual_bert", "lxmert"])
def test_regions_and_words_go_through_as_transformers_has_it(folders, kind):
    from transformers import AutoModel

    name, cells = str(folders[kind]), made_cells(CLASSES, 8)
    text, view = Text.pretrained(name, max_tokens=16), Regions().fit(cells["regions"])
    encoders = {"text": Words.pretrained(name, text), "regions": DetectedRegions.pretrained(name, view)}
    fusion = MODELS[kind].pretrained(name, {"text": 16, "regions": 16}, texts=["text"]).eval()
    given = {"text": fields(text, cells["text"]), "regions": fields(view, cells["regions"])}
    here = {m: torch.from_numpy(cells[m].present) for m in given}
    whole = AutoModel.from_pretrained(name).eval()
    rows = here["regions"]
    raw = [each[:, 4:] for each in cells["regions"].values if each is not None]
    features = torch.zeros(int(rows.sum()), 3, FEATURES)
    for row, each in enumerate(raw):
        features[row, : len(each)] = torch.from_numpy(each)
    said = {"attention_mask": given["text"]["mask"][rows].long(), "input_ids": given["text"]["ids"][rows]}
    seen = given["regions"]["mask"][rows].long()
    with torch.no_grad():
        fused = fusion({m: encoders[m].eval()(given[m]) for m in given}, here)
        if kind == "visual_bert":
            states = whole(**said, visual_embeds=features, visual_attention_mask=seen).last_hidden_state
        else:
            boxes = given["regions"]["boxes"][rows]
            states = whole(**said, visual_feats=features, visual_pos=boxes, visual_attention_mask=seen).language_output
    torch.testing.assert_close(fused.embedding[rows], states[:, 0], rtol=0, atol=1e-4)
    assert fused.embedding.isfinite().all()
    assert set(fused.tokens) == {"text", "regions"}


def test_pictures_and_words_go_through_as_transformers_has_it(folders):
    from transformers import AutoModel

    name, cells = str(folders["vilt"]), made_cells(CLASSES, 8)
    text, view = Text.pretrained(name, max_tokens=16), Pictures(16, 0)
    encoders = {"text": Words.pretrained(name, text).eval(), "image": ViltPatches.pretrained(name, view).eval()}
    fusion = MODELS["vilt"].pretrained(name, {"text": 16, "image": 16}, texts=["text"]).eval()
    given = {"text": fields(text, cells["text"]), "image": fields(view, cells["image"])}
    here = {m: torch.from_numpy(cells[m].present) for m in given}
    rows = here["image"]
    with torch.no_grad():
        fused = fusion({m: encoders[m](given[m]) for m in given}, here)
        states = (
            AutoModel.from_pretrained(name)
            .eval()(
                input_ids=given["text"]["ids"][rows],
                attention_mask=given["text"]["mask"][rows].long(),
                pixel_values=given["image"]["values"][rows],
            )
            .last_hidden_state
        )
    torch.testing.assert_close(fused.embedding[rows], states[:, 0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_only_what_is_new_takes_the_plans_own_rate(folders, kind):
    fusion = MODELS[kind].pretrained(folders[kind], {"text": 16, "other": 5}, texts=["text"])
    old = {id(p) for p in fusion.published()}
    assert {name for name, p in fusion.named_parameters() if id(p) not in old} == {"enter.other.weight", "enter.other.bias"}
    assert not list(MODELS[kind]({"text": 16}, texts=["text"], config=fusion.config).published())


def test_what_does_not_fit_is_refused(folders, minilm, tmp_path):
    cells = made_cells(CLASSES, 6)
    wider = json.loads((folders["lxmert"] / "config.json").read_text()) | {"visual_feat_dim": 2048}
    with pytest.raises(ValueError, match="regions have 3 features; this lxmert reads 2048: take encoder 'regions'"):
        DetectedRegions(Regions().fit(cells["regions"]), config=wider)
    with pytest.raises(ValueError, match="a vilt reads pictures"):
        DetectedRegions.pretrained(str(folders["vilt"]), Regions().fit(cells["regions"]))
    with pytest.raises(ValueError, match="pictures of size 8 and a vilt are given"):
        ViltPatches.pretrained(str(folders["vilt"]), Pictures(8, 8))
    with pytest.raises(ValueError, match=r"30522 tokens .* take its tokenizer"):
        Words.pretrained(str(folders["vilt"]), Text.pretrained(minilm, max_tokens=16))
    with pytest.raises(ValueError, match="a bert is given; a vision-language model is one of visual_bert, vilt, lxmert"):
        MODELS["vilt"].pretrained(minilm, {"text": 4}, texts=["text"])
    folder = shutil.copytree(folders["vilt"], tmp_path / "pickled")
    torch.save(published_weights(str(folder)), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    for load in (
        lambda: MODELS["vilt"].pretrained(folder, {"text": 16}, texts=["text"]),
        lambda: Words.pretrained(str(folder), Text.pretrained(folder, max_tokens=16)),
    ):
        with pytest.raises(FileNotFoundError, match="safetensors"):
            load()


def made_corpus(folder, task: Task, *seen: str) -> Corpus:
    cells = made_cells(task, 60)
    modalities = {"text": Modality("text"), "regions": Modality("regions", width=FEATURES), "image": Modality("image")}
    if isinstance(task, Choice):
        modalities["text"] = Modality("choices", width=2)
    kept = ("text", *seen)
    corpus = write_corpus(
        folder,
        Schema(task, {m: modalities[m] for m in kept}),
        ids=[f"r{row}" for row in range(60)],
        targets=np.arange(60) % 2,
        cells={m: cells[m] for m in kept},
    )
    corpus.save_split(make_split(corpus, name="main", valid=0.2, test=0.3))
    return corpus


@pytest.mark.parametrize(
    ("kind", "task", "seen", "parts"),
    [
        ("visual_bert", Choice(choices=2), "regions", (Words, DetectedRegions)),
        ("vilt", CLASSES, "image", (Words, ViltPatches)),
        ("lxmert", CLASSES, "image", (Words, ImagePatches)),
    ],
)
def test_a_student_by_folder_trains_and_comes_back_without_it(folders, tmp_path, kind, task, seen, parts):
    folder, corpus = shutil.copytree(folders[kind], tmp_path / kind), made_corpus(tmp_path / "corpus", task, seen)
    run = us.distill(
        corpus,
        student=["text", seen],
        fusion=str(folder),
        plan=Plan(epochs=1, batch_size=16, rate=1e-3),
        sizes={"width": 16},
        seeds=1,
        out=tmp_path / "run",
        report=False,
    )
    shutil.rmtree(folder)
    student = run.model()
    assert isinstance(student.fusion, MODELS[kind])
    assert isinstance(student.encoders["text"], parts[0])
    assert isinstance(student.encoders[seen], parts[1])
    view = Choices if isinstance(task, Choice) else Text
    assert isinstance(student.views["text"], view)
    assert run.settings["arguments"]["fusion"] == str(folder)
    assert str(tmp_path) not in json.dumps(Blueprint.load(run.folder, "student").fusion_config)
    assert np.isfinite(run.predictions("distilled")[0].values).all()


def test_a_wrong_folder_is_one_clear_error(folders, minilm, tmp_path):
    corpus = made_corpus(tmp_path / "corpus", CLASSES, "image")
    allowed = (
        "choose from concat, single_stream, slots, experts, late, or a transformers folder or hub id of visual_bert, vilt, lx"
    )
    for wrong in (str(tmp_path / "nowhere"), str(minilm)):
        with pytest.raises(ValueError, match=allowed):
            us.distill(corpus, student=["text", "image"], fusion=wrong, out=tmp_path / "run")
    for encoder, reason in (
        ("nowhere", "neither ours .conv, patches. nor"),
        (str(minilm), "is a bert, and neither .* of what size its pictures are: no encoder of kind image"),
    ):
        with pytest.raises(ValueError, match=reason):
            us.distill(corpus, student=["text", "image"], encoders={"image": encoder}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_experts_need_the_choices(tmp_path):
    corpus = made_corpus(tmp_path / "corpus", Choice(choices=2), "image")
    with pytest.raises(ValueError, match="'experts' reads none of the choices"):
        us.distill(corpus, student=["text"], teacher=["image"], teacher_fusion="experts", out=tmp_path / "run")
