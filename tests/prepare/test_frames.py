"""Data in memory: the same table from six kinds of frames, answers back in the same kind, and faults that say what to do."""

import importlib

import numpy as np
import pyarrow as pa
import pytest

from understudy.prepare.frames import Answer, framed

ROWS = [{"x": 1.5, "note": "a b", "y": "u"}, {"x": None, "note": "c", "y": "v"}]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
WORDS = Answer(np.array(["u", "v"], dtype=object), None)
ANSWERS = {"prediction": WORDS, "probability": Answer(np.array([0.75, 0.5]), np.array([False, True]))}
SAID = [{"prediction": "u", "probability": 0.75}, {"prediction": "v", "probability": None}]


def pandas():
    return importlib.import_module("pandas")


def polars():
    return importlib.import_module("polars")


def datasets():
    return importlib.import_module("datasets")


KINDS = {
    "rows": lambda: ROWS,
    "dict": lambda: COLUMNS,
    "arrow": lambda: pa.table(COLUMNS),
    "batch": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "pandas": lambda: pandas().DataFrame(ROWS, index=[7, 7]),
    "polars": lambda: polars().DataFrame(ROWS),
    "datasets": lambda: datasets().Dataset.from_list(ROWS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_same_table(kind):
    assert framed(KINDS[kind]()).table.to_pylist() == ROWS


def test_a_file_is_its_table_with_its_folder(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"x": 1.5}\n')
    found = framed(tmp_path / "in.jsonl")
    assert (found.table.to_pylist(), found.folder) == ([{"x": 1.5}], tmp_path)


def test_answers_come_back_in_the_kind_that_was_given():
    columns = {name: [row[name] for row in SAID] for name in ANSWERS}
    assert framed(ROWS).back(ANSWERS) == SAID
    assert framed(COLUMNS).back(ANSWERS) == columns
    assert framed(pa.table(COLUMNS)).back(ANSWERS).to_pylist() == SAID
    assert framed(KINDS["polars"]()).back(ANSWERS).to_dicts() == SAID
    assert framed(KINDS["datasets"]()).back(ANSWERS)[:] == columns
    back = framed(KINDS["pandas"]()).back(ANSWERS)
    assert back["prediction"].tolist() == ["u", "v"]
    assert back.index.tolist() == [7, 7]


def test_class_labels_are_named_and_those_without_one_are_missing():
    features = datasets().Features({"y": datasets().ClassLabel(names=["no", "yes"])})
    found = framed(datasets().Dataset.from_dict({"y": [1, 0, -1]}, features=features))
    assert found.table.column("y").to_pylist() == ["yes", "no", None]


def test_arrays_in_a_dict_are_columns_of_lists():
    found = framed({"x": np.arange(6.0).reshape(3, 2), "y": np.array([1, 2, 3])})
    assert found.table.to_pylist()[1] == {"x": [2.0, 3.0], "y": 2}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pandas().DataFrame([[1, 2]], columns=["a", "a"]), "two columns are called 'a'"),
        (lambda: pandas().DataFrame({("a", "b"): [1]}), "flatten them"),
        (lambda: pandas().DataFrame({"a": [1, "x"]}), "column 'a', row 2: .*make them one, such as all text"),
        (lambda: polars().LazyFrame({"a": [1]}), r"call \.collect\(\) first"),
        (lambda: datasets().DatasetDict({"train": datasets().Dataset.from_list(ROWS)}), r"data\['train'\]"),
        (lambda: pandas().Series([1]), "a frame with that column"),
        (lambda: np.zeros((2, 2)), "in a dict"),
        (lambda: 5, "expected a path"),
        (lambda: [], "is empty"),
        (lambda: {}, "expected names of columns"),
        (lambda: {"a": [1], "b": [1, 2]}, "different lengths: a 1, b 2"),
        (lambda: {"a": 5}, "expected one value a row"),
        (lambda: [1, 2], "row 1 is not a dict"),
        (lambda: [{"a": 1}, {"a": "s"}], "column 'a', row 2"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_do(make, says):
    with pytest.raises((ValueError, TypeError), match=says):
        framed(make())
