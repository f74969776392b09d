"""The puppet theatre: teacher, plain and distilled text student beside each subset's best possible score, and the demo's time.

python -m benchmarks.theatre
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from understudy.recipes.theatre import theatre
from understudy.study.run import Run

SEEDS = (0, 1, 2, 3, 4)
COLUMNS = ("ceiling", "observer", "teacher", "plain", "distilled")


def figures_of(run: Run, document: dict[str, Any]) -> dict[str, Any]:
    """What the result is asked for."""
    rows = {row["modalities"]: row for row in document["rows"]}
    systems, found = run.results["systems"], run.results["comparison"]
    everything, read = rows["text+audio+video"], rows["+".join(systems["teacher"]["modalities"])]
    teacher = systems["teacher"]["metrics"]["mae"]["mean"]
    return {
        "teacher_mae": teacher,
        "plain_mae": systems["plain"]["metrics"]["mae"]["mean"],
        "distilled_mae": systems["distilled"]["metrics"]["mae"]["mean"],
        "ceiling_all_mae": everything["ceiling"],
        "ceiling_text_mae": rows["text"]["ceiling"],
        "ceiling_teacher_mae": read["ceiling"],
        "observer_all_mae": everything["observer"],
        "observer_text_mae": rows["text"]["observer"],
        "observer_teacher_mae": read["observer"],
        "mean_mae": rows["nothing"]["ceiling"],
        "teacher_over_ceiling": teacher / read["ceiling"],
        "teacher_over_observer": teacher / read["observer"],
        "teacher_over_ceiling_all": teacher / everything["ceiling"],
        "teacher_over_observer_all": teacher / everything["observer"],
        "ceiling_all_over_text": everything["ceiling"] / rows["text"]["ceiling"],
        "mean_over_ceiling_all": rows["nothing"]["ceiling"] / everything["ceiling"],
        "difference": found["difference"],
        "low": found["low"],
        "high": found["high"],
        "p": found["p"],
        "verdict": found["verdict"],
    }


def timed_demo() -> float:
    """Seconds of `understudy demo theatre` in an empty folder, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "understudy.cli", "demo", "theatre", "--out", folder], check=True)
        return time.monotonic() - began


def words(run: Run, document: dict[str, Any], figures: dict[str, Any]) -> str:
    """The page."""
    sizes = run.results["split"]
    lines = [
        [row["modalities"], *("" if row.get(name) is None else f"{row[name]:.3f}" for name in COLUMNS)]
        for row in document["rows"]
    ]
    return f"""# The puppet theatre: raw clips to a text-only student

{sizes["train"]} train clips, {sizes["labelled"]} of them labelled, {sizes["valid"]} validation and {sizes["test"]} test clips of two seconds (64 x 64 pixels, 12 a second, H.264, and 16 kHz
AAC), drawn and filmed by `understudy.worlds.theatre`. The teacher sees the picture, the students read the line that is spoken; kd, {document["seeds"]} seeds, best
epoch on validation, test scored once. MAE in sentiment points. *Ceiling*: the expected error of an ideal observer who knows the world and sees
every cue exactly; *observer*: that observer on these test clips. A system's cell is its mean over seeds with these modalities alone.

{table(["given", *COLUMNS], lines)}

distilled - plain, signed so that positive is better: {figures["difference"]:+.3f} [{figures["low"]:+.3f}, {figures["high"]:+.3f}], p = {figures["p"]:.2g}: **{figures["verdict"]}**. Teacher over the
ceiling of what it reads: {figures["teacher_over_ceiling"]:.2f} (over the observer of these clips {figures["teacher_over_observer"]:.2f}); over the ceiling of all three modalities:
{figures["teacher_over_ceiling_all"]:.2f} ({figures["teacher_over_observer_all"]:.2f}). Ceiling of all over ceiling of text: {figures["ceiling_all_over_text"]:.2f}. Predicting the median over ceiling of all:
{figures["mean_over_ceiling_all"]:.2f}. `understudy demo theatre` (3 seeds, from nothing to predictions of the shipped student): {figures["demo_seconds"]:.0f} s.
"""


def main() -> None:
    """Write results/theatre.json and .md; --quick plays a few clips and writes nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/theatre"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            clips = {"train": 16, "valid": 4, "test": 8}
            run = theatre(Path(folder) / "theatre", clips=clips, labelled=8, seeds=1, epochs=1)
            document = json.loads((run.folder / "ceilings.json").read_text(encoding="utf-8"))
            words(run, document, figures_of(run, document) | {"demo_seconds": float(np.nan)})
        return
    run = theatre(options.runs, seeds=SEEDS)
    document = json.loads((run.folder / "ceilings.json").read_text(encoding="utf-8"))
    figures = figures_of(run, document) | {"demo_seconds": timed_demo()}
    write_result("theatre", figures=figures, rows=document["rows"], seeds=SEEDS, text=words(run, document, figures))


if __name__ == "__main__":
    main()
