"""`import table` some rows at a time: the corpus of one look at all rows, however the input comes."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from understudy.corpus import Corpus, check, write
from understudy.corpus.importers.table import import_table
from understudy.prepare import pieces, spool

ROWS = 500
module = importlib.import_module("understudy.corpus.importers.table")
ASKED: dict[str, Any] = {"target": "y", "id": "id", "group": "who", "split": "part"}
MODALITIES: dict[str, Any] = {
    "numbers": "vector:x_*",
    "facts": {"kind": "table", "columns": ["age", "town"]},
    "said": "text:said",
}


def made() -> pa.Table:
    random = np.random.default_rng(0)
    part = np.where(np.arange(ROWS) % 5 == 4, "test", np.where(np.arange(ROWS) % 5 == 3, "valid", "train"))
    columns = {
        "id": [f"r{row}" for row in range(ROWS)],
        "x_0": random.normal(size=ROWS),
        "x_1": np.where(random.random(ROWS) < 0.2, np.nan, random.normal(size=ROWS)),
        "age": [None if row % 7 == 0 else row % 50 for row in range(ROWS)],
        "town": [None if row % 11 == 0 else ("Ulm", "Rom")[row % 2] for row in range(ROWS)],
        "said": [None if row % 3 == 0 else f'"Row", {row}\nof many' * (1 + row % 4) for row in range(ROWS)],
        "who": [f"g{row}" for row in range(ROWS)],
        "part": part,
        "y": [None if row < 90 and row % 5 < 3 else ("yes", "no")[row % 2] for row in range(ROWS)],
    }
    return pa.table(columns)


def saved(folder: Path, name: str) -> Path:
    table, path = made(), folder / name
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=64)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=90)
    elif path.suffix == ".jsonl":
        path.write_text(
            "".join(json.dumps({k: None if v != v else v for k, v in row.items()}) + "\n" for row in table.to_pylist())
        )
    else:
        csv.write_csv(table, path)
    return path


@pytest.fixture
def streamed(monkeypatch) -> None:
    """Nothing is so small that it is read, held or written at once."""
    for each, name, value in (
        (module, "ROWS", 32),
        (module, "FEW", 8),
        (pieces, "AT_ONCE", 0),
        (pieces, "BLOCK", 2**11),
        (spool, "MEMORY", 2**10),
        (write, "STREAMED_BYTES", 2**13),
    ):
        monkeypatch.setattr(each, name, value)


def same(one: Corpus, other: Corpus) -> None:
    everyone = np.arange(len(one))
    assert one.fingerprint == other.fingerprint
    assert (one.ids == other.ids).all()
    for name in one.modalities:
        first, second = one.cells(name, everyone), other.cells(name, everyone)
        assert (first.present == second.present).all()
        if name == "numbers":
            np.testing.assert_array_equal(first.values, second.values)
    assert one.cells("said", everyone).values == other.cells("said", everyone).values
    assert one.split("given").hash == other.split("given").hash


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.jsonl"])
def test_a_stream_is_the_whole(tmp_path, request, name):
    path = saved(tmp_path, name)
    whole = import_table(path, tmp_path / "whole", modalities=MODALITIES, **ASKED)
    request.getfixturevalue("streamed")
    stream = import_table(path, tmp_path / "stream", modalities=MODALITIES, **ASKED)
    assert len(whole.shards) == 1
    assert len(stream.shards) > 3
    same(whole, stream)
    assert check(stream).errors == []
    some = np.random.default_rng(1).permutation(ROWS)[:40]
    assert stream.cells("said", some).values == whole.cells("said", some).values


def test_a_folder_of_files_is_one_table(tmp_path, streamed):
    whole = import_table(saved(tmp_path, "t.parquet"), tmp_path / "whole", modalities=MODALITIES, **ASKED)
    (tmp_path / "in").mkdir()
    for number in range(5):
        parquet.write_table(made().slice(number * 100, 100), tmp_path / "in" / f"{number}.parquet")
    same(whole, import_table(tmp_path / "in", tmp_path / "stream", modalities=MODALITIES, **ASKED))
    parquet.write_table(pa.table({"id": ["z"]}), tmp_path / "in" / "9.parquet")
    with pytest.raises(ValueError, match="the columns differ"):
        import_table(tmp_path / "in", tmp_path / "more", modalities=MODALITIES, **ASKED)


@pytest.mark.parametrize(
    ("column", "row", "value", "said"),
    [
        ("id", 400, "r17", "id 'r17' stands in rows 18 and 401; ids must be unique"),
        ("id", 400, None, "id None in row 401: ids are strings that are not empty"),
        ("x_0", 333, float("inf"), "column 'x_0', row 334: infinite or beyond"),
    ],
)
def test_what_is_wrong_late_in_a_table_is_named_by_its_row(tmp_path, streamed, column, row, value, said):
    table = made()
    values = table[column].to_pylist()
    values[row] = value
    changed = table.set_column(table.column_names.index(column), column, pa.array(values))
    parquet.write_table(changed, tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=said):
        import_table(tmp_path / "t.parquet", tmp_path / "out", modalities=MODALITIES, **ASKED)
    assert [each.name for each in tmp_path.iterdir()] == ["t.parquet"]


def test_a_modality_that_begins_late_is_found_and_one_of_nothing_is_refused(tmp_path, streamed):
    lists = [None] * 450 + [[1.0, 2.0, float(row)] for row in range(50)]
    table = pa.table(
        {"v": pa.array(lists, pa.list_(pa.float32())), "said": ["a b"] * ROWS, "y": [0.5 * row for row in range(ROWS)]}
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    corpus = import_table(tmp_path / "t.parquet", tmp_path / "c", target="y", modalities={"v": "vector:v", "said": "text"})
    assert corpus.modalities["v"].width == 3
    assert np.flatnonzero(corpus.present("v")).tolist() == list(range(450, 500))
    nothing = table.set_column(0, "v", pa.nulls(ROWS, pa.list_(pa.float32())))
    parquet.write_table(nothing, tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="modality 'v' is absent in every row; leave it out"):
        import_table(tmp_path / "t.parquet", tmp_path / "d", target="y", modalities={"v": "vector:v", "said": "text"})
