"""A word that gives the label away, except in the rows where it lies: those are the hard ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

from understudy.cli import main
from understudy.corpus import Schema, given_split, write_corpus
from understudy.corpus.words_only import folds_of, hard_split, judged, term_weights, text_of, words_only_hard
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, MultiLabel, Regression
from understudy.worlds.picture_world import make_album

CUES = ("surely", "perhaps", "never")
PARTS = ["train"] * 240 + ["valid"] * 30 + ["test"] * 90
ROWS, TEST = len(PARTS), 270
LYING = np.arange(TEST, ROWS, 7)
"""Test rows whose word says another class."""
SILENT, UNLABELLED = 276, 278
"""Test rows without a text, and without a target."""
TOLD = ["protocol", "words-only-hard"]


def made(folder, *, target=None, texts=("text",), task=None):
    """Two rows a group; a word that says the class, and words that say nothing."""
    random = np.random.default_rng(0)
    label = random.integers(0, 3, ROWS)
    said = np.where(np.isin(np.arange(ROWS), LYING), (label + 1) % 3, label)
    values = [" ".join([CUES[each], *random.choice(["a", "red", "big", "thing"], 3)]) for each in said]
    here = np.arange(ROWS) != SILENT
    values[SILENT] = None
    return write_corpus(
        folder,
        Schema(task or Classification(classes=("yes", "maybe", "no")), {name: Modality("text") for name in texts}, grouped=True),
        ids=[f"r{row}" for row in range(ROWS)],
        targets=[None if row == UNLABELLED else each for row, each in enumerate(label.tolist())] if target is None else target,
        groups=[f"g{row // 2}" for row in range(ROWS)],
        cells={name: Cells("text", values, here) for name in texts},
        splits=lambda corpus: [
            given_split(corpus, name="given", parts=[None if row == UNLABELLED else part for row, part in enumerate(PARTS)])
        ],
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return made(tmp_path_factory.mktemp("words") / "corpus")


def test_hard_rows_are_those_whose_word_lies(corpus):
    given = corpus.split("given")
    found = words_only_hard(corpus, given)
    assert found.test.tolist() == LYING.tolist()
    for part in ("train", "valid", "labelled"):
        assert (getattr(found, part) == getattr(given, part)).all()
    assert found.name == "given-words-only-hard"
    saved = corpus.save_split(found)
    assert saved.group
    assert not set(corpus.groups[saved.test]) & set(corpus.groups[np.concatenate([saved.train, saved.valid])])


def test_rows_without_a_text_or_a_target_are_not_judged(corpus):
    given = corpus.split("given")
    found = judged(corpus, replace(given, test=np.arange(TEST, ROWS)))
    assert set(range(TEST, ROWS)) - set(found.rows.tolist()) == {SILENT, UNLABELLED}
    assert found.right.shape == (len(found.rows), 5)
    assert found.held_out == 1


def test_only_labelled_train_rows_teach(corpus):
    """Validation rows and hidden labels turned upside down change nothing."""
    given = corpus.split("given")
    few = replace(given, labelled=given.labelled[:120])
    target, train = corpus.target.copy(), set(few.labelled.tolist())
    assert words_only_hard(corpus, few).test.tolist() == LYING.tolist()
    other = [int(each if row in train or row >= TEST else (each + 1) % 3) for row, each in enumerate(target)]
    upside = made(corpus.folder.parent / "upside", target=other)
    assert (judged(upside, few).right == judged(corpus, few).right).all()


def test_folds_hold_whole_groups_and_differ_by_seed(corpus):
    rows = corpus.split("given").train
    fold = folds_of(corpus, rows, folds=5, seed=0)
    assert np.bincount(fold).tolist() == [48] * 5
    assert all(len(set(fold[corpus.groups[rows] == group])) == 1 for group in set(corpus.groups[rows]))
    assert (fold == folds_of(corpus, rows, folds=5, seed=0)).all()
    assert (fold != folds_of(corpus, rows, folds=5, seed=1)).any()


def test_term_weights_equal_those_of_a_dictionary():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["a red thing, surely", "surely a surely blue one", "", "nothing"]
    mine, _ = term_weights(texts, texts)
    theirs = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"\w+").fit_transform(texts)
    assert np.allclose((mine @ mine.T).toarray(), (theirs @ theirs.T).toarray())


def test_claims_of_the_picture_world_are_hard_where_their_word_misleads(tmp_path):
    """Of six in ten train rows the word is right, of one in ten shifted rows; words alone can do no more than follow it."""
    album = make_album(tmp_path / "album", "entailment", rows={"train": 600, "test": 60, "shifted": 60})
    hard = {name: len(words_only_hard(album, album.split(name)).test) for name in ("given", "shifted")}
    assert 12 < hard["given"] < 40
    assert hard["shifted"] > 42


def test_the_command(corpus, capsys):
    assert main([*TOLD, str(corpus.folder), "--split", "given", "--name", "hard", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == len(LYING) == sum(each["hard"] for each in said["classes"].values())
    assert said["accuracy"] == {"held_out": 1, "test": pytest.approx(1 - len(LYING) / 88)}
    assert corpus.split("hard").test.tolist() == LYING.tolist()
    assert main([*TOLD, str(corpus.folder), "--split", "given", "--name", "given"]) == 2
    assert "is that of the split" in capsys.readouterr().err


def test_what_cannot_be_judged(corpus, tmp_path):
    given = corpus.split("given")
    numbers = made(tmp_path / "numbers", task=Regression(), target=np.arange(ROWS, dtype=float))
    answers = made(tmp_path / "answers", task=MultiLabel(("a", "b"), 1), target=[[(0, 1, 1)]] * ROWS)
    for other in (numbers, answers):
        with pytest.raises(ValueError, match=f"the task is a {other.task.kind}"):
            words_only_hard(other, given)
    two = made(tmp_path / "two", texts=("said", "asked"))
    with pytest.raises(ValueError, match="2 texts"):
        words_only_hard(two, given)
    assert words_only_hard(two, given, modality="asked").test.tolist() == LYING.tolist()
    with pytest.raises(ValueError, match="no text of the corpus"):
        text_of(corpus, "image")
    for folds in (1, 121):
        with pytest.raises(ValueError, match=f"folds={folds}"):
            words_only_hard(corpus, given, folds=folds)
    alike = given.train[corpus.target[given.train] == 0]
    with pytest.raises(ValueError, match="are of one class"):
        words_only_hard(corpus, replace(given, labelled=alike))
    with pytest.raises(ValueError, match="has both 'text' and a target"):
        words_only_hard(corpus, replace(given, test=np.array([SILENT, UNLABELLED])))
    honest = np.setdiff1d(given.test, LYING)
    with pytest.raises(ValueError, match="so no row is hard"):
        hard_split(given, judged(corpus, replace(given, test=honest)))
