"""Does VideoAdviser's step 1 harm its teacher? CMU-MOSI transcripts, two phases: before it, after it, and after it without what guards it.

python -m benchmarks.videoadviser_step1 --data FOLDER      everything, or what is left of it; then the table
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.few_rows import few_rows
from benchmarks.record import table, write_result
from benchmarks.videoadviser_mosi import PLANS, features_corpus
from understudy.corpus import corpus_at
from understudy.corpus.importers.mosi import import_mosi
from understudy.recipes.mosi import packaged_minilm
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.training.plan import Plan

SEEDS = (0, 1, 2)
CELLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "2 classes, before step 1": ({"classes": 2}, {"w3": 0.0}),
    "2 classes, after step 1": ({"classes": 2}, {}),
    "2 classes, after step 1, unguarded, anchors -3 and 3": ({"classes": 2, "anchors": "even"}, {"step1_guarded": False}),
    "7 classes, before step 1": ({"classes": 7}, {"w3": 0.0}),
    "7 classes, after step 1": ({"classes": 7}, {}),
    "7 classes, after step 1, unguarded, anchors -3 to 3": ({"classes": 7, "anchors": "even"}, {"step1_guarded": False}),
}
"""Name -> head of the teacher, options of the method."""


def play(runs: Path, data: Path, *, encoder: str, plan: Plan, seeds: Sequence[int], cells: Sequence[str]) -> dict[str, Run]:
    """Each cell as a run: its teacher, and a student with it; the plain student is trained once."""
    whole = corpus_at(runs / "corpus", lambda folder: import_mosi(data, folder))
    corpus = features_corpus(whole, runs / "features", encoder) if encoder != "small" else whole
    found: dict[str, Run] = {}
    for cell in cells:
        head, options = CELLS[cell]
        found[cell] = distill(
            corpus,
            student=["text"],
            teacher=["text" if encoder == "small" else "features"],
            split="sdk",
            method="videoadviser",
            options=options | {"mode": "two_phase"},
            encoders={"text": "small"},
            teacher_encoders={} if encoder == "small" else {"features": "transformer"},
            teacher_head=head | ({} if encoder == "small" else {"text_encoder": encoder}),
            plan=plan,
            seeds=list(seeds),
            plain_of=next(iter(found.values())).folder if found else "",
            out=runs / cell.replace(" ", "-").replace(",", ""),
            report=False,
        )
    return found


def rows_of(found: dict[str, Run]) -> list[dict[str, Any]]:
    """Test MAE of each cell's teacher and student, and of the student without a teacher."""
    rows = []
    for cell, run in found.items():
        mae = {name: system["metrics"]["mae"] for name, system in run.results["systems"].items()}
        rows.append({"cell": cell} | {f"{name}_{key}": mae[name][key] for name in mae for key in ("mean", "std")})
    return rows


def harms(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """By how much each teacher after step 1 is worse than the one before it, in deviations of that one's seeds."""
    by = {row["cell"]: row for row in rows}
    found = {}
    for cell, row in by.items():
        before = by[f"{cell.partition(',')[0]}, before step 1"]
        if row is not before:
            found[cell] = (row["teacher_mean"] - before["teacher_mean"]) / before["teacher_std"]
    return found


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The table."""
    away = harms(rows)
    lines = [
        [
            row["cell"],
            f"{row['teacher_mean']:.3f} ± {row['teacher_std']:.3f}",
            f"{away[row['cell']]:+.1f}" if row["cell"] in away else "",
            f"{row['distilled_mean']:.3f} ± {row['distilled_std']:.3f}",
        ]
        for row in rows
    ]
    plain = rows[0]
    return f"""# Does step 1 harm its teacher?

CMU-MOSI transcripts, SDK split, test MAE in sentiment points, {len(SEEDS)} seeds. The teacher is a small transformer with class prompts over the stored token features
of a frozen all-MiniLM-L6-v2, trained in two phases ({PLANS["small"].epochs} epochs, batches of {PLANS["small"].batch_size}); the student is our own small text encoder. "Before" has
w3 = 0. "After" is today's default: anchors at the means of the train labels, a monotone map, and the guard. "Unguarded" is step 1 as it was, but for the
map, which cannot be switched off. Worse than before is positive, in deviations of the seeds before. The plain student has {plain["plain_mean"]:.3f} ± {plain["plain_std"]:.3f}.

{table(["cell", "teacher", "worse than before", "student"], lines)}
"""


def quick(data: Path) -> None:
    """A few rows, one epoch, two seeds, the small encoder."""
    with tempfile.TemporaryDirectory() as folder:
        few_rows(import_mosi(data, Path(folder) / "corpus"), "sdk", train=8, valid=8, test=8)
        plan = replace(PLANS["small"], epochs=1, batch_size=16)
        page(rows_of(play(Path(folder), data, encoder="small", plan=plan, seeds=(0, 1), cells=list(CELLS)[:2])))


def main() -> None:
    """Train what is not trained yet; write results/videoadviser_step1.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--runs", type=Path, default=Path("runs/videoadviser_step1"))
    parser.add_argument("--quick", action="store_true", help="a few rows, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        quick(options.data)
        return
    settings: dict[str, Any] = {"encoder": packaged_minilm(), "plan": PLANS["small"], "seeds": SEEDS}
    rows = rows_of(play(options.runs, options.data, cells=list(CELLS), **settings))
    away = harms(rows)
    figures: dict[str, float] = {"step1_harms": sum(each > 1 for cell, each in away.items() if "unguarded" not in cell)}
    figures |= {f"{row['cell']}: {name} mae": round(row[f"{name}_mean"], 4) for row in rows for name in ("teacher", "distilled")}
    write_result("videoadviser_step1", figures=figures, rows=rows, seeds=SEEDS, text=page(rows))


if __name__ == "__main__":
    main()
