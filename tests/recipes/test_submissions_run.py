"""VCR and VQA through a whole run: its accuracy is the official one, Q->AR is joined, files are handed in whole."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import understudy as us
from corpus.made_vision_language import make_vcr, make_vqa
from understudy.cli import main
from understudy.corpus.importers.vcr import import_vcr
from understudy.corpus.importers.vqa import import_vqa
from understudy.evaluate.submissions import read_vcr
from understudy.training.plan import Plan

ASKED = {
    "student": ["text"],
    "split": "given",
    "plan": Plan(epochs=1, batch_size=32, rate=1e-2),
    "sizes": {"width": 8, "dropout": 0.0},
    "report": False,
}


def said(capsys, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("submissions")
    make_vcr(home / "vcr")
    folders = (home / "vcr" / "annotations", home / "vcr" / "images")
    corpus = import_vcr(*folders, home / "vcr-corpus", test=True)
    us.distill(corpus, out=home / "vcr-run", teacher=["text", "regions"], seeds=2, **ASKED)
    make_vqa(home / "vqa")
    corpus = import_vqa(home / "vqa", home / "vqa" / "images", home / "vqa-corpus", test=True)
    us.distill(corpus, out=home / "vqa-run", teacher=["text", "image"], seeds=1, **ASKED)
    return home


def test_the_accuracy_of_a_run_is_the_official_one(home, capsys, tmp_path):
    found = us.load(home / "vqa-run").results["systems"]
    annotations = home / "vqa" / "v2_mscoco_val2014_annotations.json"
    for system in ("teacher", "plain", "distilled"):
        made = said(
            capsys, "protocol", "submit-vqa", home / "vqa-run", "--out", tmp_path / system, "--system", system, "--labelled"
        )
        assert made["questions"] == 24
        official = said(capsys, "protocol", "score-vqa", tmp_path / system, annotations)["accuracy"]
        assert official["overall"]["overall"] == pytest.approx(100 * found[system]["metrics"]["accuracy"]["mean"], abs=0.006)
        assert set(official["answer_type"]) == {"yes/no", "number", "other"}


def test_vqa_questions_without_answers_are_handed_in(home, capsys, tmp_path):
    assert said(capsys, "protocol", "submit-vqa", home / "vqa-run", "--out", tmp_path / "r.json")["questions"] == 8
    found = json.loads((tmp_path / "r.json").read_text())
    assert [set(each) for each in found] == [{"question_id", "answer"}] * 8
    assert {each["question_id"] for each in found} == {900_000 + 1000 * image + each for image in range(2) for each in range(4)}
    assert "VCR's file needs" in refused(capsys, "protocol", "submit-vcr", home / "vqa-run", "--out", tmp_path / "x.csv")


def test_q_ar_of_a_run(home, capsys):
    found = said(capsys, "protocol", "q-ar", home / "vcr-run")
    assert found["examples"] == 8
    assert set(found["systems"]) == {"teacher", "plain", "distilled"}
    run = us.load(home / "vcr-run")
    for seed, each in enumerate(run.predictions("plain")):
        right = dict(zip(each.id.tolist(), (each.values.argmax(axis=1) == each.target).tolist(), strict=True))
        both = [right[f"val-{number}/answer"] and right[f"val-{number}/rationale"] for number in range(8)]
        assert found["systems"]["plain"]["q_ar"]["seeds"][seed] == pytest.approx(np.mean(both))
    stages = [found["systems"]["distilled"][name]["mean"] for name in ("q_a", "qa_r")]
    assert np.mean(stages) == pytest.approx(run.results["systems"]["distilled"]["metrics"]["accuracy"]["mean"])
    assert found["comparison"]["verdict"] in ("better", "worse", "not distinguishable")
    assert json.loads((home / "vcr-run" / "stages.json").read_text())["examples"] == 8
    shifted = said(capsys, "protocol", "q-ar", home / "vcr-run", "--split", "rule-singular")
    assert (shifted["split"], shifted["examples"]) == ("rule-singular", 8)
    assert (home / "vcr-run" / "transfer" / "rule-singular-stages.json").is_file()
    assert "only a VCR corpus" in refused(capsys, "protocol", "q-ar", home / "vqa-run")


def test_vcr_test_rows_are_handed_in(home, capsys, tmp_path):
    assert said(capsys, "protocol", "submit-vcr", home / "vcr-run", "--out", tmp_path / "r.csv")["annotations"] == 4
    found = read_vcr(tmp_path / "r.csv")
    assert list(found) == [f"test-{number}" for number in range(4)]
    np.testing.assert_allclose(np.stack(list(found.values())).sum(axis=2), 1, atol=1e-5)
    assert "VQA's file needs" in refused(capsys, "protocol", "submit-vqa", home / "vcr-run", "--out", tmp_path / "x.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv"]


def test_the_command_line_scores_and_imports(home, capsys, tmp_path):
    rules = said(capsys, "protocol", "rule-sets", home / "vcr" / "annotations" / "val.jsonl", "--out", tmp_path / "rules")
    assert rules["rows"] == {"rule-singular": 8, "rule-plural": 0}
    folders = (home / "vcr" / "annotations", home / "vcr" / "images")
    shifted = ["--shifted", f"again={tmp_path / 'rules' / 'val_rule_singular.jsonl'}"]
    found = said(capsys, "import", "vcr", *folders, "--out", tmp_path / "c", *shifted)
    assert found["splits"] == ["again", "given", "rule-singular"]
    assert "no folder" in refused(capsys, "import", "vqa", home / "vqa", tmp_path / "none", "--out", tmp_path / "d")
