"""Dates as numbers, held against Python's own calendar."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.prepare.columns import Column
from understudy.prepare.dates import parts_of, varying


def column(values) -> Column:
    return Column.of(pa.table({"when": values}), "when", 1)


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))
def test_the_parts_are_those_of_the_calendar(moment):
    for values in (
        pa.array([moment, None]),
        pa.array([moment.isoformat(), None]),
        pa.array([f" {moment.isoformat(' ')} ", "NA"]),
    ):
        found = parts_of(column(values))
        passed = moment.timetuple().tm_yday - 1 + (moment.hour + moment.minute / 60) / 24
        wanted = [moment.year + passed / 366, moment.month, moment.isoweekday(), moment.hour + moment.minute / 60]
        np.testing.assert_allclose([each[0] for each in found.values()], wanted, rtol=1e-12)
        assert all(np.isnan(each[1]) for each in found.values())


def test_a_zone_shows_its_own_clock_and_text_with_one_is_in_utc():
    moment = datetime(2026, 5, 31, 23, 30, tzinfo=timezone(timedelta(hours=2)))
    assert parts_of(column(pa.array([moment], pa.timestamp("us", "+02:00"))))["hour"][0] == 23.5
    assert parts_of(column(pa.array([moment.isoformat()])))["hour"][0] == 21.5


def test_what_never_changes_is_not_read():
    assert varying(column(pa.array([date(2026, 5, 4), date(2026, 5, 11)]))) == ["year"]
    assert varying(column(pa.array([date(2026, 5, 4)] * 2))) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["2026-05-31", "31.5.2026"], "column 'when', row 2: '31.5.2026' is no date; write 2026-05-31, or 2026-05-31T13:45"),
        ([1, 2], "column 'when' holds int64; expected dates"),
    ],
)
def test_what_is_no_date_is_said(values, said):
    with pytest.raises(ValueError, match=said):
        parts_of(column(pa.array(values)))
