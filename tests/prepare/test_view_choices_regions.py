"""Choices and Regions: each choice reads as a text does, and boxes stay as they are."""

import numpy as np
import pyarrow as pa
import pytest

from understudy.prepare import Choices, Regions, Text
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.source import cells_from_table

ROWS = [("a red ball", "a cube", "nothing at all to see here"), None, ("so", "what", "then")]
HERE = np.array([True, False, True])
CELLS = Cells("choices", ROWS, HERE)


def read(table, modality, folder="."):
    return cells_from_table(pa.table(table), "m", modality, folder=folder)


def test_each_choice_is_read_as_a_text():
    view = Choices.bpe(vocabulary=300, max_tokens=6).fit(CELLS)
    texts = Cells("text", [text for row in ROWS if row for text in row], np.ones(6, bool))
    one = Text.bpe(vocabulary=300, max_tokens=6).fit(texts)
    assert (view.text, view.choices, view.tokens, view.max_tokens, view.padding) == (one, 3, one.tokens, 6, 0)
    fields, alone = view.prepare(CELLS), one.prepare(texts)
    assert {name: values.shape for name, values in fields.items()} == {"ids": (3, 6, 3), "mask": (3, 6, 3), "spans": (3, 6, 3, 2)}
    for name, values in fields.items():
        np.testing.assert_array_equal(values[[0, 2]].swapaxes(1, 2).reshape(6, 6, *values.shape[3:]), alone[name])
        assert not values[1].any()
    assert view.truncated(CELLS) == 1


def test_choices_need_to_know_how_many_there_are():
    with pytest.raises(ValueError, match="does not know yet how many choices"):
        Choices.bpe().prepare(CELLS)
    with pytest.raises(ValueError, match="no train row has these choices"):
        Choices.bpe().fit(CELLS.take([1]))


def test_boxes_stay_and_features_are_standardised():
    random = np.random.default_rng(0)
    boxes = np.sort(random.uniform(0, 1, (5, 2, 2)), axis=1).reshape(5, 4)
    rows = np.concatenate([boxes, random.normal(7, 3, (5, 2))], axis=1).astype(np.float32)
    cells = Cells("regions", [rows[:2], None, rows[2:]], HERE)
    view = Regions(max_regions=3).fit(cells)
    fields = view.prepare(cells)
    assert fields["mask"].tolist() == [[True, True, False], [False] * 3, [True] * 3]
    np.testing.assert_array_equal(fields["boxes"][2], rows[2:, :4])
    found = fields["values"][fields["mask"]]
    np.testing.assert_allclose(found, (rows[:, 4:] - rows[:, 4:].mean(0)) / rows[:, 4:].std(0), rtol=1e-4, atol=1e-5)
    assert Regions(max_regions=2).fit(cells).truncated(cells) == 1
    with pytest.raises(ValueError, match="expected at least 1"):
        Regions(max_regions=0)


def test_choices_from_columns_and_from_lists():
    columns = {"a": ["x", None, " "], "b": ["y", "", "q"], "c": ["z", None, "r"]}
    with pytest.raises(ValueError, match="column 'a', row 3: choice 0 is empty; expected all 3, or none at all"):
        read(columns, Modality("choices", source=("a", "b", "c")))
    found = read({**columns, "a": ["x", None, "p"]}, Modality("choices", width=3, source=("a", "b", "c")))
    assert (found.values, found.present.tolist()) == ([("x", "y", "z"), None, ("p", "q", "r")], [True, False, True])
    listed = [["x", "y", "z"], None, ["p", "q", "r"]]
    for kind in (pa.list_(pa.string()), pa.large_list(pa.large_string())):
        assert read({"m": pa.array(listed, kind)}, Modality("choices", width=3)).values == found.values
    assert read({"m": pa.array([None, []], pa.list_(pa.string()))}, Modality("choices", width=3)).values == [None, None]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([["x", "y"]], "row 1: 2 choices; expected 3"),
        ([["x", "y", " "]], "row 1: choice 2 is empty"),
        ([[1, 2, 3]], "expected lists of text"),
        (["x"], "expected lists of text"),
    ],
)
def test_faulty_choices_name_column_and_row(column, words):
    with pytest.raises(ValueError, match=f"column 'm'.*{words}"):
        read({"m": column}, Modality("choices", width=3))


def test_regions_from_lists_and_files(tmp_path):
    row = [[0.0, 0.1, 0.5, 1.0, 7.0], [0.2, 0.1, 0.5, 0.9, 8.0]]
    np.save(tmp_path / "a.npy", np.array(row))
    for table in ({"m": [row, None]}, {"m": ["a.npy", None]}):
        found = read(table, Modality("regions", width=1), folder=tmp_path)
        np.testing.assert_array_equal(found.values[0], np.array(row, np.float32))
        assert found.present.tolist() == [True, False]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([[0.5, 0.1, 0.2, 1.0, 7.0]], "row 1: box .* of region 0: expected 0 <= x1 < x2 <= 1"),
        ([[0.0, 0.1, 0.5, 1.5, 7.0]], "row 1: box"),
        ([[0.0, float("nan"), 0.5, 0.5, 7.0]], "row 1: box"),
        ([[0.0, 0.1, 0.5, 1.0]], r"row 1: regions of shape \(1, 4\)"),
    ],
)
def test_faulty_regions_name_column_and_row(row, words):
    with pytest.raises(ValueError, match=f"column 'm', {words}"):
        read({"m": [row]}, Modality("regions", width=1))
