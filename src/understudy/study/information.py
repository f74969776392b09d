"""information: what the models of a finished run know of each other and of the label, on its test rows, in nats."""

from dataclasses import asdict
from typing import Literal

import numpy as np

from understudy.batches.every_row import every_row
from understudy.evaluate.information import Information, gaussian, infonce, ksg, of_label
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.search import embedded
from understudy.models.model import views_of
from understudy.process.whole import write_json
from understudy.study.run import Run

ESTIMATORS = {"ksg": ksg, "gaussian": gaussian, "infonce": infonce}
LEADS = ("teacher", "joint_teacher")
MOST_ROWS = 1000
"""Of the test rows, the first: KSG's neighbours take seconds from here on."""


def information(
    run: Run, *, estimator: Literal["ksg", "gaussian", "infonce"] = "ksg", seed: int | None = None
) -> dict[str, Information]:
    """ "teacher; distilled" -> what their embeddings share, so for every other system; "distilled; label" -> the bound for it.

    seed: of the models; the one that ships when None. The label's only where it is a class. Each pair over the rows both see.
    Written to the run's information.json.
    """
    corpus, split = run.corpus(), run.split()
    rows = np.sort(split.test)[:MOST_ROWS]
    places: dict[str, Predictions] = {}
    for system in run.results["systems"]:
        model = run.model(system, seed=seed)
        places[system] = embedded(model, every_row(corpus, rows, views_of(model))).grouped(
            corpus.ids, corpus.ids if corpus.groups is None else corpus.groups
        )
    found: dict[str, Information] = {}
    for lead in [name for name in LEADS if name in places]:
        for other in [name for name in places if name not in LEADS]:
            both = places[lead].seen & places[other].seen
            found[f"{lead}; {other}"] = ESTIMATORS[estimator](varying(places[lead], both), varying(places[other], both))
    if corpus.task.classed:
        for name, each in places.items():
            kept = each.take(each.seen & each.has_target)
            found[f"{name}; label"] = of_label(varying(each, each.seen & each.has_target), kept.target, groups=kept.group)
    write_json(run.folder / "information.json", {name: asdict(each) for name, each in found.items()})
    return found


def varying(places: Predictions, rows: np.ndarray) -> np.ndarray:
    """The columns that change over these rows: others, such as units that never fire, know nothing."""
    values = places.values[rows]
    return values[:, np.ptp(values, axis=0) > 0] if len(values) else values
