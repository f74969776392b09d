"""AMID as a run: five systems, scores and information in the log, a page that says how the teacher fared, and what is refused."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

import understudy as us
from study.small import SIZES, make_corpus
from study.test_retrieval_run import make_corpus as make_searches
from understudy.artifact.predict import Artifact
from understudy.cli import main
from understudy.corpus import Corpus
from understudy.evaluate.compare import System, compare
from understudy.evaluate.predictions import Predictions
from understudy.tasks import Classification
from understudy.training.plan import Plan

PLAN = Plan(epochs=3, batch_size=32, rate=1e-2)
SYSTEMS = {"teacher", "plain", "distilled", "joint_teacher", "auxiliary"}
ASKED = {"student": ["weak"], "teacher": ["strong", "weak"], "method": "amid", "split": "main", "plan": PLAN, "sizes": SIZES}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> us.Run:
    return us.distill(corpus, seeds=2, out=tmp_path_factory.mktemp("runs") / "run", **ASKED)


def log_of(run: us.Run, system: str = "distilled") -> list[dict]:
    return [json.loads(line) for line in (run.folder / system / "seed-0/log.jsonl").read_text().splitlines()]


def same(one: us.Run, other: us.Run, system: str, seed: int = 0) -> bool:
    ours, theirs = (each.model(system, seed=seed).state_dict() for each in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_five_systems_are_scored(run):
    found = run.results["systems"]
    assert set(found) == SYSTEMS
    assert found["auxiliary"]["modalities"] == ["strong"]
    assert run.model("auxiliary", seed=1).modalities == ("strong",)
    assert found["joint_teacher"]["parameters"] == found["teacher"]["parameters"]
    assert len(run.corpus().split("main").labelled) < len(run.corpus().split("main").train), "unlabelled rows take part"


def test_the_log_has_every_score_and_curve(run):
    for line in log_of(run):
        assert {"accuracy", "teacher.accuracy", "auxiliary.accuracy"} <= set(line["valid"])
        main_terms = {"supervised", "teacher", "auxiliary", "ts", "ta", "entropy"}
        others = {"entropy.bound", "ts.ceiling", "ta.ceiling"}
        assert set(line["terms"]) == main_terms | others
        assert line["loss"] == pytest.approx(sum(line["terms"][name] for name in main_terms)), "a figure is not in it"
    last = log_of(run)[-1]["terms"]
    assert 0 < -last["ts"] / 0.1 < last["ts.ceiling"], "teacher and student know something of each other"
    # Not 32: an epoch's 56 rows without a label are spread evenly over four batches, each with 16 labelled ones.
    assert last["ts.ceiling"] == last["ta.ceiling"] == pytest.approx(math.log(30))


def test_the_page_says_how_the_teacher_fared(run):
    page = run.report.read_text()
    assert "Did the teacher become weak?" in page
    assert "Auxiliary model" in page
    assert "lead" in page


def test_what_ships_is_the_student_alone(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run.folder, copy)
    for system in ("teacher", "joint_teacher", "auxiliary"):
        shutil.rmtree(copy / system)
    artifact = us.load(copy).export(tmp_path / "artifact")
    assert list(json.loads((artifact / "contract.json").read_text())["modalities"]) == ["weak"]
    assert list(run.model("distilled").state_dict()) == list(run.model("plain").state_dict())
    rows = run.corpus().cells("weak", run.split().test)
    shipped = Artifact(artifact)
    said = np.asarray(shipped.predict_cells({"weak": rows}).values)
    sure = shipped.contract.confidence
    assert sure is not None
    values = run.predictions("distilled")[run.seeds.index(run.ships)].values
    np.testing.assert_allclose(said, sure.calibrated(values), atol=1e-3)


def test_lost_players_come_back_bit_for_bit(corpus, run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run/results.json").unlink()
    for system in ("distilled", "joint_teacher", "auxiliary"):
        shutil.rmtree(tmp_path / "run" / system / "seed-1")
    made = us.distill(corpus, seeds=2, out=tmp_path / "run", report=False, **ASKED)
    assert all(same(made, run, system, 1) for system in ("distilled", "joint_teacher", "auxiliary"))


def test_all_weights_zero_is_the_plain_student_on_the_same_batches(corpus, tmp_path):
    split = corpus.split("main")
    every = type(split)("every", split.train, split.test, split.train, valid=split.valid)
    corpus.save_split(every)
    off = {"alpha": 0, "beta": 0, "gamma": 0}
    made = us.distill(corpus, seeds=1, out=tmp_path / "off", report=False, **ASKED | {"split": "every", "options": off})
    ours, plain = (made.model(system).state_dict() for system in ("distilled", "plain"))
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_trained_and_frozen_starts(corpus, tmp_path):
    asked = ASKED | {"plan": Plan(epochs=1, batch_size=32), "seeds": 1, "report": False}
    options = {"teacher_start": "trained", "auxiliary_frozen": True, "mi": "crd_bank"}
    trained = us.distill(corpus, out=tmp_path / "trained", **asked | {"options": options})
    assert set(trained.results["systems"]) == SYSTEMS
    assert set(log_of(trained, "auxiliary")[0]["terms"]) == {"supervised"}, "it was trained alone"
    assert "auxiliary" not in log_of(trained)[0]["terms"]
    started = trained.results["systems"]
    assert abs(started["joint_teacher"]["metrics"]["nll"]["mean"] - started["teacher"]["metrics"]["nll"]["mean"]) < 0.3
    frozen = us.distill(corpus, out=tmp_path / "frozen", **asked | {"options": {"teacher_start": "frozen"}})
    assert set(frozen.results["systems"]) == SYSTEMS - {"joint_teacher"}
    assert "teacher.accuracy" not in log_of(frozen)[0]["valid"]
    assert (frozen.folder / "teacher/seed-0/answers").is_dir()


def test_retrieval_branches_are_each_others_auxiliary_unless_the_teacher_reads_more(tmp_path):
    corpus = make_searches(tmp_path / "corpus")
    asked = {"student": ["picture", "speech"], "method": "amid", "plan": Plan(epochs=1, batch_size=64), "sizes": {"width": 8}}
    for teacher, reads in ((["picture", "speech"], ["picture", "speech"]), ([], ["caption"])):
        made = us.distill(corpus, teacher=teacher, seeds=1, out=tmp_path / f"run-{len(teacher)}", report=False, **asked)
        assert set(made.results["systems"]) == SYSTEMS
        assert made.results["systems"]["auxiliary"]["modalities"] == reads
        assert made.model("auxiliary", seed=0).branches == (("picture", "speech") if teacher else ())
        assert {"map", "teacher.map", "auxiliary.map"} <= set(log_of(made)[-1]["valid"])


def test_a_run_without_an_auxiliary_modality_is_refused_at_the_start(corpus, tmp_path, capsys):
    with pytest.raises(ValueError, match="only the teacher reads"):
        us.distill(corpus, out=tmp_path / "run", **ASKED | {"student": ["strong", "weak"]})
    assert not (tmp_path / "run").exists()
    command = [
        "distill",
        str(corpus.folder),
        "--method",
        "amid",
        "--split",
        "main",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "cli"),
    ]
    assert main([*command, "--student", "strong", "weak", "--teacher", "strong", "weak"]) == 2
    assert "only the teacher reads" in capsys.readouterr().err
    quick = ["--plan", "epochs=1", "--sizes", "width=8", "--options", "cond_entropy=gaussian", "gamma=0.1"]
    assert main([*command, "--student", "weak", *quick]) == 0
    assert main(["evaluate", str(tmp_path / "cli"), "--system", "auxiliary"]) == 0


def test_an_auxiliary_that_lacks_rows_decides_none(corpus):
    task = Classification(classes=("a", "b"))
    ids, target, every = np.array(["r0", "r1", "r2", "r3"]), np.array([0, 1, 0, 1]), np.ones(4, bool)

    def said(seen: np.ndarray) -> Predictions:
        return Predictions(ids, np.eye(2)[target], target, every, seen)

    blind = System(["y"], 1, [said(np.array([True, False, False, False]))])
    both = {name: System(["x"], 1, [said(every)]) for name in ("plain", "distilled")}
    settings = {"split": {}, "selection": "", "draws": 10}
    found = compare(task, both | {"auxiliary": blind}, **settings)
    assert found["coverage"] == 1.0
    assert found["rows"] == 4
    assert "auxiliary" in found["systems"]
    none = System(["y"], 1, [said(~every)])
    assert "auxiliary" not in compare(task, both | {"auxiliary": none}, **settings)["systems"]
