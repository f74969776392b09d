"""Check: what is told, and what is an error."""

import json

import numpy as np
import pytest

from corpus.made import made_corpus, vector_corpus
from study.small_answers import make_answers, make_choices
from understudy.corpus import Corpus, Schema, Split, check, make_split, write_corpus
from understudy.corpus.check import changed
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression


def test_a_sound_corpus(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=60, groups=10)
    corpus.save_split(make_split(corpus, name="s"))
    found = check(corpus)
    assert found.errors == []
    assert found.warnings == []
    facts = json.loads(json.dumps(found.to_json()))["facts"]
    assert facts["rows"] == 60
    assert facts["groups"] == 10
    assert facts["target"]["labelled"] == 52
    assert sum(facts["target"]["classes"].values()) == 52
    assert facts["modalities"]["words"]["missing"] == 1 - corpus.present("words").mean()
    assert facts["splits"]["s"]["hash"] == corpus.split("s").hash


def test_what_was_found_reads_as_lines(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=60, groups=10)
    (corpus.folder / "splits").mkdir()
    (corpus.folder / "splits" / "broken.json").write_text("{}")
    corpus.save_split(make_split(corpus, name="s"))
    said = str(check(corpus)).splitlines()
    assert said[0] == "1 error"
    assert said[1].startswith("error: ")
    assert "60 rows, fingerprint " in said[2]
    assert "target: 52 rows have one: c0 (17), " in said[4]
    assert said[-1].startswith("  s: 4")
    assert said[-1].endswith("; groups kept together")
    numbers = vector_corpus(tmp_path / "n", [[n] for n in range(8)], targets=np.arange(8.0), task=Regression())
    said = str(check(numbers))
    assert said.startswith("no errors, no warnings\n8 rows")
    assert "target: 8 rows have one, 0 to 7, mean 3.5, deviation 2.291" in said
    assert said.endswith("splits: none")
    shard = numbers.folder / "rows-0.arrow"
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert "SHA-256" in str(check(numbers))


def test_a_flipped_byte_is_an_error(tmp_path):
    corpus = made_corpus(tmp_path / "c")
    shard = corpus.folder / "rows-0.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    found = check(corpus)
    assert "rows-0.arrow was changed" in found.errors[0]


def test_warnings(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 3))
    values[:, 1] = 2
    values[:, 2] = np.nan
    values[3] = values[0]
    corpus = vector_corpus(tmp_path / "c", values, targets=[0] * 39 + [1], groups=["g"] * 10 + ["h"] * 30)
    corpus.save_split(Split("s", np.arange(3), np.arange(3, 40), np.arange(3)))
    said = "\n".join(check(corpus).warnings)
    assert "modality 'x': 2 columns hold one value or none: 1, 2" in said
    assert "98% of the labels are 'a'" in said
    assert "1 groups stand in more than one part, the first 'g'" in said
    assert "1 exact duplicates stand in more than one part, one is row 'r0'" in said
    assert "1 classes of the test rows have no labelled train row" in said
    assert check(corpus).facts["duplicate_rows"] == 2


def test_absent_modalities(tmp_path):
    here = np.array([True] + [False] * 9)
    table = Cells("table", {"a": np.arange(10.0), "b": np.array(["x"] * 10, object)}, here)
    corpus = write_corpus(
        tmp_path / "c",
        Schema(Regression(), {"t": Modality("table", columns={"a": "number", "b": "category"})}),
        ids=[str(n) for n in range(10)],
        targets=[1.0] * 10,
        cells={"t": table},
    )
    corpus.save_split(Split("s", np.arange(5), np.arange(5, 10), np.arange(5)))
    said = "\n".join(check(corpus).warnings)
    assert "modality 't' is absent in 90% of the rows" in said
    assert "modality 't': 2 columns" in said
    assert "9 rows have no modality at all, the first '1'" in said
    assert "every target is 1.0" in said
    assert "no test row has modality 't'" in said
    assert check(corpus).facts["duplicate_rows"] == 0


MADE = {
    "classes": lambda folder: made_corpus(folder, groups=4),
    "numbers": lambda folder: vector_corpus(folder, [[n] for n in range(4)], targets=[0.5, None, -0.0, 2.0], task=Regression()),
    "choices": make_choices,
    "answers": make_answers,
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_what_corpus_json_says_is_held_against_the_fingerprint(tmp_path, made):
    corpus = made(tmp_path / "c")
    assert changed(corpus) == []
    path = corpus.folder / "corpus.json"
    document = json.loads(path.read_text())
    task = document["schema"]["task"]
    if "classes" in task:
        task["classes"] = [task["classes"][1], task["classes"][0], *task["classes"][2:]]
    elif corpus.task.kind == "regression":
        task["low"] = -1.0
    else:
        document["fingerprint"] = document["fingerprint"][::-1]
    path.write_text(json.dumps(document))
    (error,) = check(Corpus(corpus.folder)).errors
    assert "its fingerprint does not fit" in error


def test_a_split_that_is_lost_or_replaced_is_an_error(tmp_path):
    corpus = made_corpus(tmp_path / "c", rows=60)
    corpus.save_splits([make_split(corpus, name="s"), make_split(corpus, name="t", seed=1)])
    s, t = (corpus.folder / "splits" / f"{name}.arrow" for name in "st")
    t.unlink()
    (error,) = check(corpus).errors
    assert error.startswith("split 't' was saved, but splits/t.arrow is missing")
    corpus.save_split(make_split(corpus, name="t", seed=2))
    assert check(corpus).errors == []
    s.write_bytes(t.read_bytes())
    (error,) = check(corpus).errors
    assert error.startswith("split 's' has other rows than were saved under this name")
    (corpus.folder / "splits.json").unlink()
    assert check(corpus).errors == [], "a corpus of before splits were noted"


def test_a_broken_split_is_an_error(tmp_path):
    corpus = made_corpus(tmp_path / "c")
    corpus.save_split(make_split(corpus, name="fine"))
    (corpus.folder / "splits" / "broken.json").write_text("{}")
    found = check(Corpus(corpus.folder))
    assert len(found.errors) == 1
    assert "broken.json" in found.errors[0]
    assert list(found.facts["splits"]) == ["fine"]
    nothing = vector_corpus(tmp_path / "d", [[1], [2]], targets=[None, None])
    assert check(nothing).errors == ["no row has a target"]


def test_classes_that_people_regret(tmp_path):
    """Case twins are most often one class, and nothing is learnt of a class of a few rows."""
    names = ("FINE", "fine", "bad")
    targets = [0] * 8 + [1] * 3 + [2] * 8
    corpus = vector_corpus(tmp_path / "c", [[n] for n in range(19)], targets=targets, task=Classification(names))
    warned = check(corpus).warnings
    assert "classes 'FINE' and 'fine' differ in case alone; are they one?" in warned
    assert "classes of fewer than 5 labelled rows: 'fine' (3)" in warned
