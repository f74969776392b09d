"""Float64 references of objectives over ordered classes that stand for a number, for the suite over all objectives."""

import numpy as np
from scipy.special import log_softmax

from understudy import objectives
from understudy.objectives.objective import Objective
from understudy.tasks import Regression

NUMBER = Regression(mean=0.5, scale=2.0)
ANCHORS = (-3.0, -1.5, 0.0, 1.5, 3.0)


def step(difference: np.ndarray, distance: str) -> np.ndarray:
    size = np.abs(difference)
    return {"l1": size, "mse": size**2, "smooth_l1": np.where(size < 1, size**2 / 2, size - 0.5)}[distance]


def class_reference(a: dict[str, np.ndarray], objective: Objective) -> np.ndarray:
    away = (a["target"] / 1.5).clip(-2, 2)
    rule = np.rint(away) if objective.rule == "round" else np.sign(away) * np.ceil(np.abs(away))
    return -log_softmax(a["student_classes"], axis=1)[np.arange(len(away)), rule.astype(int) + 2]


def expected_reference(a: dict[str, np.ndarray], objective: Objective) -> np.ndarray:
    number, expected, target = a["student"][:, 0], a["student_expected"], (a["target"] - 0.5) / 2
    pull = step(number - expected, objective.distance)
    if not objective.guarded:
        return pull
    known, nearer = a["rows"] & a["labelled"], np.abs(expected - target) < np.abs(number - target)
    return pull * np.where(known, nearer, nearer[known].mean())


EXAMPLES = {
    "ClassCrossEntropy": [
        {
            "make": lambda rule=rule: objectives.ClassCrossEntropy(ANCHORS, rule=rule),
            "task": NUMBER,
            "distils": False,
            "reference": class_reference,
        }
        for rule in ("round", "bin")
    ],
    "ExpectedValue": [
        {
            "make": lambda distance=distance, detach=detach, guarded=guarded: objectives.ExpectedValue(
                NUMBER, distance=distance, detach=detach, guarded=guarded
            ),
            "task": NUMBER,
            "distils": False,
            "reference": expected_reference,
            "needs_label": False,
        }
        for distance, detach, guarded in (("l1", True, True), ("mse", False, False), ("smooth_l1", True, True))
    ],
}
