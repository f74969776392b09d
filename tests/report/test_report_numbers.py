"""Numbers as people read them."""

import pytest

from understudy.report.numbers import change, interval, milliseconds, names, plain, probability, value, whole


def common(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.7841, "0.784"),
        (9.9, "9.900"),
        (23456.789, "23 457"),
        (123.456, "123.5"),
        (-0.0004, "−0.00040"),
        (0.0131, "0.013"),
        (0.0061, "0.0061"),
        (0.0, "0.000"),
        (1e-9, "0.000"),
    ],
)
def test_plain(number, text):
    assert common(plain(number)) == text


def test_values_by_metric():
    assert common(value("accuracy", 0.76432)) == "76.43 %"
    assert value("mae", 0.7841) == "0.784"
    assert common(value("n_non0", 1284.0)) == "1 284"
    assert value("corr", None) == value("corr", float("nan")) == "–"


def test_changes_carry_their_sign():
    assert change("accuracy", 0.182) == "+18.2"
    assert change("mae", -0.0131) == "−0.013"
    assert change("accuracy", 0.0) == "0.0"
    assert change("accuracy", -0.0001) == "0.0"


def test_intervals_of_shares_stay_within_a_hundred():
    assert common(interval("accuracy", 0.93, 1.02)) == "93.00 to 100.00"
    assert common(interval("mae", 0.5, 1.02)) == "0.500 to 1.020"
    assert interval("mae", None, None) == "–"


def test_small_things():
    assert probability(0.0001) == "p < 0.001"
    assert probability(0.0123) == "p = 0.012"
    assert probability(0.5) == "p = 0.50"
    assert milliseconds(None, "p50") == "–"
    assert milliseconds({"p50": 12.34}, "p50") == "12.3"
    assert names(["a"]) == "a"
    assert names(["a", "b", "c"]) == "a, b and c"
    assert whole(0) == "0"
