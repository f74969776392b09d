"""read_table: every file type, and every malformed file as one clear error."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from understudy.prepare.source import read_table

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def write(folder, content: bytes, name="table.csv"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        (b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n3,""\r\n', {"a": ["1", "3"], "b": ["x\r\ny", None]}),
        (b'a,b\n"say ""hi"", you",5" pipe\n', {"a": ['say "hi", you'], "b": ['5" pipe']}),
        (b"a,b", {"a": [], "b": []}),
        (b"a,b\n\n007,NA\n\n", {"a": ["007"], "b": ["NA"]}),
        (b"a\nx\n\ny\n", {"a": ["x", None, "y"]}),
        (b"a\nx\n\ny\n\n\n", {"a": ["x", None, "y", None, None]}),
        (b"a\r\nx\r\n\r\n", {"a": ["x", None]}),
        (b"a\nx", {"a": ["x"]}),
        (b"a\n", {"a": []}),
        (b"\r\n\na, b \n1, x\n", {"a": ["1"], "b": [" x"]}),
        ("größe,日本\né,🎬\n".encode(), {"größe": ["é"], "日本": ["🎬"]}),
        (b'"a\nb",c\n1,2', {"a\nb": ["1"], "c": ["2"]}),
    ],
)
def test_csv(tmp_path, content, expected):
    assert read_table(write(tmp_path, content)).to_pydict() == expected


def test_csv_with_cells_of_a_megabyte(tmp_path):
    long = "word " * 250_000
    table = read_table(write(tmp_path, f'id,text\n1,{long}\n2,"{long}\n,"\n'.encode()))
    assert [len(text) for text in table["text"].to_pylist()] == [len(long), len(long) + 2]


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=6))
def test_csv_round_trip(tmp_path_factory, rows):
    quoted = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in [("a", "b"), *rows])
    table = read_table(write(tmp_path_factory.mktemp("csv"), quoted.encode()))
    assert list(zip(*table.to_pydict().values(), strict=True)) == [tuple(cell or None for cell in row) for row in rows]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has 3 cells; expected 2"),
        (b"a,b\n1\n", "row 1 has 1 cells; expected 2"),
        (b'a,b\n1,2\n3,"open\n4,5\n', "row 2 opens a quote that is never closed"),
        (b"a,a\n1,2\n", "two columns are called 'a'"),
        (b"a, a\n1,2\n", "two columns are called 'a'"),
        (b"a,b\n1,2\n3,\xff\n", "line 3 is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_malformed_csv(tmp_path, content, fault):
    with pytest.raises(ValueError, match=fault) as error:
        read_table(write(tmp_path, content))
    assert "table.csv" in str(error.value)


def test_tsv(tmp_path):
    assert read_table(write(tmp_path, b"a\tb\n1,5\t2\n", "table.tsv")).to_pydict() == {"a": ["1,5"], "b": ["2"]}


def test_jsonl(tmp_path):
    rows = [{"a": 1, "t": "2020-01-01", "v": [1, 2.5]}, {"a": 2.5, "v": None}, {"n": [[1.0]], "a": None}]
    text = "\n\n".join(json.dumps(row) for row in rows)
    table = read_table(write(tmp_path, b"\xef\xbb\xbf" + text.encode(), "table.jsonl")).to_pydict()
    assert table == {
        "a": [1, 2.5, None],
        "t": ["2020-01-01", None, None],
        "v": [[1, 2.5], None, None],
        "n": [None, None, [[1]]],
    }


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        (b"[1]\n", "line 1 is not a JSON object"),
        (b'{"a": 1}\n{"a": "x"}\n', "column 'a', row 2: values of different kinds"),
        (b'{"a": 1}\n{"a": [1]}\n', "column 'a', row 2"),
        (b'{"a": "\xff"}', "line 1 is not JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "two entries of one object are called 'a'"),
    ],
)
def test_malformed_jsonl(tmp_path, content, fault):
    with pytest.raises(ValueError, match=fault) as error:
        read_table(write(tmp_path, content, "table.jsonl"))
    assert "table.jsonl" in str(error.value)


def test_parquet(tmp_path):
    table = pa.table({"a": [1, None], "v": [[1.0], None]})
    parquet.write_table(table, tmp_path / "table.parquet")
    assert read_table(tmp_path / "table.parquet").equals(table)
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        read_table(write(tmp_path, b"no", "wrong.parquet"))
    parquet.write_table(pa.table([[1], [2]], ["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match=r"twice\.parquet: two columns are called 'a'"):
        read_table(tmp_path / "twice.parquet")


def test_npz(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, n=np.arange(2), v=np.arange(6.0).reshape(2, 3), s=np.arange(8).reshape(2, 2, 2), t=np.array(["a", "bé"]))
    assert read_table(path).to_pydict() == {
        "n": [0, 1],
        "v": [[0, 1, 2], [3, 4, 5]],
        "s": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]],
        "t": ["a", "bé"],
    }


@pytest.mark.parametrize(
    "arrays",
    [
        {"o": np.array([{}, None], dtype=object)},
        {"a": np.zeros(2), "b": np.zeros(3)},
        {"a": np.float64(1)},
        {},
        {"c": np.zeros(2, dtype=complex)},
    ],
)
def test_malformed_npz(tmp_path, arrays):
    np.savez(tmp_path / "table.npz", **arrays)
    with pytest.raises(ValueError, match=r"table\.npz"):
        read_table(tmp_path / "table.npz")
    whole = (tmp_path / "table.npz").read_bytes()
    (tmp_path / "table.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"table\.npz is not a \.npz file"):
        read_table(tmp_path / "table.npz")


def test_no_such_file_and_no_such_type(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match=r"unknown file type '.xlsx'; known: .csv, .tsv, .parquet, .arrow, .jsonl, .npz"):
        read_table(write(tmp_path, b"", "table.xlsx"))
