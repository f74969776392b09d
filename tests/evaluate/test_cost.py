"""Cost: parameters are counted exactly, latencies are plausible and bounded in time."""

import json
from time import perf_counter, sleep

import numpy as np
import pytest

from toy import CLASSES, toy_model
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


def test_measure_is_bounded_and_complete(tmp_path):
    model = toy_model(CLASSES, "x", "y").train()
    begin = perf_counter()
    found = measure(model, {"x": cells([True, False, True]), "y": cells([False, False, False])}, seconds=0.2)
    assert perf_counter() - begin < 2
    assert model.training
    assert found["latency_ms"]["encoders"]["y"] is None
    assert found["latency_ms"]["views"]["y"] is None
    for timed in (found["latency_ms"]["model"], found["latency_ms"]["encoders"]["x"], found["latency_ms"]["views"]["x"]):
        assert 0 < timed["p50"] <= timed["p95"] < 1000
    write_cost(tmp_path, {"plain": found})
    assert json.loads((tmp_path / "cost.json").read_text())["plain"]["parameters"]["total"] == found["parameters"]["total"]


def test_the_clock_tells_milliseconds():
    found = clock(lambda _: sleep(0.004), [0], 0.05)
    assert found is not None
    assert found["p50"] == pytest.approx(4, rel=0.6)
