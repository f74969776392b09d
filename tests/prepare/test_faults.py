"""Rows that cannot be read are found, named as the user counts them, and absent; the others are as they were."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.prepare.cells import Modality
from understudy.prepare.faults import read_around
from understudy.prepare.source import cells_from_table

NUMBERS = Modality("vector", width=2, source=("a", "b"))
WORDS = Modality("text", source=("said",))


@given(bad=st.lists(st.booleans(), min_size=1, max_size=40), first=st.integers(1, 5))
def test_just_the_bad_rows_are_absent_and_named(bad, first):
    table = pa.table({"a": ["x" if wrong else "1.5" for wrong in bad], "b": ["2"] * len(bad)})
    read = lambda some, row: cells_from_table(some, "few", NUMBERS, folder=".", first_row=row)  # noqa: E731
    cells, faults = read_around(table, read, "few", first)
    assert cells.present.tolist() == [not wrong for wrong in bad]
    np.testing.assert_array_equal(cells.values[cells.present], np.full((len(bad) - sum(bad), 2), [1.5, 2], dtype=np.float32))
    assert [fault.row for fault in faults] == [first + i for i, wrong in enumerate(bad) if wrong]
    assert all(f"column 'a', row {fault.row}: 'x' is not a number" in fault.reason for fault in faults)


@pytest.mark.parametrize("kind", ["picture", "sound"])
def test_files_that_are_not_there(kind):
    modality = Modality("image" if kind == "picture" else "audio", rate=16000, source=("file",))
    table = pa.table({"file": ["none.png", None, "none.wav"]})
    read = lambda some, row: cells_from_table(some, kind, modality, folder="/nowhere", first_row=row)  # noqa: E731
    cells, faults = read_around(table, read, kind, 1)
    assert not cells.present.any()
    assert [(fault.row, fault.modality) for fault in faults] == [(1, kind), (3, kind)]
