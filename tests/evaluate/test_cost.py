"""Cost: parameters are counted exactly, latencies are plausible and bounded in time."""

import json

import numpy as np
import pytest

from toy import CLASSES, toy_model
from understudy.evaluate import cost
from understudy.evaluate.cost import clock, measure, parameters_of, write_cost
from understudy.prepare.cells import Cells


def cells(present):
    here = np.array(present)
    return Cells("vector", np.ones((len(here), 4), dtype=np.float32), here)


def test_parameters_by_part():
    found = parameters_of(toy_model(CLASSES, "x", "y"))
    assert found["encoders"] == {"x": 25, "y": 25}
    assert found["total"] == 50 + found["fusion"] + found["head"]
    assert found["head"] == 6 * 3 + 3


def test_measure_is_complete(tmp_path):
    model = toy_model(CLASSES, "x", "y").train()
    found = measure(model, {"x": cells([True, False, True]), "y": cells([False, False, False])}, seconds=0.2)
    assert model.training
    assert found["latency_ms"]["encoders"]["y"] is None
    assert found["latency_ms"]["views"]["y"] is None
    for timed in (found["latency_ms"]["model"], found["latency_ms"]["encoders"]["x"], found["latency_ms"]["views"]["x"]):
        assert 0 < timed["p50"] <= timed["p95"] < 1000
    write_cost(tmp_path, {"plain": found})
    assert json.loads((tmp_path / "cost.json").read_text())["plain"]["parameters"]["total"] == found["parameters"]["total"]


def test_the_clock_tells_milliseconds_and_stops(monkeypatch):
    now = 0.0

    def call(seconds):
        nonlocal now
        now += seconds

    monkeypatch.setattr(cost, "perf_counter", lambda: now)
    assert clock(call, [0.004, 0.006], 0.1) == pytest.approx({"p50": 5, "p95": 6, "calls": 20})
    assert clock(call, [0.5], 0.1) == pytest.approx({"p50": 500, "p95": 500, "calls": 3})
    assert clock(call, [], 0.1) is None
