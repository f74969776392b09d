"""folds: one distillation for each split of a protocol, and one table: mean and deviation over folds, and all rows together."""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from understudy.corpus import Given, opened
from understudy.evaluate.compare import System, compare
from understudy.evaluate.predictions import Predictions
from understudy.process.whole import write_json
from understudy.study.distill import distill
from understudy.study.run import SYSTEMS, Run
from understudy.study.settings import Asked
from understudy.tasks import Classification


def folds(corpus: Given, *, splits: str | Sequence[str], out: Path | str, **asked: Unpack[Asked]) -> dict[str, Any]:
    """`distill` on each split, into OUT/SPLIT, and OUT/folds.json; the same call resumes.

    splits: names, or a pattern of them such as `fold-*`. asked: of every `distill`. The document: see `over_folds`.
    """
    corpus = opened(corpus, target=asked.pop("target", ""))
    names = [each for each in corpus.splits if fnmatchcase(each, splits)] if isinstance(splits, str) else list(splits)
    if len(names) < 2:
        raise ValueError(f"splits {splits!r} are {len(names)} of {', '.join(corpus.splits) or 'none'}; name two or more")
    runs = [distill(corpus, split=each, out=Path(out) / each, **asked) for each in names]
    document = over_folds(runs)
    write_json(Path(out) / "folds.json", document)
    return document


def over_folds(runs: Sequence[Run]) -> dict[str, Any]:
    """Of runs that differ in their split: {"splits", "metric", "systems": {system: {metric: mean, std, folds}}, "together"}.

    A fold's value is the mean over its seeds; mean and deviation (n - 1) are over the folds that have one. confusion, of classes:
    rows by truth and answer, over all folds and seeds. together: the comparison over all test rows, seeds and groups resampled;
    None where a row is tested in several folds, as in draws of one split.
    """
    systems = {name: fold_values(runs, name) for name in runs[0].results["systems"]}
    document = {
        "splits": [{"name": run.split().name, "hash": run.split().hash, "run": str(run.folder)} for run in runs],
        "metric": runs[0].results["metric"],
        "systems": systems,
        "together": together(runs),
    }
    task = runs[0].corpus().task
    if isinstance(task, Classification):
        pooled = {name: [p for run in runs for p in run.predictions(name)] for name in SYSTEMS}
        document["confusion"] = {"classes": list(task.classes)} | {name: confusion(each) for name, each in pooled.items()}
    return json.loads(json.dumps(document))


def fold_values(runs: Sequence[Run], system: str) -> dict[str, Any]:
    """Each metric of a system over folds."""
    found = {}
    for metric in runs[0].results["systems"][system]["metrics"]:
        values = [run.results["systems"][system]["metrics"][metric]["mean"] for run in runs]
        known = [value for value in values if value is not None]
        mean = float(np.mean(known)) if known else None
        found[metric] = {"mean": mean, "std": float(np.std(known, ddof=1)) if len(known) > 1 else None, "folds": values}
    return found


def confusion(predictions: Sequence[Predictions]) -> list[list[int]]:
    """Counts by true class (rows) and answered class (columns)."""
    classes = predictions[0].values.shape[1]
    counts = np.zeros((classes, classes), np.int64)
    for each in predictions:
        kept = each.take(each.has_target & each.seen)
        np.add.at(counts, (kept.target, kept.values.argmax(axis=1)), 1)
    return counts.tolist()


def together(runs: Sequence[Run]) -> dict[str, Any] | None:
    """All folds as one comparison, the `results.json` of their test rows."""
    ids = np.concatenate([run.predictions("plain")[0].id for run in runs])
    if len(set(ids.tolist())) < len(ids):
        return None
    systems = {}
    for name in SYSTEMS:
        seeds = zip(*(run.predictions(name) for run in runs), strict=True)
        found = runs[0].results["systems"][name]
        systems[name] = System(found["modalities"], found["parameters"], [pooled(parts) for parts in seeds])
    split = {"name": ", ".join(run.split().name for run in runs), "test": len(ids)}
    return compare(runs[0].model("plain").task, systems, split=split, selection=runs[0].results["selection"])


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """The test rows of all folds after each other, with their groups where they have any."""
    names = ["id", "values", "target", "has_target", "seen"] + ["group"] * (parts[0].group is not None)
    return Predictions(**{name: np.concatenate([np.asarray(getattr(part, name)) for part in parts]) for name in names})


def folds_table(document: dict[str, Any]) -> str:
    """A line a metric, mean and deviation over folds of each system; then the verdict over all test rows."""
    systems = document["systems"]
    lines = [f"{'over ' + str(len(document['splits'])) + ' folds':22s} " + " ".join(f"{name:>16s}" for name in systems)]

    def said(found: dict[str, Any]) -> str:
        if found["mean"] is None:
            return "-"
        return f"{found['mean']:.4f}" + ("" if found["std"] is None else f" ± {found['std']:.4f}")

    for metric in systems["plain"]:
        each = [said(found[metric]) for found in systems.values()]
        lines.append(f"{metric:22s} " + " ".join(f"{text:>16s}" for text in each))
    whole = document["together"]
    if whole is None:
        return "\n".join([*lines, "rows are tested in several folds, so they have no comparison over all rows"])
    found = whole["comparison"]
    interval = f"[{found['low']:+.4f}, {found['high']:+.4f}], p = {found['p']:.2g}"
    return "\n".join(
        [*lines, f"distilled - plain over all {whole['rows']} rows: {found['difference']:+.4f} {interval}: {found['verdict']}"]
    )
