"""join: runs that differ in their seeds alone, as one run; so are seeds spread over processes and machines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy.evaluate import compare
from understudy.process.whole import read_json, whole_folder, write_json
from understudy.study.claim import PLACES
from understudy.study.run import WEIGHTS, Run, load, take
from understudy.study.stage import TUNED, TUNINGS
from understudy.tasks import task_from_json

OWN = ("seeds", "teachers_of", "plain_of")
"""Settings in which the parts may differ: what they trained, and where they took the rest from."""
TOGETHER = ("results.json", "ships.json", "subsets.json", "cost.json", "report.html", "run.json")
"""Files that speak of all seeds of a run."""


def join(parts: Sequence[Path | str], out: Path | str) -> Run:
    """One run of all seeds of finished `parts`, compared anew; weights and predictions are linked, not trained again.

    It ships its first seed, since the parts' validation scores are not asked again. ValueError for parts that differ in more than
    their seeds, or share one.
    """
    runs = [load(part) for part in parts]
    seeds = sorted(seed for run in runs for seed in run.seeds)
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"the parts share seeds: {', '.join(f'{run.folder} has {run.seeds}' for run in runs)}")
    for run in runs[1:]:
        if core(run) != core(runs[0]):
            names = [name for name, value in core(run).items() if value != core(runs[0])[name]]
            raise ValueError(f"{run.folder} and {runs[0].folder} differ in {', '.join(names)}; only seeds may differ")
    results = [run.results for run in runs]
    with whole_folder(Path(out)) as partial:
        for path in runs[0].folder.iterdir():
            if path.is_file() and path.name not in TOGETHER:
                (partial / path.name).write_bytes(path.read_bytes())
        for run in runs:
            for weights in run.folder.glob(f"*/seed-*/{WEIGHTS}"):
                take(weights.parent, partial / weights.parent.relative_to(run.folder))
        settings = json.loads(json.dumps(runs[0].settings))
        settings["arguments"] |= {"seeds": seeds, "teachers_of": "", "plain_of": ""}
        write_json(partial / "run.json", settings)
        compare.write_results(partial, compared(partial, results[0]))
    return load(out)


def core(run: Run) -> dict[str, Any]:
    """What must be the same in all parts, what a search chose included."""
    settings = {name: value for name, value in run.settings["arguments"].items() if name not in (*OWN, *PLACES)}
    tuned = run.folder / TUNED
    chosen = read_json(tuned, TUNINGS) if tuned.is_file() else {}
    return settings | {name: value for name, value in run.settings.items() if name != "arguments"} | {TUNED: chosen}


def compared(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """results.json over the predictions in `folder`, for the systems and the split that `like` tells of."""
    systems = {
        name: compare.System(found["modalities"], found["parameters"], compare.predictions_of(folder, name))
        for name, found in like["systems"].items()
    }
    return compare.compare(task_from_json(like["task"]), systems, split=like["split"], selection=like["selection"])
