"""Worth: is the distilled student worth shipping, and does advice know it beforehand? Every default, no setting by hand.

python -m benchmarks.worth --data FOLDER [--only mfeat valve-flow ...] [--seeds 5] [--out FOLDER]

The same command goes on where it stopped; several may run side by side with other views in --only, and one without it writes the
result. --inside scores train rows held out in place of the test rows, and writes nothing: defaults are chosen by it.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from benchmarks.worth_sets import View, inside, views
from understudy.corpus import Corpus, Split, corpus_at
from understudy.evaluate.advice import advise
from understudy.evaluate.baselines import against, baselines_of
from understudy.evaluate.compare import System, on_same_rows, paired, per_row
from understudy.evaluate.significance import crossed_bootstrap, verdict
from understudy.process.whole import read_json, write_json
from understudy.study.distill import distill
from understudy.study.run import SYSTEMS, Run

SHOWN = ("plain", "distilled", "teacher", "simple", "constant")


def measured(view: View, corpus: Corpus, split: Split, folder: Path, seeds: int, plan: Mapping[str, Any]) -> dict[str, Any]:
    """One view: what a run with all defaults finds, beside what anyone would use instead, and what advice had said.

    plan: of --quick alone.
    """
    began = time.perf_counter()
    run = distill(corpus, student=[view.student], split=split.name, seeds=seeds, plan=plan, out=folder, report=False)
    beside = baselines_of(corpus, split, [view.student])
    seconds, asked = time.perf_counter() - began, time.perf_counter()
    advice = advise(corpus, [view.student], split=split)
    results = run.results
    metric = results["metric"]["name"]
    row: dict[str, Any] = {"view": view.name, "metric": metric, "higher_is_better": results["metric"]["higher_is_better"]}
    row |= {name: results["systems"][name]["metrics"][metric]["mean"] for name in SYSTEMS}
    row |= held_against(run, corpus, beside)
    row |= {"verdict": results["comparison"]["verdict"], "difference": results["comparison"]["difference"]}
    row |= {"recovered": (results["recovered_share"] or {}).get("value")}
    row |= {"advice": advice.verdict, "says": advice.says, "listening": results.get("listening", {}).get("source", "")}
    return row | {"seconds": round(seconds, 1), "advise_seconds": round(time.perf_counter() - asked, 1)}


def held_against(run: Run, corpus: Corpus, beside: Mapping[str, Any]) -> dict[str, Any]:
    """The baselines' metrics, and whether plain is no worse than the simple model, and the teacher ahead of plain."""
    task = corpus.task
    systems = {name: System((), 0, run.predictions(name)) for name in SYSTEMS}
    aligned, _ = on_same_rows(task, systems)
    sign, first = task.sign, aligned["plain"][0]
    rows = {name: sign * per_row(task, seeds) for name, seeds in aligned.items()}
    said = {name: against(task, beside, first.id, first.target, first.group, rows[name]) for name in ("plain", "distilled")}
    drawn = crossed_bootstrap(paired(rows["teacher"], rows["plain"])[None], first.group)
    found: dict[str, Any] = {name: each["metric"] for name, each in said["plain"].items()}
    found |= {"simple_model": said["plain"]["simple"]["model"], "ahead": verdict(*drawn.interval(), len(rows["plain"]))}
    return found | {f"{name}_against_simple": each["simple"]["verdict"] for name, each in said.items()}


def figures_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The table in a few numbers."""
    ahead = [row for row in rows if row["ahead"] == "better"]
    advised = [row for row in rows if row["advice"] != "undecided"]
    hits = [(row["advice"] == "yes") == (row["verdict"] == "better") for row in advised]
    recovered = [row["recovered"] for row in ahead if row["recovered"] is not None]
    found = {
        "views": len(rows),
        "plain_at_least_simple": np.mean([row["plain_against_simple"] != "worse" for row in rows]),
        "distilled_at_least_simple": np.mean([row["distilled_against_simple"] != "worse" for row in rows]),
        "teacher_ahead": len(ahead),
        "better_share": np.mean([row["verdict"] == "better" for row in ahead]) if ahead else 0.0,
        "worse": sum(row["verdict"] == "worse" for row in rows),
        "recovered_median": median(recovered) if recovered else 0.0,
        "advise_hit_rate": np.mean(hits) if hits else 0.0,
        "advise_undecided": 1 - len(advised) / len(rows),
        "seconds_per_view_median": median(row["seconds"] for row in rows),
        "advise_seconds_median": median(row["advise_seconds"] for row in rows),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def page(rows: Sequence[Mapping[str, Any]], figures: Mapping[str, float]) -> str:
    """The result for people."""
    headings = ["student", *SHOWN, "plain against simple", "teacher against plain", "verdict", "advice", "listens to", "seconds"]
    lines = []
    for row in rows:
        against_simple = f"{row['plain_against_simple']} ({row['simple_model']})"
        said = [against_simple, row["ahead"], row["verdict"], row["says"], row["listening"], f"{row['seconds']:.0f}"]
        lines.append([row["view"], *(f"{row[name]:.3f}" for name in SHOWN), *said])
    return f"""# Is the distilled student worth shipping?

Students of one modality, a teacher of all, every default of the commit below and no setting by hand. Accuracy on test rows (of the
accumulator the mean absolute error in bar, lower is better), mean over seeds. *simple* is the best of scikit-learn's logistic
regression (of numbers ridge), random forest, histogram boosting and support vector machine with its defaults on the same columns
and labelled rows, chosen by cross-validation on them. Verdicts are of 95 % intervals over seeds and rows (groups where there are
any), not adjusted for the number of views. The sets and their licences: `benchmarks/worth_sets.py`.
Defaults were chosen on train rows of these same sets (`--inside`), so their test rows are unseen, but the sets are not.

{table(["figure", "value"], [[name, value] for name, value in figures.items()])}

{table(headings, lines)}
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="*", default=[], help="views whose names begin so")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/worth"))
    parser.add_argument("--inside", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def rows_of(
    chosen: Sequence[View], data: Path, out: Path, *, seeds: int, scored: str, plan: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row of every view; those that are there already are read."""
    rows = []
    for view in chosen:
        kept = out / "rows" / f"{view.name}.json"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            corpus = corpus_at(out / "corpora" / view.of.name, partial(view.of.make, data))
            split = inside(corpus, view.split) if scored == "train" else corpus.split(view.split)
            write_json(kept, measured(view, corpus, split, out / "runs" / view.name, seeds, plan))
        rows.append(read_json(kept))
        shown = {key: f"{each:.3f}" if isinstance(each, float) else each for key, each in rows[-1].items()}
        print(*(f"{key}={each}" for key, each in shown.items()), flush=True)
    return rows


def main() -> None:
    """Write results/worth.json and .md; --quick trains one view for two epochs and writes nothing there."""
    asked = arguments()
    chosen = [view for view in views(asked.data) if not asked.only or view.name.startswith(tuple(asked.only))]
    if asked.quick:
        chosen = [view for view in chosen if view.name == "cancer-error"]
    with tempfile.TemporaryDirectory() as folder:
        out, plan = (Path(folder), {"epochs": 2}) if asked.quick else (asked.out, {})
        seeds, scored = 2 if asked.quick else asked.seeds, "train" if asked.inside else "test"
        rows = rows_of(chosen, asked.data, out, seeds=seeds, scored=scored, plan=plan)
    figures = figures_of(rows)
    if asked.only or asked.inside or asked.quick:
        print(figures)
    else:
        write_result("worth", figures=figures, rows=rows, seeds=list(range(seeds)), text=page(rows, figures))


if __name__ == "__main__":
    main()
