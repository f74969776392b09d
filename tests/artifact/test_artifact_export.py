"""Export: proven by parity or not there at all, the same bytes each time, nothing of this machine inside."""

import json

import numpy as np
import onnx
import pytest
import torch
from made_students import make_corpus, student

from understudy.artifact import export as exporting
from understudy.artifact import graph as tracing
from understudy.artifact.card import write_card
from understudy.artifact.contract import read_contract
from understudy.artifact.export import export
from understudy.artifact.parity import ParityError
from understudy.tasks import Regression


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    corpus, split = make_corpus(folder / "corpus", Regression(mean=50.0, scale=20.0))
    return corpus, split, student(corpus, "numbers")


def test_parity_is_recorded(world):
    parity = json.loads((world.artifact / "parity.json").read_text())
    assert parity["rows"] == 30
    assert parity["answered"] == 29
    assert parity["scale"] == world.model.task.scale
    assert 0 <= parity["mean_difference"] <= parity["max_difference"] < 1e-5
    assert parity["metric"]["name"] == "mae"
    assert parity["metric"]["model"] == pytest.approx(parity["metric"]["artifact"], abs=1e-3)


def test_the_graph_has_free_axes_and_no_trace_of_this_machine(world):
    graph = onnx.load(world.artifact / "student.onnx")
    shapes = {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.graph.input}
    contract = read_contract(world.artifact)
    assert shapes == {i.name: list(i.axes) for i in contract.inputs}
    assert shapes["said.ids"] == ["batch", "said.steps"]
    assert shapes["sound.values"] == ["batch", "sound.steps", 40]
    assert "said.spans" not in shapes
    assert [o.name for o in graph.graph.output] == [contract.output] == ["prediction"]
    content = (world.artifact / "student.onnx").read_bytes()
    assert not any(trace in content for trace in (b"/home", b"site-packages", b".py", b"stack_trace"))
    assert {node.op_type for node in graph.graph.node} & {"GRU"}
    assert not {node.op_type for node in graph.graph.node} & {"Loop", "Scan"}


def test_one_modality_needs_no_presence(reader):
    assert [i.name for i in read_contract(reader.artifact).inputs] == ["said.ids", "said.mask"]


def test_export_is_silent_deterministic_and_leaves_the_model_alone(small, traced, tmp_path, capfd, recwarn):
    corpus, split, model = small
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folders = traced[0], export(model, tmp_path / "again", corpus=corpus, split=split, about={"name": "same"})
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["card.md", "checksums.json", "contract.json", "parity.json", "student.onnx"]
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.fixture(scope="module")
def traced(small, tmp_path_factory):
    """The honest graph and its inputs; tracing it again for each test would take a second."""
    corpus, split, model = small
    folder = export(model, tmp_path_factory.mktemp("traced") / "artifact", corpus=corpus, split=split, about={"name": "same"})
    return folder, read_contract(folder).inputs


def ship(monkeypatch, traced, change):
    """Let `export` write the honest graph with its first weights changed."""
    folder, inputs = traced

    def write(model, examples, path):
        graph = onnx.load(folder / "student.onnx")
        weights = next(w for w in graph.graph.initializer if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) == 2)
        weights.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(weights)), weights.name))
        onnx.save(graph, path)
        return inputs

    monkeypatch.setattr(exporting, "write_graph", write)


@pytest.mark.parametrize("change", [lambda w: w * np.float32(1.05), lambda w: w * np.float32(np.nan)], ids=["scaled", "nan"])
def test_a_sabotaged_graph_fails_and_leaves_nothing(small, traced, tmp_path, monkeypatch, change):
    corpus, split, model = small
    ship(monkeypatch, traced, change)
    with pytest.raises(ParityError, match=r"parity failed: .*test row 'row"):
        export(model, tmp_path / "artifact", corpus=corpus, split=split, about={})
    assert not list(tmp_path.iterdir())


def test_weights_beyond_one_file_ship_beside_the_graph(small, tmp_path, monkeypatch):
    corpus, split, model = small
    monkeypatch.setattr(tracing, "LARGEST_FILE", 0)
    folder = export(model, tmp_path / "artifact", corpus=corpus, split=split, about={})
    assert (folder / "student.onnx.data").stat().st_size > 4 * 5 * 16


def test_what_exists_is_never_replaced(small, tmp_path):
    corpus, split, model = small
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="exists already"):
        export(model, tmp_path / "there", corpus=corpus, split=split, about={})


def test_a_foreign_corpus_is_refused(small, tmp_path, monkeypatch):
    corpus, split, model = small
    monkeypatch.delitem(corpus.schema.modalities, "numbers")
    with pytest.raises(ValueError, match="the student reads numbers, which this corpus lacks"):
        export(model, tmp_path / "artifact", corpus=corpus, split=split, about={})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(small, traced, tmp_path, monkeypatch):
    corpus, split, model = small
    ship(monkeypatch, traced, lambda w: w)
    monkeypatch.setattr(exporting, "write_card", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        export(model, tmp_path / "artifact", corpus=corpus, split=split, about={})
    assert not list(tmp_path.iterdir())


def results_of(low: float | None, share: dict | None) -> dict:
    def system(mean):
        high = None if low is None else mean + 0.1
        metric = {"mean": mean, "std": None, "low": None if low is None else mean - low, "high": high, "seeds": [mean]}
        return {"modalities": ["said"], "parameters": 1234, "metrics": {"accuracy": metric}}

    return {
        "metric": {"name": "accuracy", "higher_is_better": True},
        "coverage": 0.975,
        "split": {"name": "half", "train": 30, "labelled": 20, "valid": 0, "test": 30},
        "selection": "none",
        "interval": "95 % t interval over seeds",
        "systems": {"plain": system(0.6), "distilled": system(0.7)},
        "comparison": {
            "difference": 0.1,
            "low": -0.02,
            "high": 0.2,
            "p": 0.12,
            "test": "sign flips",
            "verdict": "not distinguishable",
        },
        "recovered_share": share,
    }


def card_of(artifact, **about) -> str:
    parity = json.loads((artifact / "parity.json").read_text())
    corpus = {"licence": "CC0", "citation": "Somebody 2020"}
    return write_card(read_contract(artifact), parity, corpus=corpus, about=about, confidence={}, missing={})


def test_the_card_says_what_was_measured(reader):
    settings = {
        "recipe": "distill",
        "corpus_fingerprint": "f00",
        "arguments": {
            "corpus": "/home/somebody/corpus",
            "student": ["said"],
            "encoders": {"said": "small"},
            "teacher": ["said", "steps"],
            "teacher_encoders": {"said": "/home/somebody/minilm"},
            "sizes": {"width": 16},
            "method": "kd",
            "options": {"weight": 0.9},
            "plan": {"epochs": 7},
            "seeds": [0, 1],
        },
    }
    card = card_of(reader.artifact, results=results_of(0.1, {"value": 0.61, "low": 0.4, "high": 0.8}), run=settings)
    for said in (
        "| plain | said | 1,234 | 0.6 | 0.5 to 0.7 |",
        "**not distinguishable**",
        "recovered: 0.61, interval 0.4 to 0.8",
        "97.5%",
        "licence: CC0",
        "Somebody 2020",
        "20 labelled of 30 train rows",
        "low, middle",
        "method: kd (weight 0.9)",
        "teacher reads: said (minilm), steps",
        "student reads: said (small)",
        "sizes: width 16",
        "epochs 7",
    ):
        assert said in card
    assert "/home" not in card
    assert "nothing is claimed" in (reader.artifact / "card.md").read_text()


def test_the_card_of_one_seed_claims_no_interval(reader):
    card = card_of(reader.artifact, results=results_of(None, None))
    assert "| plain | said | 1,234 | 0.6 | one seed |" in card
    assert "not shown to be better" in card


def test_an_accuracy_on_the_card_is_at_least_0(reader):
    """A t interval of few seeds may go beyond what a share can be."""
    assert "| plain | said | 1,234 | 0.6 | 0 to 0.7 |" in card_of(reader.artifact, results=results_of(0.9, None))


def test_numbers_in_the_contract_are_those_of_training(world):
    task = read_contract(world.artifact).task
    assert (task["mean"], task["scale"], task["unit"]) == (50.0, 40.0, "points")
    assert np.isclose(task["scale"], world.model.task.scale)
