"""Shares: intervals stay within what a share can be, other metrics' as they are."""

import pytest

from understudy.tasks.shares import bounded


@pytest.mark.parametrize(
    ("metric", "given", "kept"),
    [
        ("accuracy", (0.7984, 1.172), (0.7984, 1.0)),
        ("ece", (-0.1, 0.2), (0.0, 0.2)),
        ("mae", (-0.1, 1.2), (-0.1, 1.2)),
    ],
)
def test_only_shares_are_kept_within_0_and_1(metric, given, kept):
    assert bounded(metric, *given) == kept
