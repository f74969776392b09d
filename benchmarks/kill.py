"""Kill: a command killed (SIGKILL) anywhere and typed again must end as if nothing had been, and leave nothing behind.

python -m benchmarks.kill [--points 200] [--seed 0] [--out FOLDER]

The same command goes on where it stopped; beside it, others that begin later (`--first N`) may fill the same notes. Every other point lies on the clock, drawn over the command's measured duration; the others
are its operations on files (opening to write, renaming, removing, making folders, locking), before one of which it kills itself.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.forked import Ended, run, warm
from benchmarks.fuzz_inputs import QUICKLY, TABLE, make_tables
from benchmarks.record import table, write_result
from understudy.cli import main as understudy
from understudy.process.progress import progress

COMMANDS = {
    "import": f"import table in/table.csv --out corpus{TABLE} --modalities v=vector:a_* t=table:job,age note=text:note",
    "split": "split corpus --name main --valid 0 --test 0.3",
    "distill": f"distill corpus --student v t --split main --out run {' '.join(QUICKLY)}",
    "store": "store run --out answers",
    "export": "export run --out artifact",
    "predict": "predict artifact in/table.csv --out predictions.csv",
}
"""In this order each reads what the ones before it wrote."""
SHARES = {"import": 4, "split": 3, "distill": 5, "store": 3, "export": 2, "predict": 3}
"""Of twenty points; an export takes longest."""
TIMES = ("seconds", "latency_ms")
"""Fields that say how long something took: with the same numbers on the page, all that differs between two runs."""
PRINTED = re.compile(rb'(<td class="number[^"]*">)[\d.\s]+')
"""Numbers in the page's tables; results.json has those that must be equal."""
OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock")
AGAIN = 20
"""Draws of a point on the clock before which the command had ended."""
Tree = dict[str, bytes]


def main() -> None:
    asked = arguments()
    names = ["import"] if asked.quick else list(COMMANDS)
    warm(*(["understudy.corpus.importers.table"] if asked.quick else []))
    # No TemporaryDirectory: the end of a fork would remove it.
    scratch = Path(tempfile.mkdtemp(prefix="kill-"))
    try:
        rows = measured(asked, names, scratch)
    finally:
        shutil.rmtree(scratch)
    found = figures(rows)
    if asked.quick:
        assert found["same"] == found["kills"] == asked.points, rows
    elif not asked.first:
        write_result("kill", figures=found, rows=by_command(rows), seeds=[asked.seed], text=page(rows, found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="begin at this point; writes no result")
    parser.add_argument("--out", type=Path, default=Path("runs/kill"))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    asked.points = asked.points or (2 if asked.quick else 200)
    return asked


def measured(asked: argparse.Namespace, names: Sequence[str], scratch: Path) -> list[dict[str, Any]]:
    """Every point; those whose command then ended as it should are taken from the notes of an earlier call."""
    notes = (scratch if asked.quick else asked.out) / f"seed-{asked.seed}.jsonl"
    notes.parent.mkdir(parents=True, exist_ok=True)
    earlier = map(json.loads, notes.read_text().splitlines()) if notes.exists() else ()
    known = {row["point"]: row for row in earlier if row["end"] == "same"}
    turns = [name for name in names for _ in range(SHARES[name])]
    stages: dict[str, Stage] = {}
    with notes.open("a") as file, progress("kill", total=asked.points, quiet=asked.quick) as tell:
        for point in [point for point in range(asked.first, asked.points) if point not in known]:
            name = turns[point * 7 % len(turns)]
            stage = staged(name, names, stages, scratch)
            known[point] = {"point": point} | stage.killed(random.Random(f"{asked.seed} {point}"), on_clock=point % 2 == 0)
            print(json.dumps(known[point]), file=file, flush=True)
            tell(len(known), f"{sum(row['end'] != 'same' for row in known.values())} not the same")
    return [known[point] for point in range(asked.first, asked.points)]


class Stage:
    """One command: the folder it begins in, the one it leaves, how long that takes and how many operations on files."""

    def __init__(self, name: str, before: Path, scratch: Path) -> None:
        self.name, self.before, self.scratch = name, before, scratch
        self.after, place, counts = scratch / f"after-{name}", scratch / "place", scratch / "count"
        # Always in the same place: a run names its corpus by its whole path.
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(before, place)
        ended = succeeded(name, run(place, partial(commanded, name, counts=counts)))
        self.operations, self.seconds = int(counts.read_text()), ended.seconds
        self.tree = tree_of(place)
        shutil.copytree(place, self.after)

    def killed(self, draw: random.Random, *, on_clock: bool) -> dict[str, Any]:
        """Kill it at a point of the clock or before an operation, type it again, and compare."""
        place = self.scratch / "place"
        for _ in range(AGAIN):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(self.before, place)
            at = draw.uniform(0, self.seconds) if on_clock else draw.randrange(self.operations)
            call = partial(commanded, self.name, kill_before=None if on_clock else int(at))
            ended = run(place, call, kill=at if on_clock else 0.0)
            if ended.code == -signal.SIGKILL:
                break
        else:
            raise RuntimeError(f"{self.name} ended {AGAIN} times before it was killed")
        half = tree_of(place)
        again = run(place, partial(commanded, self.name))
        found = tree_of(place)
        row = {
            "command": self.name,
            "on_clock": on_clock,
            "at": round(at, 4),
            "of": round(self.seconds if on_clock else self.operations, 4),
        }
        left = sorted(set(found) - set(self.tree))
        other = sorted(name for name in self.tree if found.get(name) != self.tree[name])
        # What was whole when it was killed may refuse to be made a second time.
        end = "left over" if left else "differs" if other else "same" if again.code == 0 or half == self.tree else "blocked"
        end = "blocked" if again.code and end != "same" else end
        said = {} if end == "same" else {"left": left, "differs": other, "said": (again.out + again.err)[-600:]}
        return row | {"end": end, "half": sorted(set(half) - set(tree_of(self.before)))[:20]} | said


def staged(name: str, names: Sequence[str], stages: dict[str, Stage], scratch: Path) -> Stage:
    """The stage of a command, after those before it."""
    if not stages:
        start = scratch / "start"
        (start / "in").mkdir(parents=True)
        succeeded("tables", run(start, partial(made, start / "in")))
        for each in names:
            stages[each] = Stage(each, list(stages.values())[-1].after if stages else start, scratch)
    return stages[name]


def made(folder: Path) -> int:
    make_tables(folder)
    return 0


def succeeded(name: str, ended: Ended) -> Ended:
    if ended.code:
        raise RuntimeError(f"{name}: {ended.out} {ended.err}")
    return ended


def commanded(name: str, *, counts: Path | None = None, kill_before: int | None = None) -> int:
    """Run it in a fork, with a folder for temporary files beside its own. counts: takes how many operations on files it does."""
    Path("tmp").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(Path("tmp").resolve())
    done, here = 0, str(Path.cwd())

    def heard(event: str, given: tuple[Any, ...]) -> None:
        nonlocal done
        if event in OPERATIONS or (event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)):
            path = str(given[0])
            if path.startswith(here) or not path.startswith("/"):
                if done == kill_before:
                    os.kill(os.getpid(), signal.SIGKILL)
                done += 1

    sys.addaudithook(heard)
    code = understudy(COMMANDS[name].split())
    if counts:
        counts.write_text(str(done))
    return code


def tree_of(folder: Path) -> Tree:
    """Every file and folder in it, hidden ones too, without what says when."""
    paths = sorted(path for path in folder.rglob("*"))
    return {str(path.relative_to(folder)): plain(path) if path.is_file() else b"" for path in paths}


def plain(path: Path) -> bytes:
    """A file's bytes without the times in it."""
    content = path.read_bytes()
    parts = {".json": [content], ".jsonl": content.splitlines()}.get(path.suffix)
    try:
        return json.dumps([timeless(json.loads(part)) for part in parts]).encode() if parts else PRINTED.sub(rb"\1", content)
    except ValueError:  # half of it
        return content


def timeless(value: Any) -> Any:
    """A document without the fields that say when."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of the kills, how many ended how."""
    ends = [row["end"] for row in rows]
    return {"kills": len(rows)} | {
        name: ends.count(each)
        for name, each in (("same", "same"), ("differing", "differs"), ("blocked", "blocked"), ("leftovers", "left over"))
    }


def by_command(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a command."""
    found = []
    for name in dict.fromkeys(row["command"] for row in rows):
        here = [row for row in rows if row["command"] == name]
        halves = sum(bool(row["half"]) for row in here)
        found.append({"command": name, "on_clock": sum(row["on_clock"] for row in here), "half_written": halves} | figures(here))
    return found


def page(rows: Sequence[Mapping[str, Any]], found: Mapping[str, int]) -> str:
    """The Markdown."""
    lines = [list(row.values()) for row in by_command(rows)]
    return f"""# Killed and typed again

Each command was killed (SIGKILL) at seeded points, half of them on the clock and half before one of its operations on files, then
typed again. *same*: every file then is byte for byte that of a run that nothing disturbed, but for how long something took
({", ".join(TIMES)}, and the numbers in the page's tables); *half written*: the kill left something that had to be gone on from or swept; *blocked*: the second command refused;
*leftovers*: files beside those of the undisturbed run, in the folders or among temporary files.

{table(["figure", "value"], list(found.items()))}

{table(["command", "kills", "on the clock", "half written", "same", "differing", "blocked", "leftovers"], [[line[0], line[3], *line[1:3], *line[4:]] for line in lines])}
"""


if __name__ == "__main__":
    main()
