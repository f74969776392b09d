"""search: a finished run's models as search engines: a test row's embedding looks for rows of its class among known ones."""

from typing import Any

import numpy as np

from understudy.batches.every_row import every_row
from understudy.evaluate.compare import over_seeds
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.search import embedded, search_metrics
from understudy.models.model import views_of
from understudy.process.whole import write_json
from understudy.study.run import SYSTEMS, Run
from understudy.tasks.ranking import Divisor


def search(run: Run, *, cut: int = 500, ap_divisor: Divisor = "hits_in_k") -> dict[str, Any]:
    """R@k and mAP@CUT of every system and seed, written to the run's search.json.

    Queries are the test rows, the gallery the labelled train rows and the validation rows: all rows whose class one knows, which
    are the published train rows where validation rows were taken from them. A row that some system cannot see is in neither.
    ValueError for a run that does not tell classes apart, or whose models already search.
    """
    corpus, split = run.corpus(), run.split()
    if not corpus.task.classed:
        raise ValueError(f"{run.folder} is a {corpus.task.kind}: there are no classes to search for")
    parts = {"queries": np.sort(split.test), "gallery": np.sort(np.concatenate([split.labelled, split.valid]))}
    places: dict[str, list[dict[str, Predictions]]] = {}
    for system in SYSTEMS:
        places[system] = []
        for seed in run.seeds:
            model = run.model(system, seed=seed)
            found = {part: embedded(model, every_row(corpus, rows, views_of(model))) for part, rows in parts.items()}
            places[system].append(found)
    everyone = [each for seeds in places.values() for each in seeds]
    seen = {part: np.all([each[part].seen for each in everyone], axis=0) for part in parts}
    for part, rows in seen.items():
        if not rows.any():
            raise ValueError(f"no row of the {part} has a modality for every system")
    options = {"cut": cut, "ap_divisor": ap_divisor}

    def scored(found: dict[str, Predictions]) -> dict[str, float]:
        asks, held = (found[part].take(seen[part]) for part in parts)
        return search_metrics(asks.values, held.values, asks.target, held.target, **options)

    scores = {system: [scored(found) for found in seeds] for system, seeds in places.items()}
    document = {
        "queries": {"rows": int(seen["queries"].sum()), "of": len(parts["queries"]), "part": "test"},
        "gallery": {"rows": int(seen["gallery"].sum()), "of": len(parts["gallery"]), "part": "labelled train and validation"},
        "split": {"name": split.name, "hash": split.hash},
        "corpus": dict(corpus.schema.about),
        "feature": "embedding before the head",
        "score": "cosine",
        **options,
        "systems": {
            system: {name: over_seeds([each[name] for each in seeds]) for name in seeds[0]} for system, seeds in scores.items()
        },
    }
    write_json(run.folder / "search.json", document)
    return document


def search_table(document: dict[str, Any]) -> str:
    """One line a system."""
    names = [name for name in document["systems"]["plain"] if name not in ("left_out", "zero_norm")]
    lines = [f"{'system':10s} " + " ".join(f"{name:>10s}" for name in names)]
    for system, found in document["systems"].items():
        means = [found[name]["mean"] for name in names]
        lines.append(f"{system:10s} " + " ".join(" " * 9 + "-" if mean is None else f"{mean:10.4f}" for mean in means))
    sizes = {part: document[part]["rows"] for part in ("queries", "gallery")}
    lines.append(f"{sizes['queries']} test rows search {sizes['gallery']} labelled train and validation rows by cosine;")
    lines.append(f"mAP over the first {document['cut']} places, divisor {document['ap_divisor']}; mean over seeds.")
    return "\n".join(lines)
