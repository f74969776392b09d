"""Feeds: every row once, beside its like, with no padding that its batch does not need."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.artifact import feeds
from understudy.artifact.contract import GraphInput
from understudy.artifact.feeds import STEPS_AT_ONCE, Feed, alike

INPUTS = (GraphInput("t.ids", "int64", ("batch", "t.steps")), GraphInput("v.values", "float32", ("batch", 2)))


@settings(max_examples=30)
@given(cost=st.lists(st.integers(0, 3000), min_size=1, max_size=60), most=st.integers(1, 70))
def test_batches_hold_every_row_once_and_stay_within_their_bounds(cost, most):
    steps = np.array(cost)
    batches = [np.arange(len(cost))[places] for places in alike(steps, most)]
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(cost)))
    for rows in batches:
        assert len(rows) <= most
        assert len(rows) == 1 or len(rows) * steps[rows].max() <= STEPS_AT_ONCE


def test_rows_of_like_length_go_together_and_are_cut_to_the_longest(monkeypatch):
    monkeypatch.setattr(feeds, "STEPS_AT_ONCE", 8)
    lengths = np.array([1, 4, 2, 3])
    mask = np.arange(6) < lengths[:, None]
    ids = np.where(mask, np.arange(24).reshape(4, 6), 0)
    prepared = {"t": {"ids": ids, "mask": mask}, "v": {"values": np.arange(8.0).reshape(4, 2)}}
    found = list(Feed(INPUTS, ("t", "v")).batches(prepared, 4, 10))
    assert [np.arange(4)[places].tolist() for places, _ in found] == [[0, 2], [3, 1]]
    for places, inputs in found:
        longest = lengths[places].max()
        np.testing.assert_array_equal(inputs["t.ids"], ids[places, :longest])
        np.testing.assert_array_equal(inputs["v.values"], prepared["v"]["values"][places])


def test_a_graph_gets_what_it_reads_and_no_more():
    feed = Feed(INPUTS, ("v",))
    assert feed.fields["v"] == ("values",)
    values = np.zeros((3, 2))
    (places, inputs), *rest = feed.batches({"v": {"values": values, "present": np.ones(3)}}, 3, 2)
    assert list(inputs) == ["v.values"]
    assert places == slice(0, 2)
    assert len(rest) == 1
