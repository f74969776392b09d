"""Digests of rows: equal where rows are, whatever else they stand among, and written as one function of the row for all time."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.made import made_cells
from understudy.corpus.content import LONG, contents, keys, listed
from understudy.prepare.cells import Cells


def words_by_hand(cells: Cells, row: int) -> list[int]:
    """The 32-bit words of one row of a vector or a text."""
    value = cells.values[row]
    if cells.kind == "vector":
        return np.frombuffer((value + np.float32(0)).tobytes(), "<u4").tolist()
    content = value.encode()
    filled = content + b"\0" * (-len(content) % 4)
    said = hashlib.blake2b(content, digest_size=16).digest() if len(content) > LONG else filled
    return [len(content), *np.frombuffer(said, "<u4").tolist()]


def by_hand(cells: dict[str, Cells], row: int) -> bytes:
    """MULTILINEAR in Python's own whole numbers, a row and a word at a time."""
    sums = [0] * 4
    for name, each in cells.items():
        if each.present[row]:
            words = [1, *words_by_hand(each, row)]
            for word, key in zip(words, keys(name, len(words)).tolist(), strict=True):
                sums = [(total + word * part) % 2**64 for total, part in zip(sums, key, strict=True)]
    return b"".join((total >> 32).to_bytes(4, "little") for total in sums)


@settings(max_examples=40)
@given(
    texts=st.lists(st.none() | st.text(max_size=60) | st.text(min_size=150, max_size=300), min_size=1, max_size=20),
    seed=st.integers(0, 99),
)
def test_a_digest_is_what_a_loop_over_words_finds(texts, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(len(texts), 3)).astype(np.float32)
    vectors[random.random(len(texts)) < 0.3, 1] = -0.0
    here = random.random(len(texts)) < 0.7
    cells = {
        "text": Cells("text", texts, np.array([text is not None for text in texts])),
        "numbers": Cells("vector", vectors, here),
    }
    assert [row.tobytes() for row in contents(cells)] == [by_hand(cells, row) for row in range(len(texts))]


@pytest.mark.parametrize("double", [False, True])
def test_no_two_of_many_rows_that_nearly_agree_have_one_digest(double):
    values = np.zeros((200, 40), np.float64 if double else np.float32)
    values[np.arange(200), np.arange(200) % 40] = np.arange(200) + 1
    texts = ["a" * length for length in range(199)] + ["b"]
    here = np.ones(200, bool)
    for cells in ({"v": Cells("vector", values, here)}, {"t": Cells("text", texts, here)}, {"u": Cells("text", texts, here)}):
        assert len({row.tobytes() for row in contents(cells)}) == 200


def test_a_row_has_one_digest_wherever_it_stands():
    cells = made_cells(60, seed=3)
    whole = contents(cells)
    order = np.random.default_rng(0).permutation(60)
    assert (contents({name: each.take(order) for name, each in cells.items()}) == whole[order]).all()
    assert len(np.unique(whole, axis=0)) == 60


@given(st.lists(st.text(max_size=6), max_size=5), st.booleans())
def test_strings_are_listed_as_json_lists_them(words, gap):
    column = pa.array([*words, *([None] if gap else [])], pa.large_string())
    said = b"".join(listed(iter([column, column])))
    whole = json.dumps(column.to_pylist())[1:-1]
    assert said.decode() == f"[{whole}, {whole}]"
