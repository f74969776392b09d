"""Encoders that somebody brought, from `distill` to an artifact that says the same."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

import understudy as us
from made_encoders import make_bert_folder, make_media_corpus, make_onnx, make_own
from understudy.players import brought

ASKED: dict[str, Any] = {"seeds": 1, "plan": {"epochs": 1}, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_media_corpus(tmp_path_factory.mktemp("media") / "corpus")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_module_trains_ships_and_comes_back(corpus, tmp_path):
    asked: Any = {"student": "image", "encoders": {"image": make_own()}, "out": tmp_path / "run", **ASKED}
    run = us.distill(corpus, **asked)
    label = run.settings["arguments"]["encoders"]["image"]
    assert label.startswith("module:Own-")
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "black.png")
    said = run.predict({"image": [str(tmp_path / "black.png")]})
    assert set(said) == {"prediction", "probability_low", "probability_high"}
    assert us.distill(corpus, **asked).folder == run.folder
    with pytest.raises(ValueError, match="holds another run"):
        us.distill(corpus, **(asked | {"encoders": {"image": make_own(frozen=True)}}))
    with pytest.raises(ValueError, match="other processes do not have: say jobs=1"):
        us.distill(corpus, **(asked | {"jobs": 2, "out": tmp_path / "other"}))
    brought.BROUGHT.clear()
    with pytest.raises(ValueError, match=f"encoder {label} is a torch module that this process was not given"):
        us.load(run.folder).model("distilled")
    opened = us.load(run.folder, encoders={"image": make_own()})
    assert opened.model("distilled", seed=0).modalities == ("image",)


def test_a_module_that_does_not_fit_is_refused_before_anything_is_written(corpus, tmp_path):
    module = make_own()
    module.width = 7
    with pytest.raises(ValueError, match="says width 7, and gives"):
        us.distill(corpus, student="image", encoders={"image": module}, out=tmp_path / "run", **ASKED)
    mixes = make_own()
    mixes.register_forward_hook(lambda module, given, said: said - said.mean(0))
    with pytest.raises(ValueError, match="answers a row by the others beside it; take out what mixes rows"):
        us.distill(corpus, student="image", encoders={"image": mixes}, out=tmp_path / "run", **ASKED)
    assert not (tmp_path / "run").exists()
    with pytest.raises(TypeError, match="encoders: image has int; expected a name"):
        us.distill(corpus, student="image", encoders={"image": 3}, out=tmp_path / "run", **ASKED)


def test_an_onnx_file_ships_as_the_first_graph(corpus, tmp_path, cache):
    path = make_onnx(tmp_path / "made.onnx", tokens=False)
    run = us.distill(corpus, student="image", encoders={"image": f"onnx:{path}"}, out=tmp_path / "run", **ASKED)
    assert len(list((cache / "said").iterdir())) == 1
    path.unlink()
    artifact = run.export(tmp_path / "artifact")
    assert (artifact / "image-encoder.onnx").read_bytes()[:1]
    assert json.loads((artifact / "parity.json").read_text())["max_difference"] < 1e-5
    assert "image-encoder.onnx" in json.loads((artifact / "checksums.json").read_text())
    assert json.loads((artifact / "contract.json").read_text())["views"]["image"]["view"] == "GraphedPictures"
    code = "import sys, understudy as us; a = us.Artifact(sys.argv[1]); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code, str(artifact)], check=False).returncode == 0


def test_lora_ships_merged(corpus, tmp_path):
    pytest.importorskip("peft")
    (tmp_path / "bert").mkdir()
    encoders = {"text": str(make_bert_folder(tmp_path / "bert"))}
    run = us.distill(corpus, student="text", encoders=encoders, sizes={"lora": 2}, out=tmp_path / "run", **ASKED)
    artifact = run.export(tmp_path / "artifact")
    assert json.loads((artifact / "parity.json").read_text())["max_difference"] < 1e-5
    assert b"lora" not in (artifact / "student.onnx").read_bytes()
    with pytest.warns(UserWarning, match="lora=2 has no effect: no player reads by a published encoder"):
        us.distill(corpus, student="image", sizes={"lora": 2}, out=tmp_path / "none", **ASKED)
