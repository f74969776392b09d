"""Float64 references of group KD, for the suites over all objectives."""

from typing import Any

import numpy as np
from scipy.special import rel_entr, softmax

from understudy import objectives
from understudy.tasks import Classification

CLASSES = Classification(classes=("a", "b", "c"))
GROUPS = (2, 0), (1,)
PACED = 0.625


def made(*, paced: bool) -> objectives.GroupKD:
    made = objectives.GroupKD(GROUPS, temperature=3.0)
    if paced:
        made.pace([0.5, 0.5], [0.8, 0.5], alpha=0.4)
    return made


def reference(a: dict[str, np.ndarray], first: float) -> np.ndarray:
    own, theirs = (softmax(a[player][:, GROUPS[0]] / 3, axis=1) for player in ("student", "teacher"))
    return first * rel_entr(theirs, own).sum(axis=1)


EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "GroupKD": [
        {
            "make": lambda paced=paced: made(paced=paced),
            "task": CLASSES,
            "distils": True,
            "reference": lambda a, _, paced=paced: reference(a, PACED if paced else 1.0),
            "needs_label": True,
        }
        for paced in (False, True)
    ],
}
