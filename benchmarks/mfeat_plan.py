"""How the plan of the mfeat recipe was chosen: candidates on 250 train rows held out of draws that no result uses.

python -m benchmarks.mfeat_plan
"""

import argparse
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import table, write_result
from understudy.corpus import Corpus, Split
from understudy.corpus.draw import draw_labelled
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.recipes.mfeat import ENCODERS, TEACHER_PLAN
from understudy.study.distill import distill
from understudy.study.run import SYSTEMS, Run
from understudy.training.plan import Plan

BEFORE = {"options": {"weight": 0.9, "temperature": 2.0, "mixup": 0.0}, "sizes": {"width": 256, "dropout": 0.4}}
PLAN = Plan(epochs=55, batch_size=128, rate=3e-3, warmup=0.0, weight_decay=0.3)
CANDIDATES: dict[str, dict[str, Any]] = {
    "before": {},
    "taught by the mean of the teachers": {"ensemble": "yes"},
    "twice the epochs": {"plan": {"epochs": 110}},
    "weight decay 0.01": {"plan": {"weight_decay": 0.01}},
    "dropout 0.2": {"sizes": {"dropout": 0.2}},
    "temperature 1": {"options": {"temperature": 1.0}},
    "weight 0.5": {"options": {"weight": 0.5}},
    "mixup 0.4": {"options": {"mixup": 0.4}},
    "mixup 1": {"options": {"mixup": 1.0}},
    "mixup 0.4, taught by the mean of the teachers": {"options": {"mixup": 0.4}, "ensemble": "yes"},
}
"""Changes from the plan before, the same for teacher (sizes alone), plain and distilled student."""
Cell = tuple[str, int, int]
"""View, labels, draw."""


def held_out(corpus: Corpus, draw: int, count: int) -> str:
    """A split inside the 1,200 train rows: 250 of them are scored, `count` of the others labelled. Returns its name."""
    whole = corpus.split("draw-0-50")
    rows = np.random.default_rng([17, draw]).permutation(whole.train)
    scored, train = rows[:250], np.sort(rows[250:])
    labelled = draw_labelled(train, corpus.target, count, seed=17, draw=draw)
    corpus.save_split(Split(f"plan-{draw}-{count}", train, scored, labelled, seed=17))
    return f"plan-{draw}-{count}"


def play(corpus: Corpus, cell: Cell, change: dict[str, Any], *, epochs: int | None, out: Path, taken: dict[str, Any]) -> Run:
    """One candidate in one cell; taken: finished runs whose teachers and plain students are the same."""
    view, count, draw = cell
    short = {"epochs": epochs} if epochs else {}
    return distill(
        corpus,
        student=[view],
        split=held_out(corpus, draw, count),
        options=BEFORE["options"] | change.get("options", {}),
        encoders=ENCODERS,
        valid=0.0,
        sizes=BEFORE["sizes"] | change.get("sizes", {}),
        plan=replace(PLAN, **change.get("plan", {}) | short),
        teacher_plan=replace(TEACHER_PLAN, **short),
        ensemble=change.get("ensemble", "no"),
        seeds=[draw, draw + 100],
        out=out,
        report=False,
        **taken,
    )


def measure(
    corpus: Corpus, folder: Path, names: list[str], cells: list[Cell], epochs: int | None
) -> dict[str, dict[Cell, dict[str, float]]]:
    """Accuracies of each system by candidate and cell; what candidates share, teachers or plain students, is trained once."""
    teachers: dict[str, str] = {}
    plain: dict[str, str] = {}
    found: dict[str, dict[Cell, dict[str, float]]] = {name: {} for name in names}
    for name, cell in product(names, cells):
        change, out = CANDIDATES[name], folder / "-".join(map(str, [names.index(name), *cell]))
        sizes = str(change.get("sizes"))
        of = {"teachers_of": f"{cell[1:]} {sizes}", "plain_of": f"{cell} {sizes} {change.get('plan')}"}
        known = {"teachers_of": teachers, "plain_of": plain}
        taken = {what: known[what][key] for what, key in of.items() if key in known[what]}
        run = play(corpus, cell, change, epochs=epochs, out=out, taken=taken)
        for what, key in of.items():
            known[what].setdefault(key, str(run.folder))
        found[name][cell] = {s: run.results["systems"][s]["metrics"]["accuracy"]["mean"] for s in SYSTEMS}
    return found


def mean(found: dict[Cell, dict[str, float]], system: str, *, view: str = "", count: int = 0) -> float:
    """Over the cells of a view and a number of labels, or over all."""
    return float(np.mean([each[system] for (v, n, _), each in found.items() if view in ("", v) and count in (0, n)]))


def main() -> None:
    """Write results/mfeat_plan.json and .md; --quick runs one candidate once and writes nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    draws, labels, views = (range(1), (50,), ("mor",)) if quick else (range(2), (50, 300), ("fou", "zer", "mor"))
    cells = [(view, count, draw) for draw, count, view in product(draws, labels, views)]
    with tempfile.TemporaryDirectory() as folder:
        corpus = import_mfeat(Path(folder) / "corpus", draws=1, labels=(50,))
        found = measure(corpus, Path(folder), list(CANDIDATES)[: 1 if quick else None], cells, 1 if quick else None)
    totals = {name: mean(each, "distilled") for name, each in found.items()}
    rows = [
        {"candidate": name, "view": view, "labels": count} | {s: mean(each, s, view=view, count=count) for s in SYSTEMS}
        for (name, each), count, view in product(found.items(), labels, views)
    ]
    summary = [[name, f"{totals[name]:.4f}", f"{mean(each, 'plain'):.4f}"] for name, each in found.items()]
    lines = [[row["candidate"], row["view"], row["labels"], *(f"{row[s]:.3f}" for s in SYSTEMS)] for row in rows]
    text = f"""# The plan of the mfeat recipe

Accuracy on 250 held-out train rows, mean of {len(draws)} draws and 2 seeds each; the 800 test rows are in no part.
In use is the last candidate. No interval was computed: small differences mean nothing.

{table(["candidate", "mean of the distilled", "mean of the plain"], summary)}

{table(["candidate", "student", "labels", *SYSTEMS], lines)}
"""
    if not quick:
        write_result("mfeat_plan", figures=totals, rows=rows, seeds=list(draws), text=text)


if __name__ == "__main__":
    main()
