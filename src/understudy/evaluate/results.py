"""Results: a run's results.json as it is read back. Torch-free."""

from pathlib import Path
from typing import Any, Literal

from understudy.process.whole import read_json

SystemName = Literal["distilled", "plain", "teacher", "joint_teacher", "auxiliary"]
"""What a run may hold; joint_teacher and auxiliary where a teacher or an auxiliary model trained beside the student."""
PARTS = {"task", "metric", "coverage", "split", "systems", "comparison"}
"""What no results.json is without."""


def read_results(run: Path) -> dict[str, Any]:
    """FileNotFoundError that says what to do when the folder is no finished run, ValueError for a file that is damaged."""
    path = run / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{run} holds no results.json: give the folder of a finished run")
    results = read_json(path)
    if missing := PARTS - set(results):
        raise ValueError(f"{path} lacks {', '.join(sorted(missing))}; finish the run again")
    return results
