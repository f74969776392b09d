"""MAD where teachers or labels are wrong: does trust by row gain over naive distillation where some rows deserve none?

python -m benchmarks.mad_conditions                      everything, or what is left of it; then the table
python -m benchmarks.mad_conditions --only "as it is"    these conditions; no table
python -m benchmarks.mad_conditions --finished           train nothing; the table of the conditions that are finished
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import figures_of, table, write_result
from benchmarks.vl_world import SCENE
from understudy.corpus import Corpus, corpus_at, write_corpus
from understudy.evaluate.compare import adjust
from understudy.prepare.cells import Cells
from understudy.process.whole import read_json
from understudy.recipes.picture_teachers import Schooling
from understudy.recipes.picture_world import OPTIONS, PLANS, SIZES, STEPS, STUDENT, prepared
from understudy.recipes.protocol_table import said
from understudy.recipes.vision_language import vision_language
from understudy.recipes.vision_systems import SYSTEMS

Rows = NDArray[np.int64]
SIZE = 0.1
"""Of the train rows: 1,000 labels."""
DRAWS = 3
WEIGHT = 3.0
"""Of naive and mad alike: both chose it on held-out rows of this size in `benchmarks.vl_world`."""
COMPARED = ("naive", "mad", "mad, no tokens")
SHARE = 0.5


def of_groups(corpus: Corpus, share: float, *, seed: int) -> Rows:
    """The train rows of a share of the pictures."""
    rows, groups = corpus.split("given").train, corpus.groups
    assert groups is not None
    names = np.unique(groups[rows])
    drawn = np.random.default_rng([seed, 17]).permutation(names)[: round(share * len(names))]
    return rows[np.isin(groups[rows], drawn)]


def wrong_pictures(corpus: Corpus) -> dict[str, Any]:
    """Half of the train rows show the teacher another row's picture. The student reads regions, which stay right."""
    rows, pictures = of_groups(corpus, SHARE, seed=0), corpus.cells("image", np.arange(len(corpus)))
    shown = list(pictures.values)
    for row, other in zip(rows, np.roll(rows, len(rows) // 2), strict=True):
        shown[row] = pictures.values[other]
    return {"cells": {"image": Cells("image", shown, pictures.present)}}


def wrong_labels(corpus: Corpus) -> dict[str, Any]:
    """Half of the train rows have a label drawn anew, so that three eighths of all labels are wrong."""
    rows, target = of_groups(corpus, SHARE, seed=1), corpus.target.copy()
    target[rows] = np.random.default_rng(1).integers(corpus.task.outputs, size=len(rows))
    return {"targets": target}


CONDITIONS: dict[str, Callable[[Corpus], dict[str, Any]]] = {
    "as it is": lambda corpus: {},
    "wrong pictures": wrong_pictures,
    "wrong labels": wrong_labels,
}


def changed(corpus: Corpus, folder: Path, changes: Mapping[str, Any]) -> Corpus:
    """The corpus with other cells or targets, and the same splits."""
    everything = np.arange(len(corpus))
    cells = {name: corpus.cells(name, everything) for name in corpus.modalities} | changes.get("cells", {})
    return write_corpus(
        folder,
        replace(corpus.schema, about={**corpus.schema.about, "album": f"{folder.name} of it"}),
        ids=corpus.ids,
        targets=changes.get("targets", corpus.target),
        groups=corpus.groups,
        cells=cells,
        splits=[replace(corpus.split(name), hash="") for name in ("given", "shifted")],
    )


def play(runs: Path, condition: str, **more: Any) -> dict[str, Any]:
    """The table of a condition, on rows like the train rows and on those where words mislead; the same call resumes."""
    prepare = {name: more.pop(name) for name in ("rows", "schooling") if name in more}
    whole, clip, _ = prepared(runs, "choice", scene=SCENE, **prepare)
    corpus = corpus_at(runs / "corpora" / condition, lambda folder: changed(whole, folder, CONDITIONS[condition](whole)))
    arguments: dict[str, Any] = {"sizes": (SIZE,), "draws": DRAWS, "seeds": 1, "steps": STEPS, "teacher_steps": STEPS} | more
    return vision_language(
        corpus,
        student=STUDENT,
        teacher={"text": clip, "image": clip},
        split="given",
        tests={"shifted": "shifted"},
        systems={label: SYSTEMS[label] for label in COMPARED},
        weights=(WEIGHT,),
        options=OPTIONS,
        plan=PLANS["choice"],
        out=runs / "runs" / condition,
        model=SIZES,
        **arguments,
    )


def rows_of(documents: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of all conditions, each naming its own; Holm's p over all of them."""
    rows = [{"condition": condition} | row for condition, document in documents.items() for row in document["rows"]]
    for control in ("plain", "naive"):
        adjust([row[f"against {control}"] for row in rows if f"against {control}" in row])
    return rows


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table, and what it says."""
    lines = [
        [row["condition"], row["test"], row["system"], f"{row['mean']:.3f} ± {row['std'] or 0:.3f}"]
        + [said(row.get(f"against {control}")) for control in ("plain", "naive")]
        for row in rows
    ]
    gains = [
        f"{row['system']} with {row['condition']} on {row['test']} rows"
        for row in rows
        if "against naive" in row and row["against naive"]["verdict_holm"] == "better"
    ]
    missing = [condition for condition in CONDITIONS if condition not in {row["condition"] for row in rows}]
    return f"""# MAD where teachers or labels are wrong

Four-way choices of the picture world ([vl_world](vl_world.md) says what that is), {SIZE:.0%} of the train rows (1,000 labels), {DRAWS} draws of them, one seed each, {STEPS} steps.
naive, mad and mad without tokens, all with weight {WEIGHT:g}, which naive and mad had chosen on held-out rows there; mad has today's defaults (`relative`,
`uniform`). *wrong pictures*: half of the train rows show the teacher another row's picture, and its heads learn from those, too; *wrong labels*: half of the train rows
have a label drawn anew. Test rows are as they were. Conditions and settings were fixed before any of them was trained. Not measured:
{", ".join(missing) or "nothing of what was planned"}; other shares of wrong rows; other tasks and sizes.

Where trust by row gains over naive distillation, after Holm over this table: **{"; ".join(gains) or "none was found"}**.

{table(["condition", "test", "system", "accuracy", "against plain", "against naive"], lines)}
"""


def quick(folder: Path) -> None:
    """Two conditions, one subset, a step or two."""
    school = Schooling(pairs=64, epochs=1, batch=32, width=16, depth=1)
    few: dict[str, Any] = {"rows": {"train": 48, "test": 12, "shifted": 12}, "schooling": school}
    few |= {"sizes": (0.5,), "draws": 1, "seeds": 2, "steps": 2, "teacher_steps": 2}
    page(rows_of({condition: play(folder, condition, **few) for condition in ("wrong pictures", "wrong labels")}))


def main() -> None:
    """Play what is left; write results/mad_conditions.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/mad_conditions"))
    parser.add_argument("--only", nargs="+", choices=list(CONDITIONS), help="these conditions; no table")
    parser.add_argument("--finished", action="store_true", help="train nothing; the table of the conditions that are finished")
    parser.add_argument("--quick", action="store_true", help="a few rows; nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            quick(Path(folder))
        return
    if not options.finished:
        for condition in options.only or CONDITIONS:
            play(options.runs, condition)
    if options.only:
        return
    tables = {condition: options.runs / "runs" / condition / "table.json" for condition in CONDITIONS}
    rows = rows_of({condition: read_json(path) for condition, path in tables.items() if path.is_file()})
    gains = [row for row in rows if row["system"] == "mad" and row["against naive"]["verdict_holm"] == "better"]
    counts: dict[str, float | int | str] = {"mad_better_than_naive_conditions": len({row["condition"] for row in gains})}
    write_result("mad_conditions", figures=counts | figures_of(rows, "condition", "test"), rows=rows, seeds=[0], text=page(rows))


if __name__ == "__main__":
    main()
