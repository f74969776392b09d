"""VCR's annotations: tokens, objects in use, and the rule sets against the published rules."""

import json

import pytest

from corpus.made_vision_language import OBJECTS, lines, vcr_row
from understudy.corpus.importers.vcr_annotations import mentioned, read_annotations, text_of
from understudy.corpus.importers.vcr_rules import rule_plural, rule_singular, write_rule_sets


def test_tokens_are_said_from_zero():
    assert text_of(["Does", [2], "hold", [0, 1], "?"], ["person", "person", "car"]) == "Does car hold Casey Riley ?"
    assert text_of([[10], [15]], ["person"] * 16) == "Peyton Casey"
    assert text_of([[6]], ["person"] * 7) == "Peyton"


def test_masked_and_unknown_references():
    tokens = ["[MASK]", [10002], "sees", [1, 7]]
    assert text_of(tokens, ["person", "car"]) == "[MASK] [MASK] sees car"
    assert mentioned([tokens], ["person", "car"]) == [1]


def test_objects_in_use():
    assert mentioned([["What", [2]], [[0], "waits"]], OBJECTS) == [0, 2]
    assert mentioned([["Where", "is", "Everyone", "?"], [[2]]], OBJECTS) == [0, 1, 2, 3]
    assert mentioned([["Why", "?"], ["Because"]], OBJECTS) == [0, 1, 3]
    assert mentioned([["Why", "?"], [[10002]]], OBJECTS) == [0, 1, 3]
    assert mentioned([["Why", "?"]], ["car"]) == []


def row(question, answers, label=0, rationales=None):
    rest = {"answer_label": label, "rationale_label": label, "rationale_choices": rationales or answers}
    return {"objects": ["person", "person", "car", "person"], "question": question, "answer_choices": answers} | rest


def test_rule_singular():
    found = rule_singular(
        row(
            ["Does", [1], "drive", [2], "?"],
            [
                [[1], "holds", "her", [2]],  # right: one person -> she
                ["She", "sleeps", "and", "she", "dreams"],  # wrong: one pronoun -> the question's person, twice
                [[0], "waits", "for", [0]],  # wrong: another person
                [[0], "waits", "for", "him", "and", "he", "knows"],  # a person and a pronoun: as it was
            ],
        )
    )
    assert found is not None
    assert found["answer_choices"] == [
        ["She", "holds", "her", [2]],
        [[1], "sleeps", "and", [1], "dreams"],
        [[1], "waits", "for", [1]],
        [[0], "waits", "for", "him", "and", "he", "knows"],
    ]
    assert rule_singular(row(["Do", [0], "and", [1], "drive"], [["x"]] * 4)) is None
    assert rule_singular(row(["Does", [0, 1], "drive"], [["x"]] * 4)) is None
    assert rule_singular(row(["Does", [2], "drive"], [["x"]] * 4)) is None


@pytest.mark.parametrize(
    ("question", "choice", "said"),
    [
        (["Is", [0], "well"], ["Maybe", [1], "is"], ["Maybe", "he", "is"]),
        (["Is", [0], "near", "her"], [[1], "is"], ["She", "is"]),
        (["Is", [0], "near", "her", "and", "hers"], [[1], "is", "him", "her"], ["She", "is", "him", "her"]),
        (["Is", [0], "her"], [[1], "is", "his"], ["He", "is", "his"]),
        (["Is", [0], "well"], ["They", "and", [1, 2]], ["They", "and", [1, 2]]),
        (["Is", [0], "well"], ["she", "is"], ["she", "is"]),
    ],
)
def test_rule_singular_of_the_right_choice(question, choice, said):
    found = rule_singular(row(question, [choice, ["x"], ["y"], ["z"]]))
    assert found is not None
    assert found["answer_choices"][0] == said


def test_rule_plural():
    found = rule_plural(
        row(
            ["Do", [3, 0], "drive", "?"],
            [
                [[0, 1], "wait", "as", "they", "like"],  # right: their tag becomes a word, the word stays
                ["Because", "they", "wait"],
                [[0, 1], "wait"],
                [[0, 2], "wait"],  # no group of persons alone
            ],
            rationales=[["They", "do"], ["They", "do"], [[0], "and", "they"], ["x"]],
        )
    )
    assert found is not None
    assert found["answer_choices"] == [
        ["They", "wait", "as", "they", "like"],
        ["Because", [0, 3], "wait"],
        [[0, 3], "wait"],
        [[0, 2], "wait"],
    ]
    assert found["rationale_choices"] == [["They", "do"], [[0, 3], "do"], [[0], "and", [0, 3]], ["x"]]
    assert rule_plural(row(["Does", [0], "drive"], [["x"]] * 4)) is None
    assert rule_plural(row(["Do", [0, 2], "drive"], [["x"]] * 4)) is None
    assert rule_plural(row(["Do", [0, 1], "like", [3]], [["x"]] * 4)) is None


def test_a_rule_leaves_the_given_row_as_it_was():
    given = row(["Does", [1], "drive"], [[[0], "waits"]] * 4)
    before = json.dumps(given)
    assert rule_singular(given) is not None
    assert json.dumps(given) == before


def test_rule_sets_are_written_in_the_layout(tmp_path):
    lines(tmp_path / "val.jsonl", [vcr_row("val", number) for number in range(5)])
    assert write_rule_sets(tmp_path / "val.jsonl", tmp_path / "rules") == {"rule-singular": 5, "rule-plural": 0}
    found = [each for _, each in read_annotations(tmp_path / "rules" / "val_rule_singular.jsonl", labelled=True)]
    assert [each["annot_id"] for each in found] == [f"val-{number}" for number in range(5)]
    # val-0 asks about person 0; its right answer [0, 1] stays, and so does a wrong one with two persons.
    assert found[0]["answer_choices"][1] == ["No", ",", [0], "does", "not"]
    assert found[1]["answer_choices"][1] == ["No", ",", "he", "does", "not"]
    assert found[1]["rationale_choices"][0] == [[1], "smiles"]
    assert found[0]["rationale_choices"][0] == [[0], "smiles"]


BAD = {
    "'question' is missing": lambda row: row.pop("question"),
    "'objects' is": lambda row: row.update(objects="person"),
    "'objects' holds": lambda row: row.update(objects=[1]),
    "3 answer_choices; expected 4": lambda row: row["answer_choices"].pop(),
    "token '-1'|token '\\[-1\\]' in 'question'": lambda row: row["question"].append([-1]),
    "token 'True'": lambda row: row["question"].append(True),
    "token '\\[\\]'": lambda row: row["question"].append([]),
    "'rationale_choices' holds '\\[\\]'": lambda row: row["rationale_choices"].__setitem__(0, []),
    "answer_label 4; expected 0 to 3": lambda row: row.update(answer_label=4),
    "'rationale_label' is 'True'": lambda row: row.update(rationale_label=True),
    "annot_id 'a/b'": lambda row: row.update(annot_id="a/b"),
    "annot_id 'val-0' stands in .* line 1 too": lambda row: row.update(annot_id="val-0"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_annotation_is_named(tmp_path, fault):
    rows = [vcr_row("val", 0), vcr_row("val", 1)]
    BAD[fault](rows[1])
    lines(tmp_path / "val.jsonl", rows)
    with pytest.raises(ValueError, match=rf"val.jsonl, line 2: .*{fault}"):
        list(read_annotations(tmp_path / "val.jsonl", labelled=True))


def test_test_rows_have_no_labels(tmp_path):
    lines(tmp_path / "test.jsonl", [vcr_row("test", 0)])
    assert len(list(read_annotations(tmp_path / "test.jsonl", labelled=False))) == 1
    lines(tmp_path / "test.jsonl", [vcr_row("val", 0)])
    with pytest.raises(ValueError, match="line 1: a label in a file of test rows"):
        list(read_annotations(tmp_path / "test.jsonl", labelled=False))
