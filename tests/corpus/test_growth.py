"""How work grows, in steps of Python: more rows take hardly more of them, groups and columns no more than in proportion."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from understudy.corpus import Corpus, check, leave_one_group_out, make_split
from understudy.corpus.importers.table import import_table
from understudy.prepare import Table


def steps(work: Callable[[], object]) -> int:
    """Calls of functions, those written in C too, that it takes."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def saved(folder: Path, rows: int) -> Path:
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {"id": [f"r{row}" for row in range(rows)], "y": random.normal(size=rows)}
    columns |= {"x": random.normal(size=(rows, 3)).tolist(), "said": [f"row {row} of many" for row in range(rows)]}
    columns |= {"age": random.integers(0, 90, rows), "town": random.choice(["Ulm", "Rom"], rows)}
    path = folder / f"{rows}.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


MODALITIES = {"x": "vector", "said": "text", "facts": "table:age,town"}


@pytest.fixture
def twice(tmp_path) -> list[tuple[Path, Corpus]]:
    """A table and its corpus, and the same of twice the rows."""
    paths = [saved(tmp_path, rows) for rows in (3000, 6000)]
    made = [import_table(path, tmp_path / path.stem, target="y", id="id", modalities=MODALITIES) for path in paths]
    return list(zip(paths, made, strict=True))


def test_twice_the_rows_take_hardly_more_steps(twice, tmp_path):
    for what in (
        lambda path, corpus: import_table(path, tmp_path / f"{path.stem}-again", target="y", id="id", modalities=MODALITIES),
        lambda path, corpus: corpus.save_split(make_split(corpus, name="s")),
        lambda path, corpus: Corpus(corpus.folder).split("s"),
        lambda path, corpus: corpus.cells("x", np.arange(len(corpus))),
    ):
        one, two = (steps(partial(what, path, corpus)) for path, corpus in twice)
        assert two < 1.3 * one


def test_twice_the_groups_take_twice_the_steps(tmp_path):
    def left_out(rows: int) -> int:
        random = np.random.default_rng(0)
        columns = {"x": random.normal(size=rows), "y": [("no", "yes")[row % 2] for row in range(rows)]}
        columns |= {"who": [f"g{row // 10}" for row in range(rows)]}
        corpus = import_table(columns, tmp_path / f"{rows}", target="y", group="who", modalities={"x": "vector"})
        return steps(lambda: leave_one_group_out(corpus))

    assert left_out(800) < 2.3 * left_out(400)


def test_twice_the_columns_take_twice_the_steps(tmp_path):
    def read(columns: int) -> int:
        random = np.random.default_rng(0)
        data: dict[str, Any] = {f"c{number}": random.normal(size=20) for number in range(columns)}
        data |= {f"k{number}": [f"v{row * number % 3}" for row in range(20)] for number in range(columns)}
        asked = {"facts": {"kind": "table", "columns": ["c*", "k*"]}}

        def all_of_it() -> None:
            corpus = import_table(data | {"y": np.arange(20.0)}, tmp_path / f"{columns}", target="y", modalities=asked)
            check(corpus)
            cells = corpus.cells("facts", np.arange(20))
            Table().fit(cells).prepare(cells)

        return steps(all_of_it)

    assert read(200) < 2.3 * read(100)
