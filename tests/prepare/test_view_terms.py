import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from understudy.prepare import Terms, restore
from understudy.prepare.cells import Cells

TEXTS = ["A good film, a good plot", "good film!", "A bad film, a bad plot", "bad film!", "the end", "the end"]


def cells(texts):
    present = np.array([text is not None for text in texts])
    return Cells("text", list(texts), present)


def dense(view, texts):
    """[N terms]"""
    fields = view.prepare(cells(texts))
    found = np.zeros((len(texts), view.terms))
    np.put_along_axis(found, fields["ids"], fields["weights"], axis=1)
    found[:, 0] = 0
    return found


def test_weights_are_those_of_scikit_learn():
    twice = [*TEXTS, *TEXTS]
    view = Terms().fit(cells(twice))
    reference = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[,!]")
    expected = reference.fit_transform(twice).toarray()
    found = dense(view, twice)
    assert view.terms == expected.shape[1] + 2
    assert np.allclose(np.sort(found, axis=1)[:, 2:], np.sort(expected, axis=1), atol=1e-6)
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-6)


def test_a_pair_of_one_row_is_left_out_and_words_stay():
    view = Terms().fit(cells(["one two", "one three", "one three"]))
    assert len(view.pairs) == 1
    assert view.words == 5


def test_order_of_rows_does_not_matter():
    a, b = (Terms().fit(cells(texts)) for texts in (TEXTS, TEXTS[::-1]))
    assert a.key == b.key


def test_what_no_train_row_holds_is_left_out():
    view = Terms().fit(cells(TEXTS))
    fields = view.prepare(cells(["zebra", "", None, "good zebra film"]))
    assert fields["mask"].sum(axis=1).tolist() == [0, 0, 0, 2]
    assert not fields["weights"][:3].any()
    # No pair over what stood between.
    assert set(fields["ids"][3].tolist()) <= set(range(view.words))


def test_a_chinese_character_is_a_word():
    view = Terms().fit(cells(["好电影", "坏电影", "GOOD"]))
    assert view.words == 2 + 4 + 1
    assert dense(view, ["good"]).any()


def test_words_behind_the_limit_are_cut_off():
    view = Terms(max_tokens=2).fit(cells(TEXTS))
    rows = cells(["good film plot", "good film"])
    assert view.truncated(rows) == 1
    assert np.array_equal(*dense(view, rows.values))


def test_no_train_row_has_it():
    with pytest.raises(ValueError, match="nothing to take words from"):
        Terms().fit(cells([None, None]))


def test_saved_terms_that_do_not_fit_are_refused():
    view = Terms().fit(cells(TEXTS))
    known = json.loads(view.assets()["terms.json"])
    for changed in (known | {"held": known["held"][1:]}, {"pairs": []}, [1]):
        with pytest.raises(ValueError, match=r"not the saved state|counts"):
            restore("Terms", view.state(), view.assets() | {"terms.json": json.dumps(changed).encode()})
