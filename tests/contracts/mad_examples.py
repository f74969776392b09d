"""Float64 references of the objectives of MAD, for the suites over all objectives: every row and token in a loop."""

from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Term
from understudy.tasks import Classification

CLASSES = Classification(classes=("a", "b", "c"))
STUDENT_WIDTH, TOKEN_WIDTH, VECTOR_WIDTH = 5, 2, 3
OURS, THEIRS = ((0, 2), (3, 5), (5, 8), (9, 12)), ((0, 3), (3, 4), (4, 8), (9, 12))
"""Where the tokens of the two players stand: one of ours meets two of theirs, and one of theirs two of ours."""
DRAWN = np.random.default_rng(0).uniform(size=(64, len(OURS)))
"""For each token of each row, by its id."""
Arrays = dict[str, np.ndarray]


def projected(objective: Any, values: np.ndarray) -> np.ndarray:
    w = {name: value.double().numpy() for name, value in objective.state_dict().items()}
    return values @ w["projection.weight"].T + w["projection.bias"]


def level(values: np.ndarray) -> np.ndarray:
    return values / np.sqrt((values**2).mean(axis=-1, keepdims=True))


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def distances(objective: Any, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    if objective.distance == "infonce":
        scores = unit(ours) @ unit(theirs).T / objective.temperature
        both = (logsumexp(scores, axis=1) + logsumexp(scores, axis=0)) / 2
        return both - np.diag(scores) - np.log(len(ours))
    away = level(ours) - level(theirs)
    return {"l1": np.abs(away), "l2": away**2, "cosine": away**2 / 2}[objective.distance].mean(axis=1)


def vector_reference(a: Arrays, o: Any) -> np.ndarray:
    found = np.zeros(len(a["rows"]))
    found[a["rows"]] = distances(o, projected(o, a["student_embedding"]), a["teacher_image.pooled"])[a["rows"]]
    if o.distance == "infonce":
        rows = a["rows"]
        found[rows] = distances(o, projected(o, a["student_embedding"][rows]), a["teacher_image.pooled"][rows])
    return found


def chosen(o: Any, said: list[np.ndarray], row: int, a: Arrays) -> list[int]:
    scores = np.zeros(len(said))
    if o.choosing in ("topk", "sampled"):
        against = np.mean([unit(a[f"teacher_{name}"][row]) for name in o.against], axis=0)
        scores = np.array([unit(z) @ against for z in said])
    if o.choosing in ("sampled", "random"):
        scores = scores / o.sampling - np.log(-np.log(DRAWN[row, : len(said)]))
    return sorted(range(len(said)), key=lambda t: -scores[t])[: max(1, round(o.share * len(said)))]


def token_reference(a: Arrays, o: Any) -> np.ndarray:
    places, ours, theirs = [], [], []
    for row in np.flatnonzero(a["rows"]):
        said = []
        for t in np.flatnonzero(a["mask"][row]):
            over = [s for s in np.flatnonzero(a["mask"][row]) if max(OURS[t][0], THEIRS[s][0]) < min(OURS[t][1], THEIRS[s][1])]
            said.append(a["teacher_tokens"][row, over].mean(axis=0))
        for t in chosen(o, said, row, a):
            places.append(row)
            ours.append(projected(o, a["student_tokens"][row, t]))
            theirs.append(said[t])
    losses, rows = distances(o, np.array(ours), np.array(theirs)), np.array(places)
    return np.array([losses[rows == row].mean() if (rows == row).any() else 0.0 for row in range(len(a["rows"]))])


def example(make: Any, reference: Any) -> dict[str, Any]:
    """Arguments of an Example; what it is least at is looked at in its own suite."""
    return {"make": make, "task": CLASSES, "distils": True, "reference": reference, "least": False}


class Drawing(objectives.TokenSelection):
    """With the numbers that a method hands over."""

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:  # type: ignore[override]
        drawn = torch.tensor(DRAWN, dtype=torch.float32)[[int(row) for row in batch.id]]
        return super().forward(batch, student, teacher, None, drawn)


def tokens(**options: Any) -> dict[str, Any]:
    settings = {"against": ["image.pooled"], "share": 0.5} | options
    return example(lambda: Drawing(TOKEN_WIDTH, VECTOR_WIDTH, **settings), token_reference)


EXAMPLES = {
    "Unimodal": [
        example(
            lambda distance=distance: objectives.Unimodal("image.pooled", STUDENT_WIDTH, VECTOR_WIDTH, distance=distance),
            vector_reference,
        )
        for distance in ("l1", "l2", "cosine", "infonce")
    ],
    "TokenSelection": [
        tokens(),
        tokens(against=["text.pooled", "image.pooled"], distance="l2", share=0.3),
        tokens(choosing="sampled", distance="cosine"),
        tokens(choosing="random"),
        tokens(choosing="all", distance="infonce", temperature=0.5),
    ],
}
