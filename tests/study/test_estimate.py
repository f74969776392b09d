"""The estimate of what is left of a run."""

from understudy.study.estimate import Estimate


def test_unknown_systems_last_as_long_as_the_latest():
    estimate = Estimate({"teacher": 2, "plain": 2})
    assert estimate.after("teacher", 60.0) == "60.0 s, about 3.0 minutes left"
    estimate.skip("teacher")
    assert estimate.after("plain", 40.0) == "40.0 s, about 0.7 minutes left"
    assert estimate.after("plain", 20.0) == "20.0 s"
