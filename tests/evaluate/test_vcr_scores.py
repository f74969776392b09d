"""VCR's and SNLI-VE's metrics, and the files that are handed in."""

import json

import numpy as np
import pytest

from corpus.made_vision_language import lines, snli_row, vcr_row, vqa_entry, write_vqa
from understudy.evaluate import submissions
from understudy.evaluate.entailment import LABELS, entailment_scores
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.submissions import COLUMNS, read_vcr, score_entailment, score_vcr, score_vqa, write_vcr
from understudy.evaluate.vcr import Stages, by_stage, stages_of, stages_of_scores


def said(ids: list[str], right: list[bool], **changes) -> Predictions:
    """Predictions whose argmax is right where asked."""
    target = np.arange(len(ids)) % 4
    values = np.eye(4)[np.where(right, target, (target + 1) % 4)]
    fields = {"id": np.array(ids), "values": values, "target": target, "group": None}
    fields |= {"has_target": np.ones(len(ids), bool), "seen": np.ones(len(ids), bool)}
    return Predictions(**fields | changes)


def test_q_ar_is_no_product():
    answer, rationale = np.array([1, 1, 0, 0], bool), np.array([1, 1, 0, 0], bool)
    assert Stages(answer, rationale).metrics() == {"q_a": 0.5, "qa_r": 0.5, "q_ar": 0.5}
    assert Stages(answer, ~rationale).metrics() == {"q_a": 0.5, "qa_r": 0.5, "q_ar": 0.0}
    assert set(Stages(answer | True, rationale | True).metrics().values()) == {1.0}


def test_chance():
    random = np.random.default_rng(0)
    scores, labels = random.random((2, 40_000, 4)), random.integers(0, 4, (2, 40_000))
    found = stages_of_scores(*scores, *labels).metrics()
    assert found == pytest.approx({"q_a": 0.25, "qa_r": 0.25, "q_ar": 0.0625}, abs=0.01)
    with pytest.raises(ValueError, match="answers of shape"):
        stages_of_scores(scores[0][:, :3], scores[1], *labels)


def test_stages_are_joined_by_annotation():
    ids = [
        "val-1/rationale",
        "val-0/answer",
        "val-1/answer",
        "val-0/rationale",
        "val-0/answer/rule-singular",
        "val-0/rationale/rule-singular",
    ]
    found = stages_of(said(ids, [True, True, False, False, True, True], group=np.array(["b", "a", "b", "a", "a", "a"])))
    assert found.metrics() == pytest.approx({"q_a": 2 / 3, "qa_r": 2 / 3, "q_ar": 1 / 3})
    assert found.group is not None
    assert found.group.tolist() == ["a", "b", "a"]
    unseen = np.array([True] * 4 + [False] * 2)
    assert stages_of(said(ids, [True] * 6, seen=unseen)).metrics()["q_ar"] == 1
    assert len(stages_of(said(ids, [True] * 6, seen=unseen)).answer) == 2


@pytest.mark.parametrize(
    ("ids", "fault"),
    [
        (["val-0/answer"], "'val-0' has its answer row alone"),
        (["val-0/answer", "val-0/answer"], "stands twice"),
        (["cat", "dog"], "row 'cat' is none of a VCR corpus"),
        ([], "0 answers and 0 rationales"),
    ],
)
def test_stages_refuse(ids, fault):
    with pytest.raises(ValueError, match=fault):
        stages_of(said(ids, [True] * len(ids)))


def test_test_rows_have_five_stages():
    ids = ["test-0/answer", *(f"test-0/rationale-{answer}" for answer in range(4))]
    found = {stage: rows for stage, rows in by_stage(ids).items() if rows}
    assert found == {each.partition("/")[2]: {"test-0": place} for place, each in enumerate(ids)}


def test_vcr_file(tmp_path):
    rows = [vcr_row("val", number) for number in range(4)]
    lines(tmp_path / "val.jsonl", rows)
    scores = {}
    for number, row in enumerate(rows):
        each = np.full((5, 4), 0.1)
        each[0, row["answer_label"]] = 0.7
        each[1:, 3 - row["rationale_label"]] = 0.7  # wrong after a wrong answer
        each[1 + row["answer_label"]] = 0.1
        each[1 + row["answer_label"], row["rationale_label"] if number else (row["rationale_label"] + 1) % 4] = 0.7
        scores[row["annot_id"]] = each
    write_vcr(tmp_path / "out.csv", scores)
    content = (tmp_path / "out.csv").read_text().splitlines()
    assert content[0].split(",") == list(COLUMNS)
    assert content[0].startswith("annot_id,answer_0,answer_1,answer_2,answer_3,rationale_conditioned_on_a0_0,")
    assert content[0].endswith(",rationale_conditioned_on_a3_3")
    assert len(COLUMNS) == 21
    np.testing.assert_allclose(read_vcr(tmp_path / "out.csv")["val-2"], scores["val-2"], atol=1e-6)
    assert score_vcr(tmp_path / "out.csv", tmp_path / "val.jsonl") == {"q_a": 1, "qa_r": 0.75, "q_ar": 0.75, "examples": 4}


@pytest.mark.parametrize("bad", [np.full((5, 4), 0.3), np.full((4, 4), 0.25), np.full((5, 4), np.nan)])
def test_vcr_file_is_whole_or_not_there(tmp_path, bad):
    with pytest.raises(ValueError, match="annotation 'val-1'"):
        write_vcr(tmp_path / "out.csv", {"val-0": np.full((5, 4), 0.25), "val-1": bad})
    with pytest.raises(ValueError, match="no annotations"):
        write_vcr(tmp_path / "out.csv", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace("answer_1", "answer_9", 1), "expected the columns"),
        (lambda text: text.replace("val-1,", "val-0,"), "line 3: annot_id 'val-0' stands twice"),
        (lambda text: text.replace("0.250000", "much", 1), "line 2: 21 cells; expected an annot_id and 20 numbers"),
        (lambda text: text.replace("0.250000", "nan", 1), "line 2: a score is not finite"),
        (lambda text: text + "val-7,0.25\n", "line 4: 2 cells"),
        (lambda text: text.replace("val-1,", "val-9,"), "1 ids are missing and 1 unknown; the first that lacks 'val-1'"),
    ],
)
def test_vcr_file_refused(tmp_path, change, fault):
    lines(tmp_path / "val.jsonl", [vcr_row("val", number) for number in range(2)])
    write_vcr(tmp_path / "out.csv", {f"val-{number}": np.full((5, 4), 0.25) for number in range(2)})
    (tmp_path / "out.csv").write_text(change((tmp_path / "out.csv").read_text()))
    with pytest.raises(ValueError, match=fault):
        score_vcr(tmp_path / "out.csv", tmp_path / "val.jsonl")


def test_vqa_file(tmp_path):
    entries = [vqa_entry(number, image=1) for number in range(4)]
    write_vqa(tmp_path / "q.json", tmp_path / "a.json", entries)
    write_vqa(tmp_path / "q.json", tmp_path / "bare.json", entries, envelope=False)
    answers = {0: "Yes!", 1: "don't know", 2: "two", 3: "blue"}
    submissions.write_vqa(tmp_path / "r.json", answers)
    found = score_vqa(tmp_path / "r.json", tmp_path / "a.json")
    assert found == score_vqa(tmp_path / "r.json", tmp_path / "bare.json")
    assert found["overall"] == {"overall": 57.5}
    assert found["answer_type"] == {"yes/no": 65.0, "number": 100.0, "other": 0.0}
    assert json.loads((tmp_path / "r.json").read_text())[0] == {"question_id": 0, "answer": "Yes!"}
    for changed in ({**answers, 9: "x"}, {0: "x"}):
        submissions.write_vqa(tmp_path / "r.json", changed)
        with pytest.raises(ValueError, match="ids are missing"):
            score_vqa(tmp_path / "r.json", tmp_path / "a.json")
    with pytest.raises(ValueError, match="no questions"):
        submissions.write_vqa(tmp_path / "no.json", {})
    assert not (tmp_path / "no.json").exists()


def test_entailment(tmp_path):
    labels = ["entailment", "neutral", "contradiction", "neutral"]
    found = entailment_scores(["entailment", "neutral", "neutral", "contradiction"], labels)
    assert found == {"accuracy": 0.5, "entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}
    assert set(entailment_scores(["neutral"], ["neutral"])) == {"accuracy", "neutral"}
    with pytest.raises(ValueError, match="'maybe' is no class"):
        entailment_scores(["maybe"], ["neutral"])
    rows = [snli_row(7, number) for number in range(3)]
    lines(tmp_path / "dev.jsonl", rows)
    lines(tmp_path / "said.jsonl", [{"pairID": row["pairID"], "label": LABELS[0]} for row in reversed(rows)])
    found = score_entailment(tmp_path / "said.jsonl", tmp_path / "dev.jsonl")
    assert found == pytest.approx({"accuracy": 1 / 3, "entailment": 1, "neutral": 0, "contradiction": 0, "rows": 3})
    lines(tmp_path / "said.jsonl", [{"pairID": rows[0]["pairID"], "label": "yes"}])
    with pytest.raises(ValueError, match=r"said.jsonl, line 1: label 'yes' is none of"):
        score_entailment(tmp_path / "said.jsonl", tmp_path / "dev.jsonl")
