"""The house: its rooms, who imports whom, how long its files are, and how much the main job can be told.

python -m benchmarks.house
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import understudy as us
from benchmarks.record import RESULTS, table, write_result

SOURCE = RESULTS.parent / "src" / "understudy"
ROOT = {"__init__", "__main__", "cli"}
"""Modules that Python or the command line want in the root."""
GOALS = {"root_modules": 0, "circles": 0, "largest_file": 400, "median_file": 120, "distill_parameters": 14}
MEANING = {
    "root_modules": "modules in the root beside __init__, __main__ and cli",
    "circles": "rooms that import one another in a circle",
    "largest_file": "lines of the longest file",
    "median_file": "lines of the median file",
    "distill_parameters": "parameters of `us.distill`, its further keywords counted as one",
}


def main() -> None:
    """Write results/house.json and .md; --quick writes nothing."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(SOURCE.rglob("*.py"))}
    figures = {
        "root_modules": sum(path.stem not in ROOT for path in SOURCE.glob("*.py")),
        "circles": len(circle(uses(lines))),
        "largest_file": max(lines.values()),
        "median_file": int(median(lines.values())),
        "distill_parameters": len(inspect.signature(us.distill).parameters),
    }
    rows = [
        {"room": room.name, "files": len(own), "lines": sum(own), "largest": max(own)}
        for room in sorted(path for path in SOURCE.iterdir() if path.is_dir())
        if (own := [many for path, many in lines.items() if room in path.parents])
    ]
    if "--quick" not in sys.argv[1:]:
        write_result("house", figures=figures, rows=rows, seeds=[], text=page(figures, rows))


def uses(files: dict[Path, int]) -> dict[str, set[str]]:
    """Room -> the rooms whose modules its files import, at import time or later."""
    found: dict[str, set[str]] = {}
    for path in files:
        room = path.relative_to(SOURCE).parts[0]
        if (SOURCE / room).is_dir():
            found.setdefault(room, set()).update(each for each in imported(path) if each != room)
    return found


def imported(path: Path) -> Iterator[str]:
    """The rooms that a file names in its imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("understudy."))


def circle(found: dict[str, set[str]]) -> set[str]:
    """The rooms from which a way leads back to them, or into such a circle."""
    left = dict(found)
    while free := [room for room, others in left.items() if not others & set(left)]:
        for room in free:
            del left[room]
    return set(left)


def page(figures: dict[str, int], rows: list[dict[str, object]]) -> str:
    """The Markdown tables: figures with their goals, and the rooms."""
    said = [[MEANING[name], value, f"at most {GOALS[name]}"] for name, value in figures.items()]
    rooms = [[row["room"], row["files"], row["lines"], row["largest"]] for row in rows]
    return f"""# The house

{table(["what", "found", "goal"], said)}

{table(["room", "files", "lines", "longest file"], rooms)}
"""


if __name__ == "__main__":
    main()
