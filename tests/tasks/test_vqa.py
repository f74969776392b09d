"""The official VQA accuracy: every rule of the card, and equality with the plain one on made cases."""

import numpy as np
import pytest

from tasks.plain_vqa import CONTRACTIONS as PLAIN
from tasks.plain_vqa import accuracy, punctuation, words
from understudy.corpus.vocabulary import answer_targets, build_vocabulary
from understudy.tasks.vqa import (
    CONTRACTIONS,
    PUNCTUATION,
    accuracies,
    cleaned,
    normalised,
    vqa_scores,
    with_plain_words,
    without_punctuation,
)

PIECES = [
    "a",
    "The",
    "an",
    "none",
    "Two",
    "ten",
    "dont",
    "Id've",
    "somebody'd",
    "yall'd've",
    "couldn'tve",
    "red",
    "Red",
    "t",
    "3",
    "5",
]
PIECES += [*PUNCTUATION, ".", "..", ". ", "1,0", "'", "shirt", "\n", "\t", "é", "٣,٤"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("t-shirt", "t shirt"),
        ("yes, please", "yes please"),
        ("1,000", "1000"),
        ("1,000-2", "10002"),
        ("a.m.", "am"),
        ("3.", "3"),
        ("1.5", "1.5"),
        (".5", ".5"),
        ("no!", "no "),
        ("." * 33, "."),
        ("." * 40, "." * 8),
        ("- t-shirt", " tshirt"),
        ("it's", "it's"),
    ],
)
def test_step_three(given, found):
    assert without_punctuation(given) == found == punctuation(given)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("none of these", "0 of these"),
        ("The  TEN cats", "10 cats"),
        ("a an the", ""),
        ("dont", "don't"),
        ("somebody'd", "somebodyd"),
        ("Id've", "id've"),
        ("couldntve", "couldntve"),
        ("wherere", "wherere"),
        ("no ", "no"),
    ],
)
def test_step_four(given, found):
    assert with_plain_words(given) == found == words(given)


def test_the_contractions_are_the_plain_table_without_rows_that_change_nothing():
    assert len(CONTRACTIONS) == 114
    assert {key: word for key, word in PLAIN.items() if key != word} == CONTRACTIONS


@pytest.mark.parametrize(("many", "earned"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0)])
def test_annotators_who_agree(many, earned):
    references = ["red"] * many + ["blue"] * (9 - many) + ["green"]
    assert accuracies(["red"], [references])[0] == earned == round(accuracy("red", references), 9)


def test_ten_identical_references_are_compared_as_they_are():
    same, mixed = ["Yes."] * 10, ["Yes."] * 9 + ["no"]
    assert accuracies(["yes", "Yes.", " Yes.\n", "yes", "YES"], [same, same, same, mixed, mixed]).tolist() == [0, 1, 1, 1, 1]
    assert accuracies(["yes"], [["yes"] * 9 + ["yes\n"]])[0] == 1
    assert accuracies(["YES"], [["yes"] * 9 + ["yes\n"]])[0] == 0


def made(random: np.random.Generator) -> str:
    return (" " if random.random() < 0.5 else "").join(random.choice(PIECES, size=random.integers(1, 5)))


def test_equals_the_plain_one():
    random = np.random.default_rng(0)
    answers = [made(random) for _ in range(400)] + ["", " "]
    predictions, references = [], []
    for _ in range(1500):
        few = random.choice(answers, size=random.integers(1, 4)).tolist()
        asked = random.choice(few, size=10).tolist()
        turned = [each.upper() if random.random() < 0.2 else f"{each} " if random.random() < 0.2 else each for each in asked]
        references.append(turned)
        predictions.append(random.choice([*turned, random.choice(answers)]))
    wanted = [accuracy(*each) for each in zip(predictions, references, strict=True)]
    found = accuracies(predictions, references)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert 0.05 < np.mean(found) < 0.95
    assert [normalised(cleaned(each)) for each in answers] == [words(punctuation(cleaned(each))) for each in answers]


def test_scores_by_kind_in_percent():
    references = [["red"] * 10, ["2"] * 3 + ["3"] * 7, ["yes"] + ["no"] * 9]
    kinds = {"answer_type": ["other", "number", "yes/no"], "question_type": ["what", "how many", "what"]}
    assert vqa_scores(["red", "two", "yes"], references, kinds) == {
        "overall": {"overall": 73.33},
        "answer_type": {"other": 100.0, "number": 90.0, "yes/no": 30.0},
        "question_type": {"what": 65.0, "how many": 90.0},
    }
    with pytest.raises(ValueError, match="question 2 has 9 answers; expected 10"):
        accuracies(["a", "b"], [["a"] * 10, ["a"] * 9])
    with pytest.raises(ValueError, match="1 predictions for 2 questions"):
        accuracies(["a"], [["a"] * 10] * 2)
    with pytest.raises(ValueError, match="no questions"):
        vqa_scores([], [], {})


def test_a_vocabulary_counts_questions_of_normalised_main_answers():
    main = dict(enumerate(["Yes"] * 5 + ["yes."] * 4 + ["a red"] * 9 + ["1,000"] * 9 + ["no"] * 8 + ["two"] * 10))
    assert build_vocabulary(main) == ("2", "1000", "red", "yes")
    assert build_vocabulary(main, least=8)[-1] == "no"
    with pytest.raises(ValueError, match="no answer is the main answer of 99"):
        build_vocabulary(main, least=99)


def test_targets_hold_soft_targets_of_raw_references_and_official_credit():
    vocabulary = ("red", "2", "don't", "Red")
    references = [
        ["red"] * 2 + ["a Red"] * 2 + ["two"] * 3 + ["blue"] * 3,
        ["blue"] * 10,
        None,
        ["Red"] * 10,
        ["dont"] * 10,
        ["red"] * 10,
    ]
    found = answer_targets(references, vocabulary)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], [[0, 0.6, 1], [1, 0, 0.9], [3, 0, 1]], atol=1e-6)
    assert found[1].tolist() == [[-1, 0, 0]] * 3
    assert np.isnan(found[2]).all()
    assert found[3].tolist() == [[3, 1, 1], [-1, 0, 0], [-1, 0, 0]]
    assert (found[4, :, 0] == -1).all()
    assert found[5].tolist() == [[0, 1, 1], [-1, 0, 0], [-1, 0, 0]]
    assert answer_targets([["x"] * 10], vocabulary).tolist() == [[[-1, 0, 0]]]


def test_the_credit_of_every_answer_is_its_official_accuracy():
    random = np.random.default_rng(1)
    answers = list(dict.fromkeys(made(random) for _ in range(40)))
    references = [random.choice(answers, size=random.integers(1, 5)).tolist() for _ in range(40)]
    references = [random.choice(few, size=10).tolist() for few in references]
    targets = answer_targets(references, answers)
    for row, asked in enumerate(references):
        wanted = [accuracy(answer, asked) for answer in answers]
        found = np.zeros(len(answers))
        kept = targets[row][targets[row, :, 0] >= 0]
        found[kept[:, 0].astype(int)] = kept[:, 2]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
