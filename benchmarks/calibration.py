"""Confidence of shipped students: calibration error, coverage of sets and intervals, and what a cascade recovers of the teacher.

python -m benchmarks.calibration
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from understudy.artifact import Artifact
from understudy.artifact.cascade import Cascade
from understudy.artifact.predict import Predicted
from understudy.corpus import make_split
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.process.whole import read_json
from understudy.recipes.mfeat import ENCODERS, OPTIONS, SIZES, TEACHER_PLAN
from understudy.recipes.mfeat import PLAN as DIGITS_PLAN
from understudy.recipes.theatre import theatre
from understudy.study.distill import distill
from understudy.study.run import Run

SEEDS = (0, 1, 2, 3, 4)
COVERAGE = 0.9
BUDGET = 0.2
GOALS = {"conformal_coverage": f"{COVERAGE - 0.02:g} to {COVERAGE + 0.02:g}", "cascade_recovers": ">= 0.5"}
"""Of each world."""


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="understudy-calibration-") as name:
        folder, rows = Path(name), []
        runs = {"digits": digits} if quick else {"digits": digits, "theatre": played}
        for world, make in runs.items():
            run = make(folder / world, quick)
            rows += [measured(run, world, seed, folder / f"{world}-{seed}") for seed in run.seeds]
    if quick:
        return
    figures = figures_of(rows)
    write_result("calibration", figures=figures, rows=rows, seeds=SEEDS, text=page(figures, rows))


def digits(folder: Path, quick: bool) -> Run:
    """The digits demo's student of Fourier coefficients with 300 labelled rows, and 200 rows for validation."""
    corpus = import_mfeat(folder / "corpus", draws=1, labels=(50,))
    corpus.save_split(make_split(corpus, name="sure", valid=0.1, test=0.4, labelled=300))
    plans = [replace(plan, epochs=1) if quick else plan for plan in (DIGITS_PLAN, TEACHER_PLAN)]
    return distill(
        corpus,
        student=["fou"],
        split="sure",
        encoders=ENCODERS,
        options=OPTIONS,
        seeds=1 if quick else list(SEEDS),
        out=folder / "run",
        report=False,
        sizes={"width": 8} if quick else SIZES,
        plan=plans[0],
        teacher_plan=plans[1],
    )


def played(folder: Path, quick: bool) -> Run:
    """The theatre's student of the lines, a number, with a teacher that reads everything."""
    return theatre(folder, teacher=("text", "audio", "video"), seeds=list(SEEDS))


def measured(run: Run, world: str, seed: int, out: Path) -> dict[str, Any]:
    """Both artifacts of one seed on the test rows; accuracies are mean absolute errors with a minus where a number is predicted."""
    student = Artifact(run.export(out / "student", seed=seed, system="distilled"))
    teacher = Artifact(run.export(out / "teacher", seed=seed, system="teacher"))
    corpus, split, task = run.corpus(), run.split(), run.model("distilled", seed=seed).task
    rows = split.test[corpus.has_target[split.test]]
    cells = {m: corpus.cells(m, rows) for m in teacher.modalities}
    target = corpus.target[rows]
    ours = student.predict_cells({m: cells[m] for m in student.modalities})
    theirs = teacher.predict_cells(cells)

    def worth(predicted: Predicted) -> float:
        return task.sign * float(np.mean(task.per_row(predicted.values, target)))

    handed = np.sort(Cascade(student, teacher, BUDGET).least_sure(ours))
    mixed = ours.values.copy()
    mixed[handed] = theirs.values[handed]
    both = Predicted(mixed, ours.seen)
    recovered = (worth(both) - worth(ours)) / (worth(theirs) - worth(ours))
    sure = read_json(out / "student" / "calibration.json")
    return {
        "world": world,
        "seed": seed,
        "ece_before": sure.get("ece_before"),
        "ece_after": sure.get("ece_after"),
        "conformal_coverage": sure["coverage"][f"{COVERAGE}"]["found"],
        "conformal_size": sure["coverage"][f"{COVERAGE}"]["size"],
        "student": worth(ours),
        "cascade": worth(both),
        "teacher": worth(theirs),
        "cascade_recovers": recovered,
    }


def figures_of(rows: list[dict[str, Any]]) -> dict[str, float | int | str]:
    """Means over seeds, by world."""
    found: dict[str, float | int | str] = {}
    for world in dict.fromkeys(row["world"] for row in rows):
        for name in ("ece_before", "ece_after", "conformal_coverage", "student", "cascade", "teacher", "cascade_recovers"):
            values = [row[name] for row in rows if row["world"] == world and row[name] is not None]
            if values:
                found[f"{world}_{name}"] = float(np.mean(values))
    return found


def page(figures: dict[str, float | int | str], rows: list[dict[str, Any]]) -> str:
    """What was done, and the table."""
    goals = {f"{row['world']}_{name}": goal for row in rows for name, goal in GOALS.items()}
    lines = [[f"`{name}`", f"{value:.3f}", goals.get(name, "")] for name, value in figures.items()]
    seeds = [
        [row["world"], row["seed"], *(f"{row[name]:.3f}" for name in ("conformal_coverage", "cascade_recovers"))] for row in rows
    ]
    return f"""# Confidence

Shipped students with their teachers' artifacts on test rows, means over {len(SEEDS)} seeds. ECE: 15 bins. Coverage asked:
{COVERAGE}. The cascade hands the {BUDGET:.0%} least sure rows to the
teacher's artifact; `cascade_recovers` is the share of the teacher's advantage over the student that this brings. Worth is accuracy, or
minus the mean absolute error.

{table(["figure", "value", "goal"], lines)}

{table(["world", "seed", "coverage found", "recovered by the cascade"], seeds)}
"""


if __name__ == "__main__":
    main()
