"""VideoAdviser as a run: both modes, a teacher reported twice, an ablation over both, joined seeds, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import understudy as us
from understudy.artifact.predict import Artifact
from understudy.cli import main
from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.prepare.cells import Cells, Modality
from understudy.recipes.videoadviser import ablation, join_ablations, table_lines
from understudy.study.join import join
from understudy.tasks import Classification, Regression
from understudy.training.plan import Plan

PLAN = Plan(epochs=2, batch_size=32, rate=5e-3)
SIZES = {"width": 16}


def make_corpus(folder: Path, *, classes: bool = False, rows: int = 120) -> Corpus:
    """A clip of four steps says the target nearly, a vector a little; 40 of 60 train rows are labelled."""
    random = np.random.default_rng(3)
    latent = np.clip(random.normal(size=rows), -2.9, 2.9)
    clip = [np.stack([np.full(4, z), random.normal(size=4)], axis=1).astype(np.float32) for z in latent]
    word = (latent[:, None] + random.normal(size=(rows, 3))).astype(np.float32)
    here = np.ones(rows, bool)
    task = Classification(classes=("low", "high")) if classes else Regression(low=-3.0, high=3.0, sentiment=True)
    corpus = write_corpus(
        folder,
        Schema(task, {"clip": Modality("sequence", width=2), "word": Modality("vector", width=3)}),
        ids=[f"r{row}" for row in range(rows)],
        targets=(latent > 0).astype(np.int64) if classes else latent,
        cells={"clip": Cells("sequence", clip, here), "word": Cells("vector", word, here)},
    )
    corpus.save_split(make_split(corpus, name="full", valid=0.2, test=0.3))
    corpus.save_split(make_split(corpus, name="few", valid=0.2, test=0.3, labelled=40))
    return corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


ASKED = {"student": ["word"], "teacher": ["clip"], "split": "full", "plan": PLAN, "sizes": SIZES}


def again(corpus: Corpus, out: Path, **changes) -> us.Run:
    asked = ASKED | {"method": "videoadviser", "teacher_head": {"classes": 3}, "seeds": 1, "report": False}
    return us.distill(corpus, out=out, **(asked | changes))


@pytest.fixture(scope="module")
def joint(corpus, tmp_path_factory) -> us.Run:
    return again(corpus, tmp_path_factory.mktemp("runs") / "joint", report=True, seeds=2, split="few")


@pytest.fixture(scope="module")
def two_phase(corpus, tmp_path_factory) -> us.Run:
    return again(corpus, tmp_path_factory.mktemp("runs") / "two", options={"mode": "two_phase"})


def weights(run: us.Run, system: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return run.model(system, seed=seed).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_joint_mode_reports_the_teacher_alone_and_the_one_that_trained_along(joint):
    found = joint.results["systems"]
    assert set(found) == {"teacher", "plain", "distilled", "joint_teacher"}
    assert found["joint_teacher"]["parameters"] == found["teacher"]["parameters"]
    assert len(joint.predictions("joint_teacher")) == 2
    assert not same(weights(joint, "joint_teacher"), weights(joint, "teacher"))
    assert "Teacher trained along" in joint.report.read_text()
    log = json.loads((joint.folder / "distilled/seed-0/log.jsonl").read_text().splitlines()[0])
    assert set(log["terms"]) == {"supervised", "teacher", "classes", "step1", "calibration", "step2"}
    alone = json.loads((joint.folder / "teacher/seed-0/log.jsonl").read_text().splitlines()[0])
    assert set(alone["terms"]) == {"teacher", "classes", "step1", "calibration"}
    assert joint.results["comparison"]["aso"] is None, "two seeds are too few for almost stochastic order"
    assert not (joint.folder / "teacher/seed-0/answers").exists(), "a teacher that trains along is asked, not stored"


@pytest.mark.parametrize("lost", [("distilled", "joint_teacher"), ("joint_teacher",)])
def test_a_lost_student_and_its_teacher_come_back_bit_for_bit(corpus, joint, tmp_path, lost):
    shutil.copytree(joint.folder, tmp_path / "run")
    (tmp_path / "run/results.json").unlink()
    for system in lost:
        (tmp_path / "run" / system / "seed-1/model.safetensors").unlink()
    made = again(corpus, tmp_path / "run", seeds=2, split="few")
    for system in lost:
        assert same(weights(made, system, 1), weights(joint, system, 1))


def test_what_ships_is_the_student_alone(joint, tmp_path):
    assert same_names(weights(joint, "distilled"), weights(joint, "plain"))
    run = tmp_path / "run"
    shutil.copytree(joint.folder, run)
    for system in ("teacher", "joint_teacher"):
        shutil.rmtree(run / system)
    artifact = us.load(run).export(tmp_path / "artifact")
    contract = json.loads((artifact / "contract.json").read_text())
    assert list(contract["modalities"]) == ["word"]
    test = joint.predictions("distilled")[joint.seeds.index(joint.ships)]
    corpus = joint.corpus()
    rows = corpus.cells("word", joint.split().test)
    said = Artifact(artifact).predict_cells({"word": rows})
    np.testing.assert_allclose(np.asarray(said.values).ravel(), test.values.ravel(), atol=1e-4)


def same_names(one: dict, other: dict) -> bool:
    return list(one) == list(other)


def test_two_phases_leave_the_teacher_as_it_was(two_phase):
    assert set(two_phase.results["systems"]) == {"teacher", "plain", "distilled"}
    assert (two_phase.folder / "teacher/seed-0/answers").is_dir()
    log = json.loads((two_phase.folder / "distilled/seed-0/log.jsonl").read_text().splitlines()[0])
    assert set(log["terms"]) == {"supervised", "step2"}


@pytest.mark.parametrize("mode", ["joint", "two_phase"])
def test_all_weights_zero_is_the_plain_control_bit_for_bit(corpus, two_phase, tmp_path, mode):
    nothing = {"w1": 0, "w2": 0, "w3": 0, "w4": 0, "mode": mode}
    made = again(corpus, tmp_path / "run", options=nothing)
    assert same(weights(made, "distilled"), weights(made, "plain"))
    assert same(weights(made, "plain"), weights(two_phase, "plain"))


def test_teachers_and_plain_students_are_taken_from_a_run_of_the_same_step_1(corpus, two_phase, tmp_path):
    taken = {"teachers_of": two_phase.folder, "plain_of": two_phase.folder}
    made = again(corpus, tmp_path / "run", options={"w4": 0.5}, **taken)
    for system in ("teacher", "plain"):
        assert same(weights(made, system), weights(two_phase, system))
        files = [run.folder / system / "seed-0/model.safetensors" for run in (made, two_phase)]
        assert files[0].samefile(files[1])
    with pytest.raises(ValueError, match=r"trained otherwise.*'w3': 1.0.*not.*'w3': 0.0"):
        again(corpus, tmp_path / "other", options={"w3": 0}, teachers_of=two_phase.folder)
    with pytest.raises(ValueError, match=r"plain students of .* with another plan"):
        again(corpus, tmp_path / "other", plan={"epochs": 1}, plain_of=two_phase.folder)
    with pytest.raises(ValueError, match="another teacher_head"):
        again(corpus, tmp_path / "other", teacher_head={"classes": 2}, teachers_of=two_phase.folder)


def test_an_ablation_trains_each_thing_once_and_joins_over_seeds(corpus, tmp_path):
    heads = {"2": {"classes": 2}}
    whole = ablation(corpus, heads=heads, seeds=2, out=tmp_path / "whole", **ASKED)
    assert [row["cell"] for row in whole["rows"]] == [
        "no distillation",
        "step 2, 2 classes, two_phase",
        "step 2, 2 classes, joint",
        "steps 1+2, 2 classes, two_phase",
        "steps 1+2, 2 classes, joint",
    ]
    assert all({"p_holm", "verdict_holm", "aso"} <= set(row["comparison"]) for row in whole["rows"][1:])
    assert {len(line) for line in table_lines(whole)} == {8}
    score = {row["cell"]: row["score"]["mean"] for row in whole["rows"]}
    for each in whole["step_1"]:
        cell = f"{each['head']} classes, {each['mode']}"
        gain = score[f"step 2, {cell}"] - score[f"steps 1+2, {cell}"]
        assert each["comparison"]["difference"] == pytest.approx(gain)
    plain = {path.stat().st_ino for path in tmp_path.glob("whole/*/plain/seed-0/model.safetensors")}
    teachers = {path.stat().st_ino for path in tmp_path.glob("whole/*/teacher/seed-0/model.safetensors")}
    assert (len(plain), len(teachers)) == (1, 2)
    parts = [tmp_path / f"part-{seed}" for seed in range(2)]
    for seed, part in enumerate(parts):
        ablation(corpus, heads=heads, seeds=[seed], out=part, **ASKED)
    joined = join_ablations(parts, heads=list(heads), out=tmp_path / "joined")
    assert joined["rows"] == whole["rows"]
    assert joined["step_1"] == whole["step_1"]
    assert json.loads((tmp_path / "joined/ablation.json").read_text()) == joined
    (parts[1] / "joint-2-step2/results.json").rename(tmp_path / "kept.json")
    fewer = join_ablations(parts, heads=list(heads), out=tmp_path / "joined")
    assert [row["seeds"] for row in fewer["rows"]] == [2, 2, 1, 2, 2]
    assert [each["mode"] for each in fewer["step_1"]] == ["two_phase"]
    (tmp_path / "kept.json").rename(parts[1] / "joint-2-step2/results.json")
    assert join_ablations(parts, heads=list(heads), out=tmp_path / "joined") == joined
    run = us.load(tmp_path / "joined/joint-2-step2")
    assert run.seeds == [0, 1]
    assert same(weights(run, "joint_teacher", 1), weights(us.load(tmp_path / "whole/joint-2-step2"), "joint_teacher", 1))
    with pytest.raises(ValueError, match="share seeds"):
        join([run.folder, run.folder], tmp_path / "twice")
    with pytest.raises(ValueError, match="differ in options"):
        join([parts[0] / "joint-2-step2", parts[1] / "joint-2-steps1+2"], tmp_path / "mixed")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher_head": {}}, "needs a teacher head with class prompts"),
        ({"teacher_head": {"classes": 7, "prompts": ["bad", "good"], "text_encoder": "x"}}, "2 prompts for 7 classes"),
        ({"teacher_head": {"classes": 3, "anchors": [-1.0, 1.0]}}, "2 anchors for 3 classes"),
        ({"teacher_head": {"classes": 2, "anchors": [3.0, -3.0]}}, "finite and ascend"),
        ({"teacher": ["clip", "word"], "teacher_head": {"tokens_of": "word"}}, "'word', a vector, whose encoder gives no tokens"),
        ({"teacher": ["word"]}, "class prompts need tokens"),
        ({"teacher_head": {"classes": "many"}}, "classes is 'many'; expected a whole number"),
        ({"ensemble": "yes"}, "trains the teacher beside the student"),
        ({"options": {"mode": "both"}}, "mode is 'both'"),
    ],
)
def test_what_cannot_be_leaves_nothing(corpus, tmp_path, changes, message):
    with pytest.raises((ValueError, KeyError), match=message):
        again(corpus, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_classes_have_step_2_alone(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", classes=True)
    with pytest.raises(ValueError, match="a number as target, not classification"):
        again(corpus, tmp_path / "run", teacher_head={})
    made = again(corpus, tmp_path / "run", teacher_head={}, options={"w2": 0, "w3": 0})
    assert "joint_teacher" in made.results["systems"]


def test_from_the_command_line(corpus, tmp_path, capsys):
    said = ["--student", "word", "--teacher", "clip", "--split", "full", "--plan", "epochs=1", "--sizes", "width=16"]
    asked = ["--method", "videoadviser", "--options", "mode=two_phase", "w3=0.5", "--teacher-head", "classes=3", "--seeds", "1"]
    assert main(["distill", str(corpus.folder), *said, *asked, "--out", str(tmp_path / "run")]) == 0
    settings = us.load(tmp_path / "run").settings["arguments"]
    assert {name: settings["options"][name] for name in ("mode", "w2", "w3")} == {"mode": "two_phase", "w2": 1.0, "w3": 0.5}
    assert settings["teacher_head"]["classes"] == 3
    assert main(["distill", str(corpus.folder), *said, "--method", "videoadviser", "--out", str(tmp_path / "x")]) == 2
    assert "step 1" in capsys.readouterr().err
