"""Write a measured result: results/NAME.json for programs and results/NAME.md for people, each whole or not at all."""

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "results"


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import psutil
    import torch

    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    memory = round(psutil.virtual_memory().total / 2**30, 1)
    return {"cpu": name, "cores": os.cpu_count(), "memory_gib": memory, "torch": torch.__version__}


def commit() -> str:
    """The checked-out commit, marked when the tree differs from it by more than results that were just measured."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, cwd=RESULTS.parent, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


COMMIT = commit()
"""As it was when the measurement began."""


def write_result(
    name: str,
    *,
    figures: Mapping[str, float | int | str],
    rows: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    text: str,
) -> None:
    """`text` is the Markdown body: what was done, then the table. The command line is recorded as it was typed, no folder of this machine."""
    words = (os.path.relpath(word) if os.path.isabs(word) else word for word in sys.argv[1:])
    command = f"python -m benchmarks.{name} {' '.join(words)}".strip()
    where = machine()
    document = {
        "command": command,
        "commit": COMMIT,
        "date": datetime.date.today().isoformat(),
        "machine": where,
        "seeds": list(seeds),
        "figures": dict(figures),
        "rows": [dict(row) for row in rows],
    }
    footer = f"\n\n*`{command}`, {document['date']}, commit {document['commit']}, {where['cores']} cores {where['cpu']}, "
    footer += f"torch {where['torch']}, seeds {list(seeds)}.*\n"
    for suffix, content in ((".json", json.dumps(document, indent=1) + "\n"), (".md", text.rstrip() + footer)):
        partial = RESULTS / f"{name}{suffix}.partial"
        partial.write_text(content)
        partial.replace(RESULTS / f"{name}{suffix}")
    print(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)


Goals = Mapping[str, tuple[str, float]]
"""Figure -> how it is to compare (>=, <= or =) with which number."""


def beside_goals(goals: Goals, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a result whose figures have goals."""
    return [{"figure": name, "value": figures[name], "goal": f"{sign} {goal}"} for name, (sign, goal) in goals.items()]


def goal_table(goals: Goals, figures: Mapping[str, Any]) -> str:
    """A Markdown table of every figure, those with goals first."""
    lines = [[f"`{name}`", f"{figures[name]:.3g}", f"{sign} {goal}"] for name, (sign, goal) in goals.items()]
    lines += [[f"`{name}`", f"{value:.4g}", ""] for name, value in figures.items() if name not in goals]
    return table(["figure", "value", "goal"], lines)


def figures_of(rows: Sequence[Mapping[str, Any]], *keys: str) -> dict[str, float | int | str]:
    """Of a protocol's rows, named by `keys` and system: the mean, and each difference with its verdict after Holm.

    With the keys "task", "size": entailment_10%_mad, entailment_10%_mad_against_plain, ..._against_plain_verdict.
    """
    found: dict[str, float | int | str] = {}
    for row in rows:
        name = "_".join(str(row[key]) for key in (*keys, "system")).replace(", ", "_").replace(" ", "_")
        found[name] = round(row["mean"], 4)
        for key in [key for key in row if key.startswith("against ")]:
            versus = f"{name}_{key.replace(' ', '_')}"
            found |= {versus: round(row[key]["difference"], 4), f"{versus}_verdict": row[key]["verdict_holm"]}
    return found
