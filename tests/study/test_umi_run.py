"""UMI from end to end: views that never met in training, a run, and what ships of it."""

import json

import numpy as np
import onnx
import pytest

import understudy as us
from understudy.artifact.confidence import tempered
from understudy.artifact.predict import Artifact
from understudy.batches.every_row import every_row
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.corpus.combinations import unseen_combinations
from understudy.evaluate import score
from understudy.models.model import views_of
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification
from understudy.training.plan import Plan

ASKED = {
    "student": us.Player(["a", "b", "c"], fusion="slots", encoders=dict.fromkeys("abc", "mlp")),
    "teacher": us.Player(["a", "b", "c"], fusion="late"),
    "method": "umi",
    "plan": Plan(epochs=2, batch_size=32, rate=5e-3),
    "sizes": {"width": 8, "depth": 1, "slots": 4},
    "seeds": 1,
    "report": False,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Rows of a+b and of c to learn from, rows of a+c and b+c to be told."""
    folder, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    classes, here = np.arange(120) % 3, np.ones(120, bool)
    seen = {m: (np.eye(3)[classes] + draw.normal(size=(120, 3)) / 2).astype(np.float32) for m in "abc"}
    whole = write_corpus(
        folder / "whole",
        Schema(Classification(classes=("x", "y", "z")), {m: Modality("vector", width=3) for m in "abc"}),
        ids=[f"r{row}" for row in range(120)],
        targets=classes,
        cells={m: Cells("vector", values, here) for m, values in seen.items()},
    )
    split = whole.save_split(make_split(whole, name="main", valid=0.2, test=0.3))
    return unseen_combinations(whole, folder / "pairs", split=split, train=("ab", "c"), test=("ac", "bc"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, out=tmp_path_factory.mktemp("runs") / "run", **ASKED)


def test_a_run_has_its_three_systems_and_its_terms(run):
    assert set(run.results["systems"]) == {"teacher", "plain", "distilled"}
    line = json.loads((run.folder / "distilled" / "seed-0" / "log.jsonl").read_text().splitlines()[-1])
    assert set(line["terms"]) == {"supervised", "pseudo", "align"}


def test_what_ships_has_nothing_of_the_method_and_answers_any_subset(run, corpus, tmp_path):
    folder, model = run.export(tmp_path / "artifact", system="distilled"), run.model("distilled").eval()
    held = {each.name: tuple(each.dims) for each in onnx.load(folder / "student.onnx").graph.initializer}
    own = {name.removeprefix("model."): shape for name, shape in held.items() if name.startswith("model.")}
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert len(own) > 15
    assert own.items() <= shapes.items()
    others = [shape for name, shape in held.items() if not name.startswith("model.") and np.prod(shape) > 8]
    assert (3, 8) not in others, "the tokens of the common space stay behind"
    artifact, rows = Artifact(folder), corpus.split("main").test
    for kept in ("a", "bc", "abc"):
        said = artifact.predict_cells({m: corpus.cells(m, rows) for m in kept})
        expected = score.predict(model, every_row(corpus, rows, {m: by for m, by in views_of(model).items() if m in kept}))
        assert np.array_equal(said.seen, expected.seen)
        told = tempered(expected.values, json.loads((folder / "calibration.json").read_text())["temperature"])
        np.testing.assert_allclose(said.values[said.seen], told[said.seen], atol=1e-5)
