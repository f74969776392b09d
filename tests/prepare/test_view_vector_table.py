"""Vector and Table views, cell by cell."""

import numpy as np
import pytest

from understudy.prepare import Knots, Table, Vector
from understudy.prepare.cells import Cells


def table(ages, towns, present=None):
    values = {"age": np.array(ages, dtype=np.float64), "town": np.array(towns, dtype=object)}
    return Cells("table", values, np.ones(len(ages), dtype=bool) if present is None else np.array(present))


def test_vector_by_hand():
    train = Cells("vector", np.array([[1, 5], [3, 5], [900, 900]], dtype=np.float32), np.array([True, True, False]))
    view = Vector().fit(train)
    assert view.width == 2
    rows = Cells("vector", np.array([[2, np.nan], [5, 6], [7, 7]], dtype=np.float32), np.array([True, True, False]))
    np.testing.assert_array_equal(view.prepare(rows)["values"], np.array([[0, 0], [3, 1], [0, 0]], dtype=np.float32))


def test_knots_are_the_train_quantiles_and_come_back():
    rows = np.stack([np.arange(13), np.r_[np.zeros(12), 1]], axis=1).astype(np.float32)
    train = Cells("vector", rows, np.ones(13, dtype=bool))
    view = Knots().fit(train)
    np.testing.assert_allclose(view.knots[0], Vector().fit(train).prepare(train)["values"][:, 0], atol=1e-6)
    assert len(np.unique(view.knots[1])) == 2
    again = Knots.restore(view.state(), {})
    assert again.key == view.key
    np.testing.assert_array_equal(again.knots, view.knots)


def test_table_by_hand():
    view = Table().fit(table([10, 30, np.nan], ["Ulm", "Rom", None]))
    assert (view.numbers, view.categories) == (("age",), {"town": ("Rom", "Ulm")})
    fields = view.prepare(table([30, np.nan, 20, 7], ["Ulm", None, "Bonn", "Rom"], [True, True, True, False]))
    np.testing.assert_array_equal(fields["numbers"], np.array([[1], [0], [0], [0]], dtype=np.float32))
    np.testing.assert_array_equal(fields["missing"], [[False], [True], [False], [False]])
    np.testing.assert_array_equal(fields["categories"], [[2], [0], [0], [0]])


def test_categories_of_absent_train_rows_are_not_known():
    view = Table().fit(table([1, 2], ["Ulm", "Rom"], [True, False]))
    assert view.categories == {"town": ("Ulm",)}


@pytest.mark.parametrize(("kept", "fields"), [("age", {"numbers", "missing"}), ("town", {"categories"})])
def test_table_of_one_sort_only(kept, fields):
    both = table([1, 2], ["Ulm", "Rom"])
    cells = Cells("table", {kept: both.values[kept]}, both.present)
    assert Table().fit(cells).prepare(cells).keys() == fields


def test_a_lost_column_is_named():
    view = Table().fit(table([1, 2], ["Ulm", "Rom"]))
    with pytest.raises(ValueError, match="no column 'town'; the table has: age"):
        view.prepare(Cells("table", {"age": np.zeros(1)}, np.ones(1, dtype=bool)))


def test_an_unfitted_view_says_what_is_wrong():
    with pytest.raises(ValueError, match="this view was fitted on 0"):
        Vector().prepare(Cells("vector", np.zeros((1, 2), dtype=np.float32), np.ones(1, dtype=bool)))
