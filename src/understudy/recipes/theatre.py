"""theatre: from raw clips of a puppet to a student that reads its lines; the best possible scores are known and stand beside."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.corpus import corpus_at
from understudy.corpus.importers.raw_clips import import_raw
from understudy.process.progress import say
from understudy.process.whole import read_json, whole_file, write_json
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.training.plan import Plan
from understudy.worlds.theatre import Stage, ceilings, ideal, make_theatre

PLAN = Plan(epochs=80, batch_size=600, rate=1e-3, weight_decay=0.1, patience=40)
TEACHER_PLAN = Plan(epochs=8, batch_size=64, rate=1e-3, weight_decay=0.3)
SIZES = {"width": 64, "dropout": 0.3}
OPTIONS = {"weight": 0.9}
"""All chosen on theatres of other seeds. Small batches would repeat the labelled clips five times as often as the others."""


def theatre(
    folder: Path | str = "demo/theatre",
    *,
    clips: Mapping[str, int] | None = None,
    labelled: int = 100,
    scene: int = 0,
    method: str = "kd",
    options: Mapping[str, Any] | None = None,
    teacher: Sequence[str] = ("video",),
    teacher_head: Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] = 5,
    epochs: int = 0,
) -> Run:
    """Play, film and import a theatre, distil it all into the text alone, write run/ceilings.json; the same call resumes.

    folder: gets raw/, corpus/ and run/. clips, labelled: as in `make_theatre`. scene: its seed. epochs: of every system, to try
    things out; the plans' own when 0.
    """
    folder = Path(folder)
    say(f"raw clips: {folder / 'raw'}")
    stage = make_theatre(folder / "raw", clips=clips, labelled=labelled, seed=scene)

    def imported(out: Path) -> None:
        say(f"import: {out}")
        import_raw(folder / "raw", out, on_error="skip")

    run = distill(
        corpus_at(folder / "corpus", imported),
        student=["text"],
        teacher=teacher,
        split="given",
        method=method,
        options=OPTIONS if options is None else options,
        teacher_head=teacher_head,
        encoders={"text": "small"},
        sizes=SIZES,
        plan=shorter(PLAN, epochs),
        teacher_plan=shorter(TEACHER_PLAN, epochs),
        seeds=seeds,
        out=folder / "run",
    )
    write_json(run.folder / "ceilings.json", beside(run, stage))
    return run


def shorter(plan: Plan, epochs: int) -> Plan:
    """The plan with other epochs; 0 leaves it."""
    return replace(plan, epochs=epochs) if epochs else plan


def beside(run: Run, stage: Stage) -> dict[str, Any]:
    """Mean absolute error of each subset of the modalities: ceiling, ideal observer on these test rows, and what was measured.

    `ceiling`: expected, over the world; `observer`: of the same test clips, so that its luck is the systems' luck. Systems: the
    mean over seeds, null where a system does not read the subset. "nothing" is the median of the labelled train clips.
    """
    corpus, split = run.corpus(), run.split()
    place = {f"{video}_{clip}": row for row, (video, clip) in enumerate(stage.names())}
    played = np.array([place[name] for name in corpus.ids[split.test]])
    script, target = stage.script(), corpus.target[split.test]
    measured = read_json(run.folder / "subsets.json")
    guess = np.abs(np.median(corpus.target[split.labelled]) - target).mean()
    rows = [{"modalities": "nothing", "ceiling": ceilings(stage.world)[()], "observer": None, "median": float(guess)}]
    for subset, ceiling in ceilings(stage.world).items():
        if not subset:
            continue
        name = "+".join(subset)
        seen = np.any([corpus.present(m)[split.test] for m in subset], axis=0)
        error = np.abs(ideal(stage.world, script, subset)[played] - target)[seen].mean()
        row: dict[str, Any] = {"modalities": name, "ceiling": ceiling, "observer": float(error)}
        for system, found in measured.items():
            values = found[name]["metrics"]["mae"] if name in found else []
            row[system] = float(np.mean(values)) if values else None
        rows.append(row)
    return {"metric": "mae", "seeds": len(run.seeds), "test_rows": len(target), "rows": rows}


def table(document: Mapping[str, Any]) -> str:
    """`beside` for a terminal."""
    columns = ("ceiling", "observer", "teacher", "plain", "distilled")
    lines = [f"{'MAE, given':20s}" + "".join(f"{name:>11s}" for name in columns)]
    for row in document["rows"]:
        numbers = [row.get(name) for name in columns]
        lines.append(f"{row['modalities']:20s}" + "".join(f"{'' if n is None else f'{n:.3f}':>11s}" for n in numbers))
    return "\n".join(lines)


def lines(run: Run, path: Path, *, rows: int = 20) -> Path:
    """The first test clips' ids and texts as a table: all that the shipped student needs."""
    corpus, chosen = run.corpus(), run.split().test[:rows]
    said = corpus.cells("text", chosen).values
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *zip(corpus.ids[chosen].tolist(), said, strict=True)])
    return path
