"""Advice: noise never gives yes, a complementary modality does, and test rows are never read."""

import json

import numpy as np
import pytest
from scipy import sparse

import understudy as us
from understudy.corpus import Schema, Split, write_corpus
from understudy.evaluate import advice
from understudy.evaluate.advice import Gain, advise, in_words
from understudy.evaluate.features import Features
from understudy.evaluate.simple import folds_of, out_of_fold
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression

WIDTH = 6


def made(folder, *, informative=False, seed=0, rows=400, number=False, test_shift=0.0, labelled=None, clear=False, lacking=0):
    """Student modality `a` knows a part of the target; `b` knows the rest or nothing; the last quarter of rows is for testing."""
    draw = np.random.default_rng(seed)
    a, b = draw.normal(size=(2, rows, 80 if clear else WIDTH))
    score = a[:, 0] + b[:, 0] * (1.0 if informative else 0.0) + 0.7 * draw.normal(size=rows)
    if clear:
        # The student's eighty columns know it together, which takes many labels; one of the teacher's tells it at once.
        score = a.sum(axis=1) / 9 + 0.3 * draw.normal(size=rows)
        b[:, 0] = 3 * score
    test = np.arange(rows) >= rows * 3 // 4
    a[test] += test_shift
    task = Regression() if number else Classification(classes=("no", "yes"))
    cells = {n: Cells("vector", v.astype(np.float32), np.ones(rows, bool)) for n, v in (("a", a), ("b", b))}
    cells["a"].present[:lacking] = False
    schema = Schema(task, {n: Modality("vector", width=v.values.shape[1]) for n, v in cells.items()}, grouped=True)
    target = score if number else (score > 0).astype(int)
    corpus = write_corpus(
        folder,
        schema,
        ids=[f"r{n}" for n in range(rows)],
        targets=target.tolist(),
        cells=cells,
        groups=[f"g{n // 4}" for n in range(rows)],
    )
    return corpus, Split("s", np.flatnonzero(~test), np.flatnonzero(test), np.flatnonzero(~test)[:labelled])


@pytest.fixture(autouse=True)
def linear_alone(monkeypatch):
    """Forests take seconds each; `test_simple.py` holds them."""
    monkeypatch.setattr(advice, "PROBES", ("linear",))


def test_a_complementary_modality_gives_yes(tmp_path):
    corpus, split = made(tmp_path / "c", clear=True, number=True, rows=1600, labelled=300, seed=1)
    found = advise(corpus, ["a"], split=split)
    assert found.verdict == "yes"
    assert found.knows.low > 0
    assert found.passes is not None
    assert found.passes.low > 0
    assert list(found.gains) == ["b"]
    assert list(found.probes) == ["constant", "a", "b", "all", "a+b"]
    assert (found.rows, found.unlabelled) == (300, 900)
    json.dumps(found.to_json(), allow_nan=False)
    assert "Probes, not networks" in str(found)
    assert str(found).startswith("Distil a? yes, +")


@pytest.mark.parametrize("seed", range(4))
def test_noise_never_gives_yes(tmp_path, seed):
    corpus, split = made(tmp_path / "c", seed=seed, rows=200, number=seed % 2 == 0)
    assert advise(corpus, ["a"], split=split, seed=seed).verdict != "yes"


def test_labelled_rows_without_the_students_modality_are_told(tmp_path):
    corpus, split = made(tmp_path / "c", lacking=40, rows=200)
    found = advise(corpus, ["a"], split=split)
    assert (found.rows, found.left_out) == (110, 40)
    assert "40 labelled train rows without a are left out." in str(found)


def test_plenty_of_rows_say_no_to_noise(tmp_path):
    corpus, split = made(tmp_path / "c", rows=1200, number=True)
    found = advise(corpus, ["a"], split=split)
    assert found.verdict == "no"
    assert found.says == "no. Ship a alone: it knows as much as all"


def test_what_is_known_but_not_passed_on_is_no(tmp_path):
    # Every row has a label, and six columns learn all they can from hundreds: answers of a teacher that knows more add nothing.
    corpus, split = made(tmp_path / "c", informative=True, number=True)
    found = advise(corpus, ["a"], split=split)
    assert found.knows.low > 0
    assert found.verdict != "yes"


def test_a_student_without_anything_is_a_constant(tmp_path):
    corpus, split = made(tmp_path / "c", rows=300)
    found = advise(corpus, ["b"], split=split)
    assert found.says.endswith("b knows no more than a constant")
    assert found.verdict != "yes"


@pytest.mark.parametrize(
    ("anything", "said"),
    [
        (Gain(5.0, -1.0, 9.0), "Whether a knows more than a constant cannot be told from these rows: +5.0000 [-1.0000, +9.0000]"),
        (Gain(0.1, -0.1, 0.3), "a knows no more than a constant"),
        (Gain(-2.0, -7.0, 3.0), "a knows no more than a constant"),
    ],
)
def test_an_interval_that_holds_0_is_not_said_to_be_nothing(anything, said):
    gains = {"anything": anything, "knows": Gain(6.0, 4.0, 8.0), "all-a": Gain(6.0, 4.0, 8.0), "all-b": Gain(1.0, -1.0, 3.0)}
    assert in_words("no", "a", ["b"], gains, small=0.4, nothing=0.7, more=None) == f"no. {said}"


def test_test_rows_are_never_read(tmp_path, monkeypatch):
    corpus, split = made(tmp_path / "one", informative=True)
    other, _ = made(tmp_path / "two", informative=True, test_shift=100.0)
    read, cells = [], type(corpus).cells
    monkeypatch.setattr(type(corpus), "cells", lambda self, name, rows: read.extend(rows) or cells(self, name, rows))
    assert advise(corpus, ["a"], split=split) == advise(other, ["a"], split=split)
    assert not set(read) & set(split.test.tolist())


def test_what_cannot_be_advised(tmp_path):
    corpus, split = made(tmp_path / "c")
    with pytest.raises(KeyError, match="unknown modality z"):
        advise(corpus, ["z"], split=split)
    with pytest.raises(ValueError, match="name some, not all"):
        advise(corpus, ["a", "b"], split=split)
    with pytest.raises(ValueError, match="at least 10"):
        advise(corpus, ["a"], split=Split("s", split.train, split.test, split.train[:4]))


def test_a_fully_labelled_corpus_of_texts(tmp_path):
    draw, rows = np.random.default_rng(0), []
    for row in range(60):
        words = ("warm", "sunny") if row % 2 else ("cold", "wet")
        rows.append({"note": f"{words[draw.integers(2)]} day {draw.integers(99)}", "x": float(draw.normal()), "y": words[0]})
    made = us.corpus(rows, target="y", modalities={"note": "text:note", "number": "vector:x"}, out=tmp_path / "corpus")
    found = advise(made, ["number"], split=us.make_split(made, name="main"))
    assert found.unlabelled == 0
    assert found.probes["note"].score > 0.9 > found.probes["number"].score


def test_groups_are_held_out_whole():
    groups = np.repeat(np.arange(23), 3)
    fold = folds_of(groups, np.arange(69) % 3, folds=5, seed=0)
    assert all(len(set(fold[groups == group])) == 1 for group in range(23))
    assert len(set(fold)) == 5
    with pytest.raises(ValueError, match="one group"):
        folds_of(np.zeros(9), np.zeros(9, np.intp), folds=5, seed=0)


def test_every_fold_has_its_share_of_each_class():
    classes = np.repeat(np.arange(5), 20)
    fold = folds_of(np.arange(100), classes, folds=5, seed=0)
    counts = np.zeros((5, 5), int)
    np.add.at(counts, (fold, classes), 1)
    assert (counts == 4).all()
    assert (fold != folds_of(np.arange(100), classes, folds=5, seed=1)).any()


def test_noise_is_read_at_chance():
    task = Classification(classes=(*"abcde",))
    classes, right = np.repeat(np.arange(5), 20), []
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=(100, 6))
        said = out_of_fold("linear", task, noise, classes, folds_of(np.arange(100), classes, folds=5, seed=seed))
        right.append(said.argmax(axis=1) == classes)
    # 1,000 answers at one in five: deviation 0.013; drawn without regard to class it was 0.11.
    assert np.mean(right) == pytest.approx(0.2, abs=0.04)


def test_features_of_every_kind():
    draw, here = np.random.default_rng(0), np.array([True, False, True, True])

    def ragged(make):
        return [make() if present else None for present in here]

    made_of = {
        "vector": (np.array([[1, np.nan], [0, 0], [3, 4], [5, 6]], np.float32), Modality("vector", width=2)),
        "table": (
            {"n": np.array([1, 2, np.nan, 4.0]), "c": np.array(["x", None, "y", None], dtype=object)},
            Modality("table", columns={"n": "number", "c": "category"}),
        ),
        "text": (["one two", None, "two three", "three"], Modality("text")),
        "sequence": (
            ragged(lambda: draw.normal(size=(draw.integers(1, 9), 3)).astype(np.float32)),
            Modality("sequence", width=3),
        ),
        "audio": (ragged(lambda: draw.normal(size=900).astype(np.float32) / 9), Modality("audio", rate=8000)),
        "image": (ragged(lambda: draw.integers(0, 255, (9, 7, 3), dtype=np.uint8)), Modality("image")),
    }
    for kind, (values, modality) in made_of.items():
        cells = {"m": Cells(kind, values, here)}
        features = Features.fit(cells, {"m": modality})
        wide = features.wide(cells)
        for block in (features.narrow(cells), wide.toarray() if sparse.issparse(wide) else wide):
            assert block.shape[0] == 4
            assert np.isfinite(block).all()
            assert not block[1].any()
            assert block[:, -1].tolist() == here.tolist()
        # No row at all, as of a corpus that is labelled throughout, and rows that all lack it.
        for rows in (cells["m"].take(np.zeros(0, np.intp)), cells["m"].take(np.array([1, 1]))):
            for read in (features.narrow, features.wide):
                block, like = read({"m": rows}), read(cells)
                assert (block.shape, abs(block).sum()) == ((len(rows), like.shape[1]), 0)
    silent = {"m": Cells("text", ["", "!", "?", "-"], np.ones(4, bool))}
    assert np.isfinite(Features.fit(silent, {"m": Modality("text")}).narrow(silent)).all()
