"""Results: a run's results.json as it is read back. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from understudy.process.document import Shape, misfit
from understudy.process.whole import read_json

SystemName = Literal["distilled", "plain", "teacher", "joint_teacher", "auxiliary", "assistant"]
"""What a run may hold; joint_teacher and auxiliary where a teacher or an auxiliary model trained beside the student.

assistant: where one stood between teacher and student.
"""
ONE_RUN, STILL = "one training run", "still learning when stopped"
LABELS = "labels alone"
"""Whom the distilled student listened to, where validation rows say that answers harm: it is the plain one."""
OPEN = (ONE_RUN, STILL)
"""In place of a verdict, where there is none."""
NUMBER: Shape = (float, None)
SCORES: Shape = {"mean": NUMBER, "std": NUMBER, "low": NUMBER, "high": NUMBER, "seeds": [NUMBER]}
STOPPED: Shape = {"epochs": int, "best_epoch": (int, None), "reason": str}
SYSTEM: Shape = {"modalities": [str], "parameters": int, "metrics": {...: SCORES}, "stopped?": [STOPPED]}
DIFFERENCE: Shape = {"difference": NUMBER, "low": NUMBER, "high": NUMBER, "p": NUMBER, "verdict": str}
DOCUMENT: Shape = {
    "task": {},
    "metric": {"name": str, "higher_is_better": bool},
    "coverage": float,
    "rows?": int,
    "split": {"name": str, "untested?": {...: [str]}, ...: (int, str, {})},
    "selection?": str,
    "interval?": str,
    "systems": {"plain": SYSTEM, "distilled": SYSTEM, ...: SYSTEM},
    "comparison": DIFFERENCE | {"test": str, "aso?": (None, {"eps_min": NUMBER, "favours": bool})},
    "recovered_share?": (None, {"value": float, "low": float, "high": float}),
    "baselines?": {...: DIFFERENCE | {"model": str, "metric": NUMBER}},
    "still_learning?": [str],
    "search?": {"settings": int, "systems": {...: {"chose": str, "updates": int}}},
    "listening?": {"source": str, "train?": {...: NUMBER}, "held_out?": {...: NUMBER}},
}
"""What results.json holds; entries that may lack are younger than the first runs."""


def read_results(run: Path) -> dict[str, Any]:
    """FileNotFoundError that says what to do when the folder is no finished run, ValueError for a file that is damaged."""
    path = run / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{run} holds no results.json: give the folder of a finished run")
    # Not above: the command line asks this file for names before anybody needs NumPy, which tasks bring along.
    from understudy.tasks import TASK

    results = read_json(path)
    said = misfit(results, DOCUMENT | {"task": TASK})
    if not said:
        name, systems = results["metric"]["name"], results["systems"]
        said = next((f"systems.{each} has no {name}" for each in systems if name not in systems[each]["metrics"]), "")
    if said:
        raise ValueError(f"{path} is damaged: {said}; finish the run again")
    return results


@dataclass(frozen=True)
class Recommended:
    """What a run's numbers say to use: the `system`, unless a baseline, `rather`, is at least as good on the same columns."""

    system: Literal["distilled", "plain"]
    rather: str = ""


def recommended(results: Mapping[str, Any]) -> Recommended | None:
    """The distilled student where it is better than plain, else the plain one; None where there is no verdict."""
    verdict, metric = results["comparison"]["verdict"], results["metric"]
    if verdict in OPEN:
        return None
    system = "distilled" if verdict == "better" else "plain"
    sign = 1 if metric["higher_is_better"] else -1
    reached = {name: sign * each["metric"] for name, each in results.get("baselines", {}).items()}
    best = max(reached, key=lambda name: reached[name], default="")
    ahead = best and reached[best] >= sign * results["systems"][system]["metrics"][metric["name"]]["mean"]
    return Recommended(system, best if ahead else "")


def todo(results: Mapping[str, Any]) -> str:
    """What a run without a verdict lacks, as a request."""
    if results["comparison"]["verdict"] == STILL:
        return "give it more time (--plan epochs=N, or more minutes)"
    return "train several seeds (--seeds 5)"
