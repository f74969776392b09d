"""protocol_table: every system of a protocol on every size and test, beside plain training and naive distillation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from understudy.corpus.low_shot import size_name
from understudy.evaluate.compare import adjust, comparison, over_seeds
from understudy.evaluate.predictions import PREDICTIONS, Array, Predictions
from understudy.evaluate.vcr import joined
from understudy.study.run import Run
from understudy.study.transfer import place
from understudy.tasks import Choice, Task

PLAIN = "plain"


def table_rows(
    task: Task,
    found: Mapping[Any, Mapping[str, Sequence[Run]]],
    tests: Mapping[str, str],
    weights: Mapping[Any, Mapping[str, float]],
) -> list[dict[str, Any]]:
    """A row for each size, test and system: its score over all draws and seeds, and its difference to each control.

    found: size -> system -> its run of each draw, the first system with the plain students and teachers. tests: name -> split; ""
    is the runs' own. The controls are plain training and the first system. Differences are paired: the same draw, seed and test
    row; Holm's p is over all rows of the table that are held against the same control. Of VCR, rows of both stages make the score
    and the differences; `q_ar` beside them joins the stages.
    """
    rows = []
    for size, runs in found.items():
        for test, split in tests.items():
            rows += of_test(task, runs, split, {"size": size_name(size), "test": test}, weights[size])
    first = next(iter(next(iter(found.values()))))
    for control in (PLAIN, first):
        adjust([row[f"against {control}"] for row in rows if f"against {control}" in row])
    return rows


def of_test(
    task: Task, runs: Mapping[str, Sequence[Run]], split: str, where: Mapping[str, str], weights: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The rows of one size and test, over the test rows that every system sees."""
    first = next(iter(runs))
    asked = {name: (runs[first], name) for name in ("teacher", PLAIN)}
    asked |= {label: (each, "distilled") for label, each in runs.items()}
    scores, ids, groups = scored(task, asked, split)
    sign, rows = task.sign, []
    for name, said in scores.items():
        values = over_seeds(said.mean(axis=1).tolist())
        row = {**where, "system": name, "metric": task.primary, "trainings": len(said), "weight": weights.get(name), **values}
        row |= q_ar(task, ids, said)
        for control in (PLAIN, first):
            if name not in ("teacher", PLAIN, control):
                gain = sign * (said - scores[control])
                row[f"against {control}"] = comparison(gain, groups, draws=10_000, seed=0)
        rows.append(row)
    return rows


def scored(
    task: Task, asked: Mapping[str, tuple[Sequence[Run], str]], split: str
) -> tuple[dict[str, Array], Array, Array | None]:
    """The primary metric of every training and row `[S N]` by system, the rows' ids, and their groups.

    asked: name -> runs and which of their systems. The rows are those with a target that all of them see. One training's
    predictions are in memory at a time: of VQA they are gigabytes.
    """
    found: dict[str, list[Array]] = {name: [] for name in asked}
    order, kept, groups = np.zeros(0, str), np.zeros(0, bool), None
    for name, (runs, system) in asked.items():
        for said in predictions(runs, system, split):
            if not len(order):
                order, kept, groups = said.id, said.has_target, said.group
            here = said.ordered(order)
            kept = kept & here.seen
            found[name].append(task.per_row(here.values, here.target))
    if kept.sum() < 2:
        raise ValueError(
            f"{int(kept.sum())} of {len(kept)} test rows have a target and a modality for every system; two are needed"
        )
    return {name: np.stack(each)[:, kept] for name, each in found.items()}, order[kept], None if groups is None else groups[kept]


def q_ar(task: Task, ids: Array, right: Array) -> dict[str, float]:
    """Q->AR, mean over the trainings, where the rows are answers and rationales as in VCR; else nothing."""
    if not isinstance(task, Choice):
        return {}
    try:
        answer, rationale = joined(ids.tolist())
    except ValueError:
        return {}
    return {"q_ar": float((right[:, answer] * right[:, rationale]).mean())}


def predictions(runs: Sequence[Run], system: str, split: str) -> Iterator[Predictions]:
    """One a draw and seed: of the runs' own test rows, or of those of `split`."""
    for run in runs:
        for seed in run.seeds:
            own = run.folder / system / f"seed-{seed}" / PREDICTIONS
            yield Predictions.load(place(run, split, system, seed) if split else own)


def protocol_text(document: Mapping[str, Any]) -> str:
    """The table for a terminal or a page in Markdown."""
    controls = sorted(
        {key for row in document["rows"] for key in row if key.startswith("against ")}, key=lambda key: key != "against plain"
    )
    staged = ["Q->AR"] if any("q_ar" in row for row in document["rows"]) else []
    metrics = dict.fromkeys(row["metric"] for row in document["rows"])
    heads = ["size", "test", "system", "weight", *metrics, *staged, *controls]
    lines = []
    for row in document["rows"]:
        spread = "" if row["std"] is None else f" ± {row['std']:.3f}"
        weight = "" if row["weight"] is None else f"{row['weight']:g}"
        lines.append(
            [
                row["size"],
                row["test"],
                row["system"],
                weight,
                f"{row['mean']:.3f}{spread}",
                *([f"{row['q_ar']:.3f}" if "q_ar" in row else ""] if staged else []),
                *(said(row.get(each)) for each in controls),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in [heads, ["---"] * len(heads), *lines])


def said(found: Mapping[str, Any] | None) -> str:
    """A comparison in a cell; the verdict stands where Holm's p is small, too."""
    if found is None:
        return ""
    mark = {"better": "**better**", "worse": "*worse*"}.get(found["verdict_holm"], "–")
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}] {mark}"
