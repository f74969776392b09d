"""A value is read in one way, whatever the file: missing words, numbers, categories, truth, bytes, arrays, empty columns."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from understudy.prepare import Table
from understudy.prepare.cells import Modality
from understudy.prepare.columns import MISSING, Column
from understudy.prepare.source import cells_from_table, read_table

WORDS = ["", " ", "NA", "n/a", "NaN", "NULL", "None", "null"]
SAME = {
    "0": ["0", "-0", "0.0", "-0.0"],
    "False": ["FALSE", "false"],
    "1": ["1", "1.0", "1.00"],
    "2.5": ["2.5", "2.50"],
    "0.5": ["0.5", ".5"],
    "-3": ["-3", "-3.0"],
    "True": ["True", "TRUE", "true"],
    "007": ["007"],
    "1_2": ["1_2"],
}


def column(values: list, kind: pa.DataType | None = None) -> Column:
    return Column.of(pa.table({"c": pa.array(values, kind)}), "c", 1)


@pytest.mark.parametrize("word", WORDS)
def test_a_missing_word_is_missing_in_every_reading(word):
    assert word.strip().lower() in MISSING
    said = column(["1", word])
    assert np.isnan(said.numbers()[1])
    assert said.categories()[1] is None
    assert said.texts()[1] is None


def test_an_id_may_be_called_as_a_missing_word_is():
    assert column(["NA", "b"]).categories(missing=False).tolist() == ["NA", "b"]


@pytest.mark.parametrize("name", SAME)
def test_a_category_has_one_name_whatever_the_file_type(name):
    assert set(column(SAME[name]).categories()) == {name}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], pa.int64()),
        ([1.0, 2.0], pa.float32()),
        ([1.0, 2.0], pa.float64()),
        (["1", "2"], pa.string()),
        (["1.0", "2.0"], pa.large_string()),
        ([b"1", b"2"], pa.binary()),
        ([b"1", b"2"], pa.large_binary()),
        (["1", "2"], pa.string_view()),
        (["1", "2"], pa.dictionary(pa.int8(), pa.string())),
    ],
)
def test_every_type_reads_the_same(values, kind):
    said = column(values, kind)
    assert said.categories().tolist() == ["1", "2"]
    assert said.numbers().tolist() == [1.0, 2.0]


def test_truth_is_one_and_nought_in_every_file(tmp_path):
    table = pa.table({"b": [True, False, None]})
    parquet.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("b,x\nTrue,1\nfalse,1\n,1\n")
    (tmp_path / "t.jsonl").write_text('{"b": true}\n{"b": false}\n{"b": null}\n')
    for name in ("t.parquet", "t.csv", "t.jsonl"):
        found = cells_from_table(read_table(tmp_path / name), "b", Modality("vector", source=("b",)), folder=tmp_path)
        np.testing.assert_array_equal(found.values[:, 0], [1, 0, np.nan])


def test_dictionaries_differ_from_one_row_group_to_the_next():
    chunks = [pa.array(words).dictionary_encode() for words in (["a", "b"], ["b", "c"])]
    assert Column.of(pa.table({"c": pa.chunked_array(chunks)}), "c", 1).categories().tolist() == ["a", "b", "b", "c"]


def test_bytes_that_are_no_text_are_named():
    with pytest.raises(ValueError, match="column 'c', row 2: bytes that are not UTF-8"):
        column([b"ok", b"\xff\xfe"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("33,365.48", "commas between thousands"),
        ("1.204,50", "decimal comma"),
        ("0,5", "decimal comma; write a point"),
        ("1 204", "gaps between thousands"),
        ("12 %", "in percent"),
        ("$5", "names a currency"),
        ("2026-11-29", "is a date"),
        ("1_2", "is not a number"),
        ("tbc", "is not a number"),
    ],
)
def test_a_number_written_otherwise_is_refused_with_the_remedy(text, told):
    with pytest.raises(ValueError, match=f"column 'c', row 2: '.*' .*{told}"):
        column(["1", text]).numbers()


EMPTY = {
    "vector": Modality("vector", width=3),
    "sequence": Modality("sequence", width=2),
    "regions": Modality("regions", width=2),
    "text": Modality("text"),
    "choices": Modality("choices", width=2),
    "image": Modality("image"),
    "audio": Modality("audio", rate=16_000),
    "video": Modality("video"),
    "table": Modality("table", columns={"m": "number"}),
}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize(
    "values", [pa.nulls(2), pa.array([None, None], pa.string()), pa.array(["", "NA"])], ids=["null", "text", "words"]
)
def test_a_column_that_holds_nothing_is_absent_whatever_its_kind(kind, values):
    found = cells_from_table(pa.table({"m": values}), "m", EMPTY[kind], folder=".")
    assert not found.present.any()
    assert len(found) == 2


@pytest.mark.parametrize("values", [[[], None], [None, None]])
def test_lists_that_hold_nothing_are_absent(values):
    for kind in ("vector", "sequence"):
        found = cells_from_table(pa.table({"m": pa.array(values, pa.list_(pa.null()))}), "m", EMPTY[kind], folder=".")
        assert not found.present.any()


@pytest.mark.parametrize("kind", ["vector", "sequence", "regions"])
@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0)])
def test_arrays_that_hold_nothing_are_absent_whatever_their_shape(tmp_path, kind, shape):
    np.save(tmp_path / "none.npy", np.zeros(shape))
    whole = {"vector": np.ones(3), "sequence": np.ones((4, 2)), "regions": np.full((1, 6), [0.1, 0.1, 0.2, 0.2, 1.0, 1.0])}[kind]
    np.save(tmp_path / "whole.npy", whole)
    table = pa.table({"m": ["none.npy", "whole.npy", None]})
    assert cells_from_table(table, "m", Modality(kind), folder=tmp_path).present.tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f2", np.longdouble, ">i4", "<u2", "?"])
def test_arrays_of_any_machine_and_precision_are_the_same_numbers(tmp_path, dtype):
    values = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    np.savez(tmp_path / "a.npz", e=values)
    np.save(tmp_path / "row.npy", values[1])
    (tmp_path / "p.csv").write_text("p,x\nrow.npy,1\n")
    in_table = cells_from_table(read_table(tmp_path / "a.npz"), "e", Modality("vector", width=3), folder=tmp_path)
    in_file = cells_from_table(read_table(tmp_path / "p.csv"), "p", Modality("vector", width=3), folder=tmp_path)
    np.testing.assert_array_equal(in_table.values, [[0, 1, 1], [1, 0, 1]])
    np.testing.assert_array_equal(in_file.values, [[1, 0, 1]])
    assert in_table.values.dtype == in_file.values.dtype == np.float32


@pytest.mark.parametrize(("value", "width"), [(np.float32(3.5), 1), (np.array([[1.0, 2.0]]), 2)], ids=["scalar", "[1 N]"])
def test_one_number_and_one_row_as_numpy_saves_them(tmp_path, value, width):
    np.save(tmp_path / "v.npy", value)
    found = cells_from_table(pa.table({"p": ["v.npy"]}), "p", Modality("vector"), folder=tmp_path)
    np.testing.assert_array_equal(found.values, np.reshape(value, (1, width)))


@pytest.mark.parametrize(
    ("value", "told"),
    [(np.array([1 + 2j]), "complex numbers"), (np.array(["2026-11-29"], "M8[D]"), "dates"), (np.array(["a"]), "<U1")],
)
def test_arrays_that_hold_no_numbers_are_named(tmp_path, value, told):
    np.save(tmp_path / "v.npy", value)
    with pytest.raises(ValueError, match=f"column 'p', row 1: v.npy holds {told}"):
        cells_from_table(pa.table({"p": ["v.npy"]}), "p", Modality("vector"), folder=tmp_path)
    np.savez(tmp_path / "v.npz", e=np.array([1 + 2j]))
    with pytest.raises(ValueError, match=r"v\.npz: array 'e' .* complex numbers"):
        read_table(tmp_path / "v.npz")


def test_a_packed_text_file_is_its_content(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n"))
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(json.dumps({"a": "1", "b": "x"}).encode()))
    assert (
        read_table(tmp_path / "t.csv.gz").to_pylist() == read_table(tmp_path / "t.jsonl.gz").to_pylist() == [{"a": "1", "b": "x"}]
    )
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n")[:-6])
    with pytest.raises(ValueError, match=r"cut\.csv\.gz is not a whole \.gz file"):
        read_table(tmp_path / "cut.csv.gz")


def test_another_delimiter_is_named_or_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1;x\n")
    assert read_table(tmp_path / "t.csv", delimiter=";").to_pylist() == [{"a": "1", "b": "x"}]
    with pytest.raises(ValueError, match="say --delimiter ';'"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="expected one character"):
        read_table(tmp_path / "t.csv", delimiter=";;")


@pytest.mark.parametrize("kind", [pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()), pa.list_(pa.int64())])
def test_what_is_nested_is_neither_word_nor_number(kind):
    for read in (Column.categories, Column.texts):
        with pytest.raises(ValueError, match="column 'c' holds"):
            read(column([None, None], kind))


def test_an_array_of_one_column_is_a_plain_one(tmp_path):
    np.savez(tmp_path / "a.npz", e=np.ones((2, 3)), y=np.array([[1.5], [2.5]]))
    assert read_table(tmp_path / "a.npz")["y"].to_pylist() == [1.5, 2.5]


def test_half_a_character_is_named(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"t": "ok"}\n{"t": "cut \\ud83d"}\n')
    with pytest.raises(ValueError, match=r"t\.jsonl: column 't', row 2: half of a character"):
        read_table(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"t": ["a", "cut \ud83d"]}, "column 't', row 2: half of a character"),
        ({"t": {"a": "cut \ud83d"}}, "column 't', row 2: half of a character"),
        ({"t\ud83d": "whole"}, "the name of a column, 't.ud83d', holds half of a character"),
    ],
)
def test_half_a_character_is_named_wherever_it_stands(tmp_path, row, told):
    whole = {"list": ["a", "b"], "dict": {"a": "b"}}.get(type(next(iter(row.values()))).__name__, "a")
    (tmp_path / "t.jsonl").write_text(json.dumps({"t": whole}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=rf"t\.jsonl: {told}"):
        read_table(tmp_path / "t.jsonl")


def test_half_a_character_in_an_array_and_bytes_in_parquet_are_named(tmp_path):
    np.savez(tmp_path / "t.npz", t=np.array(["ok", "cut \ud83d"]))
    with pytest.raises(ValueError, match=r"t\.npz: column 't', row 2: half of a character"):
        read_table(tmp_path / "t.npz")
    ends = pa.py_buffer(np.array([0, 2, 4], np.int32).tobytes())
    parquet.write_table(
        pa.table({"t": pa.StringArray.from_buffers(2, ends, pa.py_buffer(b"ok\xff\xfe"))}), tmp_path / "t.parquet"
    )
    with pytest.raises(ValueError, match="column 't', row 2: bytes that are not UTF-8 text"):
        cells_from_table(read_table(tmp_path / "t.parquet"), "t", Modality("text"), folder=tmp_path)


def test_large_numbers_near_one_another_stay_apart():
    table = pa.table({"m": pa.array([[1.7e9 + i, 0.0] for i in range(4)])})
    kept = cells_from_table(table, "m", Modality("vector", width=2, double=True), folder=".")
    assert kept.values.dtype == np.float64
    np.testing.assert_array_equal(kept.values[:, 0] - 1.7e9, [0, 1, 2, 3])


def test_a_view_of_categories_takes_every_file_type_alike(tmp_path):
    """A student that learnt of 1 knows 1.0, whoever wrote it."""
    modality = Modality("table", columns={"k": "category", "n": "number"}, source=("k", "n"))
    (tmp_path / "train.csv").write_text("k,n\n1,0.1\n2,0.2\n1,0.3\n")
    (tmp_path / "int.csv").write_text("k,n\n1,0.1\n2,0.1\n")
    (tmp_path / "float.tsv").write_text("k\tn\n1.0\t0.1\n2.0\t0.1\n")
    (tmp_path / "mixed.jsonl").write_text('{"k": 1, "n": 0.1}\n{"k": 2.0, "n": 0.1}\n')
    parquet.write_table(pa.table({"k": pa.array([1, 2], pa.int8()), "n": [0.1, 0.1]}), tmp_path / "int.parquet")
    parquet.write_table(pa.table({"k": pa.array([1, 2], pa.float32()), "n": ["0.1", "0.10"]}), tmp_path / "float.parquet")
    np.savez(tmp_path / "a.npz", k=np.array([1, 2], ">i2"), n=np.array([0.1, 0.1]))
    read = {
        path.name: cells_from_table(read_table(path), "t", modality, folder=tmp_path)
        for path in tmp_path.iterdir()
        if path.is_file()
    }
    view = Table().fit(read.pop("train.csv"))
    found = {name: view.prepare(cells) for name, cells in read.items()}
    assert len(found) == 6
    for name, fields in found.items():
        for field, values in fields.items():
            np.testing.assert_allclose(values, found["int.csv"][field], err_msg=f"{name} {field}")
