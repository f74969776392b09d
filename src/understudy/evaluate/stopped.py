"""Stopped: where and why a run's trainings ended, and what a verdict is worth of students that had more to learn. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from understudy.evaluate.results import STILL
from understudy.process.log import read_log, seeds_of

COMPARED = ("plain", "distilled")


class Stopped(TypedDict):
    """A training: its epochs, the one whose weights are kept (None: the last), and why it ended.

    "plateau": validation no longer improved; "epochs" or "minutes": its plan was at an end.
    """

    epochs: int
    best_epoch: int | None
    reason: str


def stopped_of(run: Path, system: str, metric: str, *, higher: bool) -> list[Stopped]:
    """Of each seed, from its log; trainings that logged no reason, as those of earlier versions, are left out."""
    found: list[Stopped] = []
    for folder in seeds_of(run / system):
        lines = read_log(folder)
        if not lines or "stopped" not in lines[-1]:
            continue
        scores = [line["valid"].get(metric) for line in lines]
        best = None
        if all(score is not None for score in scores):
            best = scores.index((max if higher else min)(scores))
        found.append({"epochs": len(lines), "best_epoch": best, "reason": lines[-1]["stopped"]})
    return found


def with_stops(results: Mapping[str, Any], run: Path, *, waited: Mapping[str, bool]) -> dict[str, Any]:
    """results.json with where each system stopped, and without a verdict where most trainings of a student had more to learn.

    waited: whether a system's plan waits for a plateau. One that waits and comes to the end of its epochs or minutes first would
    have gone on; of a plan that is fixed in advance nobody knows.
    """
    metric, systems, learning = results["metric"], {}, []
    for name, system in results["systems"].items():
        stops = stopped_of(run, name, metric["name"], higher=metric["higher_is_better"])
        systems[name] = {**system, "stopped": stops} if stops else system
        cut = sum(each["reason"] != "plateau" for each in stops)
        if waited.get(name) and 2 * cut > len(stops):
            learning.append(name)
    found = {**results, "systems": systems}
    if learning:
        found["still_learning"] = learning
    if set(learning) & set(COMPARED):
        found["comparison"] = {**results["comparison"], "verdict": STILL}
    return found
