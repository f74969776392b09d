"""Retrieval from end to end: branches that never see each other, a fused teacher, absent sides, an artifact of two graphs."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import understudy as us
from understudy.artifact import Artifact, predict_file
from understudy.batches.every_row import every_row
from understudy.corpus import Corpus, Schema, check, make_split, write_corpus
from understudy.evaluate import score
from understudy.evaluate.advice import advise
from understudy.methods import KD, SelfDistillation, Supervised, VideoAdviser
from understudy.models.model import branches_of, views_of
from understudy.prepare.cells import Cells, Modality
from understudy.study.run import Run
from understudy.tasks import Classification, Retrieval, task_from_json
from understudy.teachers.teacher import Frozen
from understudy.training.plan import Plan

ROWS = 150
MODALITIES = {
    "picture": Modality("vector", width=6),
    "speech": Modality("sequence", width=4),
    "caption": Modality("vector", width=3),
}


def make_corpus(folder) -> Corpus:
    """Three classes that a caption nearly says, a picture and a speech (1 to 6 steps) a little; some rows lack one or both."""
    random = np.random.default_rng(0)
    classes = np.arange(ROWS) % 3
    centres = {name: random.normal(size=(3, modality.width)) for name, modality in MODALITIES.items()}
    here = {name: np.ones(ROWS, bool) for name in MODALITIES}
    here["picture"][::11], here["speech"][::13] = False, False

    def steps(row):
        return (centres["speech"][classes[row]] + random.normal(size=(random.integers(1, 7), 4))).astype(np.float32)

    cells = {
        name: Cells("vector", (noise * random.normal(size=(ROWS, 1)) + centres[name][classes]).astype(np.float32), here[name])
        for name, noise in (("picture", 1.0), ("caption", 0.2))
    }
    cells["speech"] = Cells("sequence", [steps(row) if here["speech"][row] else None for row in range(ROWS)], here["speech"])
    return write_corpus(
        folder,
        Schema(Retrieval(classes=("a", "b", "c")), MODALITIES),
        ids=[f"r{row}" for row in range(ROWS)],
        targets=[None if row % 17 == 5 else int(classes[row]) for row in range(ROWS)],
        cells={name: cells[name] for name in MODALITIES},
        splits=lambda corpus: [make_split(corpus, name="main", valid=0.2, test=0.3)],
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("retrieval")
    corpus = make_corpus(folder / "corpus")
    assert check(corpus).errors == []
    plan = Plan(epochs=4, batch_size=32, rate=5e-3)
    sizes = {"width": 16, "dropout": 0.1}
    return us.distill(corpus, student=["picture", "speech"], plan=plan, sizes=sizes, seeds=2, out=folder / "run")


def test_commands_on_a_run(run):
    from understudy.evaluate.compare import compare_runs
    from understudy.study.evaluation import evaluate_subsets

    found = evaluate_subsets(run, system="distilled", seed=None, split="")
    assert found.keys() == {"picture+speech"}
    first, second = compare_runs([run.folder, run.folder.parent / run.folder.name])
    assert first["means"].keys() == {"teacher", "plain", "distilled"}
    assert second["metric"]["name"] == "map"


def test_results_give_both_directions_and_the_mean(run):
    found = run.results
    assert found["task"]["branches"] == ["picture", "speech"]
    for system in found["systems"].values():
        each = {name: value["mean"] for name, value in system["metrics"].items()}
        assert each["map"] == pytest.approx((each["map_picture_to_speech"] + each["map_speech_to_picture"]) / 2)
        assert each["recall@1_picture_to_speech"] <= each["recall@10_picture_to_speech"]
        assert each["mean_rank_speech_to_picture"] >= 1
    assert found["metric"] == {"name": "map", "higher_is_better": True}
    page = run.report.read_text()
    assert "mAP, picture to speech" in page
    assert "upper bound, not a search" in page
    assert "Predicted against true" not in page
    assert json.loads((run.folder / "subsets.json").read_text())["plain"].keys() == {"picture+speech"}


def test_a_branch_sees_nothing_of_the_other(run):
    model = run.model()
    corpus, split = run.corpus(), run.split()
    assert model.branches == ("picture", "speech")
    assert run.model("teacher").branches == ()
    loader = every_row(corpus, split.test, views_of(model))
    whole = score.predict(model, loader)
    rows = corpus.present("picture")[split.test]
    np.testing.assert_array_equal(np.isfinite(whole.values[:, 0]).all(axis=1), rows)
    for name, batch in branches_of(model, next(loader.batches(0))):
        assert set(batch.inputs) == {name}
        assert (batch.seen_by(("picture", "speech")) == batch.present[name]).all()


def test_a_fused_teacher_stands_on_both_sides_of_the_rows_that_have_them(run):
    corpus, split = run.corpus(), run.split()
    model = run.model("teacher")
    found = score.predict(model, every_row(corpus, split.test, views_of(model)))
    both = corpus.present("picture")[split.test] & corpus.present("speech")[split.test]
    np.testing.assert_array_equal(found.values[both, 0], found.values[both, 1])
    assert np.isnan(found.values[~corpus.present("speech")[split.test], 1]).all()


def test_the_loss_of_branches_is_the_loss_of_each_over_its_rows(run):
    corpus, split = run.corpus(), run.split()
    student, teacher = run.model("plain"), Frozen(run.model("teacher"))
    batch = next(every_row(corpus, split.train, KD(student, teacher).views()).batches(0))
    alone = [student(batch.keep(name)) for name in student.branches]
    rows = [batch.labelled & output.valid for output in alone]
    losses = [
        torch.nn.functional.cross_entropy(output.logits[here], batch.target[here], reduction="sum")
        for output, here in zip(alone, rows, strict=True)
    ]
    total, count = Supervised(student).eval()(batch)["supervised"]
    assert total.item() == pytest.approx(sum(loss.item() for loss in losses), rel=1e-5)
    assert count.item() == sum(int(here.sum()) for here in rows)
    taught = KD(student, teacher, weight=0.25, feature=1.0).eval()(batch)
    assert taught["kd"].count.item() == sum(int(output.valid.sum()) for output in alone)
    assert taught["feature"].count.item() == taught["kd"].count.item()
    mean_teacher = SelfDistillation(student, weight=0.5).eval()(batch)
    assert mean_teacher["supervised"].total.item() == pytest.approx(0.5 * total.item(), rel=1e-5)
    assert mean_teacher["kd"].total.item() == pytest.approx(0, abs=1e-5)
    step2 = VideoAdviser(student, teacher, mode="two_phase", w2=0.0, w3=0.0).eval()(batch)["step2"]
    answer = KD(student, teacher, weight=1.0, temperature=1.0).eval()(batch)["kd"]
    assert step2.total.item() == pytest.approx(answer.total.item(), rel=1e-5)


def test_an_absent_branch_takes_no_gradient(run):
    corpus, split = run.corpus(), run.split()
    student = run.model("plain", seed=1)
    batch = next(every_row(corpus, split.train, views_of(student)).batches(0))
    nobody = {m: torch.zeros_like(here) if m == "speech" else here for m, here in batch.present.items()}
    lacking = type(batch)(batch.inputs, nobody, batch.target, batch.labelled, batch.id)
    Supervised(student)(lacking)["supervised"].total.backward()
    assert all(p.grad is None or not p.grad.any() for p in student.encoders["speech"].parameters())
    assert any(p.grad.any() for p in student.encoders["picture"].parameters())


@pytest.mark.parametrize("space", ["log_probabilities", "hidden"])
def test_other_spaces(run, space, tmp_path):
    plan = Plan(epochs=1, batch_size=64)
    found = us.distill(
        run.corpus(), student=["speech", "picture"], plan=plan, seeds=1, space=space, out=tmp_path / space, report=False
    )
    task = found.model().task
    assert isinstance(task, Retrieval)
    assert task.space == space
    assert task.branches == ("speech", "picture")
    assert found.predictions("plain")[0].values.shape[2] == (128 if space == "hidden" else 3)
    assert task_from_json(task.to_json()) == task


def test_what_cannot_be_searched_is_refused(run, tmp_path):
    corpus = run.corpus()
    with pytest.raises(ValueError, match="the student has only 'picture'"):
        us.distill(corpus, student=["picture"], out=tmp_path / "run")
    with pytest.raises(ValueError, match="two modalities or more"):
        Retrieval(classes=("a", "b"), branches=("picture", "picture"))
    with pytest.raises(ValueError, match="no mean"):
        us.distill(corpus, student=["picture", "speech"], space="hidden", ensemble="yes", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="no probe"):
        advise(corpus, ["picture"], split=corpus.split("main"))
    assert task_from_json(Classification(classes=("a", "b")).to_json()).discrete


@pytest.fixture(scope="module")
def artifact(run, tmp_path_factory):
    return run.export(tmp_path_factory.mktemp("shipped") / "artifact")


def test_the_artifact_embeds_each_branch_without_the_other(run, artifact):
    parity = json.loads((artifact / "parity.json").read_text())
    assert parity["metric"]["artifact"] == pytest.approx(parity["metric"]["model"], abs=1e-6)
    assert {path.name for path in artifact.glob("*.onnx")} == {"student-picture.onnx", "student-speech.onnx"}
    assert "each by itself" in (artifact / "card.md").read_text()
    corpus, split = run.corpus(), run.split()
    shipped, model = Artifact(artifact), run.model()
    cells = {m: corpus.cells(m, split.test) for m in shipped.modalities}
    found = shipped.predict_cells(cells)
    expected = score.predict(model, every_row(corpus, split.test, views_of(model))).values
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    alone = shipped.predict_cells({"speech": cells["speech"]})
    np.testing.assert_array_equal(alone.values[:, 1], found.values[:, 1])
    assert np.isnan(alone.values[:, 0]).all()
    np.testing.assert_array_equal(alone.seen, cells["speech"].present)


def test_predict_writes_lists_or_columns_of_the_branches_that_a_table_has(artifact, tmp_path):
    shipped = Artifact(artifact)
    pictures = [[1.0, 0, 0, 0, 0, 2], None, [0.5] * 6]
    pq.write_table(pa.table({"name": ["x", "y", "z"], "picture": pictures}), tmp_path / "in.parquet")
    done = predict_file(shipped, tmp_path / "in.parquet", tmp_path / "out.parquet", id="name")
    assert (done.rows, done.answered, done.modalities) == (3, 2, ("picture",))
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["name", "embedding_picture", "embedding_speech"]
    assert table["embedding_speech"].null_count == 3
    first, second, _ = table["embedding_picture"].to_pylist()
    assert second is None
    assert sum(first) == pytest.approx(0, abs=1e-6)
    predict_file(shipped, tmp_path / "in.parquet", tmp_path / "out.csv", id="name")
    lines = list(csv.reader((tmp_path / "out.csv").open()))
    assert lines[0] == ["name", *(f"embedding_{m}_{at}" for m in ("picture", "speech") for at in range(3))]
    assert [float(each) for each in lines[1][1:4]] == pytest.approx(first, abs=1e-6)
    assert lines[2][1:] == [""] * 6
    predict_file(shipped, tmp_path / "in.parquet", tmp_path / "out.jsonl", id="name")
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["embedding_picture"] is None


def test_a_page_and_rows_of_a_client(artifact):
    from understudy.serve.page import answer
    from understudy.serve.question import Question
    from understudy.serve.rows import predict_rows

    shipped = Artifact(artifact)
    assert "an embedding of picture and of speech" in answer(shipped.contract)
    found = predict_rows(shipped, Question([{"picture": [0, 1, 2, 3, 4, 5]}]))
    assert found["answered"] == 1
    assert len(found["predictions"][0]["embedding_picture"]) == 3
    assert found["predictions"][0]["embedding_speech"] is None
