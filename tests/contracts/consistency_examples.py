"""Float64 references of the consistency of two players, for the suite over all objectives."""

from typing import Any

import numpy as np
from scipy.special import softmax

from understudy import objectives
from understudy.tasks import Classification, Regression

CLASSES, NUMBER = Classification(classes=("a", "b", "c")), Regression(mean=0.5, scale=2.0)


def of_classes(a: dict[str, np.ndarray], o: Any) -> np.ndarray:
    return ((softmax(a["student"], axis=1) - softmax(a["teacher"], axis=1)) ** 2).sum(axis=1) / 3


def of_numbers(a: dict[str, np.ndarray], o: Any) -> np.ndarray:
    return ((a["student"] - a["teacher"]) ** 2)[:, 0]


def example(task: Any, reference: Any, *, detach: bool = True) -> dict[str, Any]:
    def make() -> objectives.Consistency:
        return objectives.Consistency(task, detach=detach)

    return {"make": make, "task": task, "distils": True, "reference": reference, "frozen": detach}


EXAMPLES = {
    "Consistency": [example(CLASSES, of_classes), example(NUMBER, of_numbers), example(CLASSES, of_classes, detach=False)],
}
