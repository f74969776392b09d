"""Recorded: what a run left on disk, read for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from understudy.evaluate.predictions import PREDICTIONS, VALIDATION, Predictions
from understudy.evaluate.results import read_results
from understudy.process.document import Shape
from understudy.process.log import read_log, seeds_of
from understudy.process.whole import read_json

DRAWN = ("classification", "choice", "regression")
"""Tasks whose predictions the page draws; those of others may be gigabytes."""
ORDER = ("teacher", "plain", "distilled")
LATENCY: Shape = (None, {"p50": (float, None), "p95": (float, None)})
COST: Shape = {
    ...: {
        "parameters": {"total": int, "encoders": {...: int}, "fusion": int, "head": int},
        "latency_ms": {"views": {...: LATENCY}, "encoders": {...: LATENCY}, "model": LATENCY},
        "machine": {},
    }
}
SUBSETS: Shape = {...: {...: {"modalities": [str], "metrics": {...: [(float, None)]}}}}


@dataclass(frozen=True, eq=False)
class Recorded:
    """A run's files as objects; what the run did not write is empty, and the page goes without it."""

    name: str
    where: str
    """The folder, as it was given."""
    date: str
    """Of its results, as the disk has it."""
    results: Mapping[str, Any]
    settings: Mapping[str, Any]
    subsets: Mapping[str, Any]
    cost: Mapping[str, Any]
    logs: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
    """System -> a seed -> an epoch -> its line."""
    predictions: Mapping[str, Sequence[Predictions]]
    validation: Mapping[str, Sequence[Predictions]]
    """The same of the validation rows, of runs that kept them."""

    @property
    def systems(self) -> dict[str, Mapping[str, Any]]:
        """Results by system: teacher, plain, distilled, then any others."""
        found = self.results["systems"]
        names = [name for name in ORDER if name in found] + [name for name in found if name not in ORDER]
        return {name: found[name] for name in names}

    @property
    def metric(self) -> str:
        return self.results["metric"]["name"]

    @property
    def higher(self) -> bool:
        return self.results["metric"]["higher_is_better"]


def read_run(run: Path) -> Recorded:
    """Everything the page draws; FileNotFoundError without results.json, ValueError that names a damaged file."""
    results = read_results(run)
    drawn = results["systems"] if results["task"]["kind"] in DRAWN else ()
    return Recorded(
        name=run.resolve().name,
        where=str(run),
        date=date.fromtimestamp((run / "results.json").stat().st_mtime).isoformat(),
        results=results,
        settings=optional(run / "run.json"),
        subsets=optional(run / "subsets.json", SUBSETS),
        cost=optional(run / "cost.json", COST),
        logs={name: [read_log(folder) for folder in seeds_of(run / name)] for name in results["systems"]},
        predictions={name: read_predictions(run / name, PREDICTIONS) for name in drawn},
        validation={name: read_predictions(run / name, VALIDATION) for name in drawn},
    )


def optional(path: Path, shape: Shape | None = None) -> dict[str, Any]:
    """A JSON object, empty where there is no file."""
    return read_json(path, shape) if path.is_file() else {}


def read_predictions(system: Path, file: str) -> list[Predictions]:
    """What every seed said of the test or validation rows, as far as it was written."""
    paths = [folder / file for folder in seeds_of(system)]
    return [Predictions.load(path) for path in paths if path.is_file()]
