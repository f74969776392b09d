"""How the plan of the mfeat recipe was chosen: candidates on 400 train rows held out of draws that no result uses.

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
from understudy.recipes.distill import distill
from understudy.recipes.mfeat import OPTIONS, PLAN, SIZES, TEACHER_PLAN

CANDIDATES: dict[str, dict[str, Any]] = {
    "in use": {},
    "temperature 1": {"options": {"temperature": 1.0}},
    "weight 0.5": {"options": {"weight": 0.5}},
    "dropout 0.2": {"sizes": {"dropout": 0.2}},
    "weight decay 0.01": {"plan": {"weight_decay": 0.01}},
    "three seeds": {"seeds": 3},
    "three seeds, taught by the mean of their teachers": {"seeds": 3, "ensemble": "yes"},
}
"""One change at a time from the plan in use, the same for teacher (sizes alone), plain and distilled student."""


def held_out(corpus: Corpus, draw: int, count: int) -> str:
    """A split inside the 1,200 train rows: 400 of them are scored, `count` of the others labelled. Returns its name."""
    whole = corpus.split("draw-0-50")
    rows = np.random.default_rng([17, draw]).permutation(whole.train)
    scored, train = rows[:400], np.sort(rows[400:])
    labelled = draw_labelled(train, corpus.target, count, seed=17, draw=draw)
    corpus.save_split(Split(f"plan-{draw}-{count}", train, scored, labelled, seed=17))
    return f"plan-{draw}-{count}"


def main() -> None:
    """Write results/mfeat_plan.json and .md; --quick runs one candidate once and writes nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    names = list(CANDIDATES)[: 1 if quick else None]
    draws, labels, views = (range(1), (50,), ("mor",)) if quick else (range(2), (50, 300), ("fou", "zer", "mor"))
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        corpus = import_mfeat(Path(folder) / "corpus", draws=1, labels=(50,))
        for name, draw, count in product(names, draws, labels):
            split, first = held_out(corpus, draw, count), ""
            for view in views:
                change, out = CANDIDATES[name], f"{folder}/{name}-{view}-{count}-{draw}"
                run = distill(
                    corpus,
                    student=[view],
                    split=split,
                    options=OPTIONS | change.get("options", {}),
                    sizes=SIZES | change.get("sizes", {}),
                    plan=replace(PLAN, **change.get("plan", {})),
                    teacher_plan=TEACHER_PLAN,
                    teachers_of=first,
                    ensemble=change.get("ensemble", "no"),
                    seeds=[draw + 100 * k for k in range(change.get("seeds", 1))],
                    out=out,
                    report=False,
                )
                first = first or out
                systems = run.results["systems"]
                found.setdefault((name, view, count), []).append({s: systems[s]["metrics"]["accuracy"]["mean"] for s in systems})
    means = {key: {s: float(np.mean([each[s] for each in seen])) for s in seen[0]} for key, seen in found.items()}
    lines = [
        [name, view, count, *(f"{m[s]:.3f}" for s in ("teacher", "plain", "distilled"))]
        for (name, view, count), m in means.items()
    ]
    totals = {name: float(np.mean([m["distilled"] for (n, *_), m in means.items() if n == name])) for name in names}
    text = "# The plan of the mfeat recipe\n\nAccuracy on 400 held-out train rows, mean of 2 draws; the 800 test rows are in no part.\n\n"
    text += table(["candidate", "mean of the distilled"], [[name, f"{total:.4f}"] for name, total in totals.items()]) + "\n\n"
    text += table(["candidate", "student", "labels", "teacher", "plain", "distilled"], lines)
    rows = [{"candidate": name, "view": view, "labels": count} | m for (name, view, count), m in means.items()]
    if not quick:
        write_result("mfeat_plan", figures=totals, rows=rows, seeds=list(draws), text=text)


if __name__ == "__main__":
    main()
