"""Official VQA accuracy, behaviour for behaviour, over whole files at once. Torch-free, nothing of ours.

The rules are those of the official code (GT-Vision-Lab/VQA at a013f00), its oddities included: scores are comparable only so.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

ANSWERS = 10
"""References of a question."""
CREDIT = np.array([0.0, 0.3, 0.6, 0.9] + [1.0] * 7)
"""By how many of ten annotators agree: min(1, matches / 3) with each annotator left out in turn, averaged."""
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
PERIODS = 32
"""Most periods that are removed: the official code hands a flag of this value to the place of a count."""
NUMBERS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
}
ARTICLES = ("a", "an", "the")
WORDS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
CONTRACTIONS = {word[:at] + word[at + 1 :]: word for word in WORDS.split() for at, mark in enumerate(word) if mark == "'"} | {
    "somebody'd": "somebodyd"
}
"""A word that lacks one apostrophe -> the word; the last row is odd so. Rows with a capital can never fire and are left out."""
_PERIOD = re.compile(r"\.(?!\d)")
_THOUSANDS = re.compile(r"\d,\d")


def cleaned(answer: str) -> str:
    """Step 1, on every answer: newline and tab become spaces, both ends are stripped."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


def without_punctuation(answer: str) -> str:
    """Step 3. A mark beside a space anywhere, or any mark of an answer with digit-comma-digit, goes; another becomes a space."""
    found, thousands = answer, _THOUSANDS.search(answer)
    for mark in PUNCTUATION:
        if mark in answer:
            goes = thousands or f"{mark} " in answer or f" {mark}" in answer
            found = found.replace(mark, "" if goes else " ")
    return _PERIOD.sub("", found, count=PERIODS)


def with_plain_words(answer: str) -> str:
    """Step 4: lower case, number words as digits, no articles, apostrophes put back; single spaces."""
    words = (NUMBERS.get(word, word) for word in answer.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def normalised(answer: str) -> str:
    """Steps 3 and 4 of a cleaned answer: how two answers are compared where the ten references are not all identical."""
    return with_plain_words(without_punctuation(answer))


class Numbers(dict[str, int]):
    """String -> its number, in the order in which strings were first met."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]

    def of(self, answers: Any, count: int) -> NDArray[np.int32]:
        """The numbers of so many answers."""
        return np.fromiter(map(self.__getitem__, answers), np.int32, count)


def accuracies(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The official accuracy of each question `[N]`, in [0, 1]: 0, .3, .6, .9 or 1 for 0, 1, 2, 3 or more matching annotators.

    references: the ten raw answers of each question. Where all ten are identical (cleaned), the comparison is raw and
    case-sensitive. ValueError for another number of answers.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} questions")
    wrong = next((row for row, each in enumerate(references) if len(each) != ANSWERS), None)
    if wrong is not None:
        raise ValueError(f"question {wrong + 1} has {len(references[wrong])} answers; expected {ANSWERS}")
    many, raw = len(references), Numbers()
    said = raw.of(predictions, many)
    given = raw.of(chain.from_iterable(references), many * ANSWERS).reshape(many, ANSWERS)
    clean, plain = Numbers(), Numbers()
    to_clean = clean.of(map(cleaned, raw), len(raw))
    to_plain = plain.of(map(normalised, clean), len(clean))
    said, given = to_clean[said], to_clean[given]
    identical = (given == given[:, :1]).all(axis=1)
    exact = np.count_nonzero(given == said[:, None], axis=1)
    loose = np.count_nonzero(to_plain[given] == to_plain[said][:, None], axis=1)
    return CREDIT[np.where(identical, exact, loose)]


def vqa_scores(
    predictions: Sequence[str], references: Sequence[Sequence[str]], kinds: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Accuracy in percent, two decimals as the official code rounds: {"overall": {"overall": ...}, kind: {value: ...}}.

    kinds: what each question is, by name: {"answer_type": [...], "question_type": [...]}.
    """
    if not len(predictions):
        raise ValueError("there are no questions to score")
    each = accuracies(predictions, references)
    found = {"overall": {"overall": percent(each)}}
    for kind, values in kinds.items():
        order = Numbers()
        number = order.of(values, len(each))
        counts, sums = np.bincount(number, minlength=len(order)), np.bincount(number, each, minlength=len(order))
        found[kind] = {name: round(100 * float(total / count), 2) for name, total, count in zip(order, sums, counts, strict=True)}
    return found


def percent(values: NDArray[np.float64]) -> float:
    """The mean of shares, as a percentage with two decimals."""
    return round(100 * float(values.mean()), 2)
