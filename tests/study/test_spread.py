"""Answers in fewer words than a number a class: the likeliest few, and several samples a row."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.study.small import make_corpus

from understudy.study.answer_table import answers_in

BOTH = {"class_1": ["low"], "probability_1": [0.5], "class_2": ["high"], "probability_2": [0.5]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus", rows=60)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("data") / "numbers", regression=True, rows=60)


def read(corpus, columns):
    found = answers_in(pa.Table.from_pandas(pd.DataFrame(columns)), corpus, where="given", source="given")
    return dict(zip(found.ids.tolist(), np.exp(found.values).round(3).tolist(), strict=True))


def test_the_likeliest_few(corpus):
    named = {"id": ["r0", "r1", "r2"], "class_1": ["high", "low", None], "probability_1": [0.9, 0.6, None]}
    expected = {"r0": [0.1, 0.9], "r1": [0.6, 0.4]}
    assert read(corpus, named) == expected
    assert read(corpus, {"id": ["r0", "r1"], "index_1": [1, 0], "logprob_1": np.log([0.9, 0.6])}) == expected
    both = {"class_2": ["low", "high", None], "probability_2": [0.1, 0.3, None]}
    assert read(corpus, named | both) == {"r0": [0.1, 0.9], "r1": [0.667, 0.333]}


def test_samples_are_shares_with_one_more_spread_evenly(corpus, numbers):
    tall = {"id": ["r3", "r3", "r4", "r3"], "answer": ["low", "high", "high", "low"]}
    assert read(corpus, tall) == {"r3": [0.625, 0.375], "r4": [0.25, 0.75]}
    wide = {"id": ["r3", "r4"], "answer_1": ["low", "high"], "answer_2": ["high", None], "answer_3": ["low", None]}
    assert read(corpus, wide) == read(corpus, tall)
    found = answers_in(pa.table({"id": ["r1", "r1", "r2"], "answer": [1.0, 2.0, 5.0]}), numbers, where="given", source="given")
    assert dict(zip(found.ids.tolist(), found.values.tolist(), strict=True)) == {"r1": 1.5, "r2": 5.0}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"class_1": ["High"], "probability_1": [0.9]}, "answers 'High', and the classes are low, high: map its words to them"),
        ({"answer": ["yes"]}, "answers 'yes', and the classes are low, high"),
        ({"index_1": [2], "probability_1": [0.9]}, "index 2 is no place of 2 classes; they count from 0"),
        ({"class_1": ["low"], "probability_1": [None]}, "row 1 names a class in place 1 without a probability"),
        ({"class_1": ["low"], "probability_2": [0.5]}, "names a class in place 1 and no probability_1"),
        ({"class_1": ["low"], "probability_1": [0.5], "probability_2": [0.5]}, "place 2 and no class_2 or index_2"),
        (BOTH | {"class_2": ["low"]}, "names 'low' twice"),
        (
            {"class_1": ["low"], "probability_1": [0.9], "class_2": ["high"], "probability_2": [0.5]},
            "add up to 1.4, which is more",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(corpus, columns, said):
    with pytest.raises(ValueError, match=said):
        read(corpus, {"id": ["r0"]} | columns)
