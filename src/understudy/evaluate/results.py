"""Results: a run's results.json as it is read back. Torch-free."""

from pathlib import Path
from typing import Any

from understudy.whole import read_json

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
