"""Float64 references of UMI's common space, for the suite over all objectives: every row and modality in a loop."""

from typing import Any

import numpy as np

from understudy import objectives
from understudy.tasks import Classification, Regression

CLASSES, NUMBER = Classification(classes=("a", "b", "c")), Regression(mean=0.5, scale=2.0)
READS = ["classes", "embedding"]


def reference(a: dict[str, np.ndarray], o: Any) -> np.ndarray:
    tokens, found = o.state_dict()["tokens"].double().numpy(), np.zeros(len(a["rows"]))
    for row in np.flatnonzero(a["rows"]):
        for name in READS:
            away = ((a[f"student_{name}"][row] - tokens) ** 2).sum(axis=1)
            found[row] += away[int(a["target"][row])] if o.by == "class" else away.min()
    return found


def example(task: Any, *, by: Any, needs_label: bool) -> dict[str, Any]:
    make = lambda: objectives.CommonSpace(READS, 5, task, by=by, tokens=7)  # noqa: E731
    return {"make": make, "task": task, "distils": False, "reference": reference, "needs_label": needs_label}


EXAMPLES = {
    "CommonSpace": [example(CLASSES, by="class", needs_label=True), example(NUMBER, by="nearest", needs_label=False)],
}
