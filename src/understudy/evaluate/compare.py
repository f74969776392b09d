"""Compare: teacher, plain and distilled student on the same test rows, as the `results.json` of a run. Torch-free."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from understudy.evaluate import aso
from understudy.evaluate.baselines import Baseline
from understudy.evaluate.baselines import against as against_baselines
from understudy.evaluate.predictions import PREDICTIONS, Predictions
from understudy.evaluate.results import OPEN, read_results
from understudy.evaluate.significance import LEVEL, crossed_bootstrap, holm, recovered_share, verdict
from understudy.process.log import seeds_of
from understudy.process.whole import write_json
from understudy.tasks import Task, task_from_json

Array = NDArray[Any]
AUXILIARY = "auxiliary"


@dataclass(frozen=True, eq=False)
class System:
    """One of the systems compared: what it reads, its size, and its test predictions, one a seed, in the same order of seeds."""

    modalities: Sequence[str]
    parameters: int
    predictions: Sequence[Predictions]


def compare(
    task: Task,
    systems: Mapping[str, System],
    *,
    split: Mapping[str, Any],
    selection: str,
    baselines: Mapping[str, Baseline] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """The document of `results.json`. `systems` holds "plain" and "distilled", mostly "teacher", and any others.

    All are scored on the same rows: those that have a target and that every system sees; `coverage` is their share of the rows
    with a target. plain and distilled have the same seeds; a teacher may have one set of predictions (an ensemble, say).
    An "auxiliary", which only helped in training, decides no row: it is scored on those of them that it sees.
    split: `{"name", "train", "labelled", "valid", "test"}`, name and sizes. selection: how a checkpoint was chosen, in words.
    baselines: what else the distilled student has to beat, on the same rows.
    """
    for name in ("plain", "distilled"):
        if name not in systems:
            raise ValueError(
                f"no {name!r} among the systems {', '.join(systems)}: a gain is claimed only against the plain control"
            )
    aligned, coverage = on_same_rows(task, systems)
    rows = {name: per_row(task, seeds) for name, seeds in aligned.items() if name != AUXILIARY}
    sign, shown = task.sign, aligned["plain"][0]
    beside = against_baselines(task, baselines or {}, shown.id, shown.target, shown.group, sign * rows["distilled"])
    rows, groups = with_score(rows, aligned["plain"][0].group)
    scored = {name: [task.metrics(p.values, p.target) for p in seeds] for name, seeds in aligned.items() if len(seeds[0])}
    gain = sign * paired(rows["distilled"], rows["plain"])
    by_seed = {name: sign * np.array([each[task.primary] for each in scored[name]]) for name in ("distilled", "plain")}
    return {
        "task": task.to_json(),
        "metric": {"name": task.primary, "higher_is_better": task.higher_is_better},
        "coverage": coverage,
        "rows": int(gain.shape[1]),
        "split": dict(split),
        "selection": selection,
        "interval": "95 % t interval over seeds",
        "systems": {name: described(systems[name], scores) for name, scores in scored.items()},
        "comparison": comparison(gain, groups, draws=draws, seed=seed)
        | {"aso": aso.described(by_seed["distilled"], by_seed["plain"])},
        "recovered_share": recovered(rows, gain, groups, sign, draws=draws, seed=seed),
        "baselines": beside,
    }


def on_same_rows(task: Task, systems: Mapping[str, System]) -> tuple[dict[str, list[Predictions]], float]:
    """Every system's predictions of the rows that all of them see and that have a target, in one order; and the share kept.

    Of the auxiliary, which decides no row, those of these rows that it sees. A prediction that is not finite is a ValueError.
    """
    first = systems["plain"].predictions[0]
    aligned = {name: [p.ordered(first.id) for p in system.predictions] for name, system in systems.items()}
    kept = first.has_target.copy()
    for predictions in (each for name, seeds in aligned.items() if name != AUXILIARY for each in seeds):
        kept &= predictions.seen
    if kept.sum() < 2:
        raise ValueError(
            f"{int(kept.sum())} of {len(first)} test rows have a target and a modality for every system; "
            "a comparison needs at least two: choose a split or a student modality that has them"
        )
    share = float(kept.sum() / first.has_target.sum())
    return {name: [p.scored(task, kept & p.seen) for p in seeds] for name, seeds in aligned.items()}, share


def per_row(task: Task, seeds: Sequence[Predictions]) -> Array:
    """The primary metric of every seed and row `[S N]`."""
    return np.stack([task.per_row(p.values, p.target) for p in seeds])


def with_score(rows: Mapping[str, Array], groups: Array | None) -> tuple[dict[str, Array], Array | None]:
    """Only the rows that every system has a score for: a search that nothing in the gallery is relevant to has none."""
    known = np.all([np.isfinite(each).all(axis=0) for each in rows.values()], axis=0)
    return {name: each[:, known] for name, each in rows.items()}, None if groups is None else groups[known]


def paired(one: Array, other: Array) -> Array:
    """`one - other`, seed by seed; a system with a single set of predictions meets every seed of the other."""
    if len(one) != len(other) and 1 not in (len(one), len(other)):
        raise ValueError(f"{len(one)} seeds against {len(other)}: train the systems of a comparison with the same seeds")
    return one - other


def described(system: System, scored: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """One system's entry: modalities, parameters and every metric over seeds."""
    metrics = {name: over_seeds([scores[name] for scores in scored]) for name in scored[0]}
    return {"modalities": list(system.modalities), "parameters": system.parameters, "metrics": metrics}


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Mean, deviation (n - 1) and t interval; null where one seed or a NaN leaves nothing to say."""
    mean = float(np.mean(values))
    seeds = [float(v) if np.isfinite(v) else None for v in values]
    if len(values) < 2 or not np.isfinite(mean):
        return {"mean": mean if np.isfinite(mean) else None, "std": None, "low": None, "high": None, "seeds": seeds}
    std = float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * std / len(values) ** 0.5
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half, "seeds": seeds}


def comparison(gain: Array, groups: Array | None, *, draws: int, seed: int) -> dict[str, Any]:
    """Difference, interval, p, the test in words and the verdict, of a signed paired difference `[S N]`."""
    found = crossed_bootstrap(gain[None], groups, draws=draws, seed=seed)
    low, high = found.interval()
    return {
        "difference": float(found.estimate[0]),
        "low": low,
        "high": high,
        "p": found.p(),
        "test": in_words(len(gain), gain.shape[1], groups, draws),
        "verdict": verdict(low, high, len(gain)),
    }


def in_words(seeds: int, rows: int, groups: Array | None, draws: int) -> str:
    """What was resampled, and what that leaves out."""
    many = rows if groups is None else len(np.unique(groups))
    units = f"{many} groups of {rows} test rows" if 1 < many < rows else f"{rows} test rows"
    interval = f"crossed bootstrap over {seeds} seeds and {units}" if seeds > 1 else f"bootstrap over {units}"
    notes = [f"{interval}, {draws} draws, 95 % interval", "p: the smallest level whose interval leaves 0 outside"]
    if seeds == 1:
        notes.append("one seed only: says nothing about another training run")
    if many == 1:
        notes.append("one test group only: says nothing about other groups")
    return "; ".join(notes)


def recovered(
    rows: Mapping[str, Array], gain: Array, groups: Array | None, sign: float, *, draws: int, seed: int
) -> dict[str, float] | None:
    """The share of the teacher's advantage that distillation recovered; None without a teacher or without a clear advantage."""
    if "teacher" not in rows:
        return None
    both = np.stack(np.broadcast_arrays(gain, sign * paired(rows["teacher"], rows["plain"])))
    return recovered_share(crossed_bootstrap(both, groups, draws=draws, seed=seed))


def write_results(run: Path, document: Mapping[str, Any]) -> None:
    """Write `results.json` into a run's folder."""
    write_json(run / "results.json", document)


def predictions_of(run: Path, system: str) -> list[Predictions]:
    """One system's test predictions in a run's folder, in the order of its seeds."""
    return [Predictions.load(folder / PREDICTIONS) for folder in seeds_of(run / system)]


def compare_runs(runs: Sequence[os.PathLike[str] | str]) -> list[dict[str, Any]]:
    """One entry a run, or folder of one: means of its systems, distilled against its own plain control, and against the first
    run's distilled.

    `p_holm` is adjusted over the table, apart for the two questions, and `verdict_holm` is the verdict only where that is at
    most 0.05. `against_first` is null for the first run, and where the test rows, the task or the number of seeds differ.
    """
    if not runs:
        raise ValueError("no run given; give the folders of finished runs")
    entries = [entry(Path(run), Path(runs[0])) for run in runs]
    adjust([entry["comparison"] for entry in entries])
    adjust([entry["against_first"] for entry in entries if entry["against_first"]])
    return entries


def entry(run: Path, first: Path) -> dict[str, Any]:
    """A run's line in the table, before adjustment."""
    results = read_results(run)
    name = results["metric"]["name"]
    means = {system: found["metrics"][name]["mean"] for system, found in results["systems"].items()}
    kept = {key: results[key] for key in ("metric", "coverage", "split", "comparison", "recovered_share")}
    return {"run": str(run), "means": means} | kept | {"against_first": None if run == first else against(run, first)}


def against(run: Path, first: Path) -> dict[str, Any] | None:
    """The distilled student of one run against that of another, where they can be compared."""
    results, reference = read_results(run), read_results(first)
    ours, theirs = predictions_of(run, "distilled"), predictions_of(first, "distilled")
    same_rows = bool(ours) and bool(theirs) and ours[0].same_rows(theirs[0])
    asked = [[each["task"].get(name) for name in ("kind", "classes", "metric")] for each in (results, reference)]
    if asked[0] != asked[1] or len(ours) != len(theirs) or not same_rows:
        return None
    task = task_from_json(results["task"])
    pair = {"plain": System((), 0, theirs), "distilled": System((), 0, ours)}
    aligned, _ = on_same_rows(task, pair)
    sign = task.sign
    rows, groups = with_score({name: per_row(task, seeds) for name, seeds in aligned.items()}, aligned["plain"][0].group)
    return comparison(sign * paired(rows["distilled"], rows["plain"]), groups, draws=10_000, seed=0)


def adjust(comparisons: Sequence[dict[str, Any]]) -> None:
    """Add Holm's p and the verdict that survives it."""
    for found, p in zip(comparisons, holm([c["p"] for c in comparisons]), strict=True):
        found["p_holm"] = p
        survives = p <= 1 - LEVEL or found["verdict"] in OPEN
        found["verdict_holm"] = found["verdict"] if survives else "not distinguishable"
