"""A model that is handed over and taken back: equal answers of artifact and PyTorch, a card, and no changed byte."""

import json

import numpy as np
import pytest
import torch

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.study.hub import CARD, load_model, pull, push


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> us.Run:
    folder = tmp_path_factory.mktemp("hub")
    corpus = make_corpus(folder / "corpus")
    asked = {"student": ["weak"], "teacher": ["strong", "weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1}
    return us.distill(corpus, out=folder / "run", report=False, **asked)


@pytest.fixture(scope="module")
def pushed(run, tmp_path_factory):
    to = tmp_path_factory.mktemp("pushed") / "repository"
    assert push(run, to) == str(to)
    return to


def test_it_comes_back_with_the_same_answers(run, pushed, tmp_path):
    out = pull(pushed, tmp_path / "back")
    assert {path.name for path in out.iterdir()} == {"README.md", "artifact", "torch"}
    corpus = run.corpus()
    cells = {"weak": corpus.cells("weak", np.arange(8))}
    expected = run.artifact().predict_cells(cells).values
    np.testing.assert_array_equal(us.Artifact(out / "artifact").predict_cells(cells).values, expected)
    model, own = load_model(out), run.model()
    for name, value in own.state_dict().items():
        assert torch.equal(value.cpu(), model.state_dict()[name])
    assert not model.training


def test_the_card_says_where_it_comes_from(run, pushed):
    card = (pushed / CARD).read_text()
    _, front, rest = card.split("---\n", 2)
    entries = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert json.loads(entries["model-index"])[0]["results"][0]["metrics"][0]["type"] == run.results["metric"]["name"]
    for heading in ("## Trained with", "## Results", "## Data", "## Limits", "## Licence chain", "## Files"):
        assert heading in rest


def test_what_was_changed_or_is_none_is_refused(pushed, tmp_path):
    changed = pull(pushed, tmp_path / "changed")
    graph = changed / "artifact" / "student.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ValueError, match="was changed after export"):
        pull(changed, tmp_path / "again")
    weights = changed / "torch" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load_model(changed)
    with pytest.raises(FileNotFoundError, match="holds no artifact folder"):
        pull(tmp_path, tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no blueprint"):
        load_model(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"changed"}
    with pytest.raises(ValueError, match="exists already"):
        pull(pushed, changed)
