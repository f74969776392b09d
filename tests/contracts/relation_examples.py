"""Float64 references of objectives over relations, rankings and decoupled classes, for the suites over all objectives."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.special import huber, rel_entr, softmax
from scipy.stats import kendalltau, zscore

from understudy import objectives
from understudy.batches.batch import Batch, Output
from understudy.objectives.objective import Objective, Term
from understudy.tasks import Classification

CLASSES = Classification(classes=("a", "b", "c"))
Arrays = dict[str, np.ndarray]


def divergence(teacher: np.ndarray, student: np.ndarray) -> np.ndarray:
    return rel_entr(softmax(teacher, axis=1), softmax(student, axis=1)).sum(axis=1)


def without_target(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.stack([np.delete(row, int(y)) for row, y in zip(logits, target, strict=True)])


def target_alone(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    p = softmax(logits, axis=1)[np.arange(len(logits)), target.astype(int)]
    return np.stack([p, 1 - p], axis=1)


def non_target_reference(a: Arrays, o: Any) -> np.ndarray:
    teacher, student = (without_target(a[player], a["target"]) / o.temperature for player in ("teacher", "student"))
    return o.temperature**2 * divergence(teacher, student)


def dkd_reference(a: Arrays, o: Any) -> np.ndarray:
    teacher, student = (target_alone(a[player] / o.temperature, a["target"]) for player in ("teacher", "student"))
    return o.temperature**2 * rel_entr(teacher, student).sum(axis=1) + o.beta * non_target_reference(a, o)


def standardised_reference(a: Arrays, o: Any) -> np.ndarray:
    teacher, student = (zscore(a[player], axis=1) / o.temperature for player in ("teacher", "student"))
    return o.temperature**2 * divergence(teacher, student)


def aligned_reference(a: Arrays, o: Any) -> np.ndarray:
    tau = [kendalltau(one, two)[0] for one, two in zip(a["student"], a["teacher"], strict=True)]
    return non_target_reference(a, o) * (np.array(tau) > o.threshold)


def of_rows(a: Arrays, loss: Any) -> np.ndarray:
    """`loss(student, teacher)` of the rows that count alone, put back among the others."""
    return put_back(a, loss(a["student_embedding"][a["rows"]], a["teacher_embedding"][a["rows"]]))


def put_back(a: Arrays, loss: np.ndarray) -> np.ndarray:
    """The losses of the rows that count, among the others."""
    found = np.zeros(len(a["rows"]))
    found[a["rows"]] = loss
    return found


def others(values: np.ndarray) -> np.ndarray:
    """Each row without its own place."""
    return values[~np.eye(len(values), dtype=bool)].reshape(len(values), -1)


def distance_loss(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    ours, theirs = (others(cdist(x, x)) for x in (student, teacher))
    return huber(1, ours / ours[ours > 0].mean() - theirs / theirs[theirs > 0].mean()).mean(axis=1)


def angle_loss(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    def cosines(x: np.ndarray, at: int) -> np.ndarray:
        arms = np.delete(x, at, axis=0) - x[at]
        sizes = np.linalg.norm(arms, axis=1, keepdims=True)
        units = np.divide(arms, sizes, out=np.zeros_like(arms), where=sizes > 0)
        return others(units @ units.T)

    return np.array([huber(1, cosines(student, at) - cosines(teacher, at)).mean() for at in range(len(student))])


def neighbour_loss(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    kernels = (others(1 - cdist(x, x, "cosine") / 2) + 1e-6 for x in (student, teacher))
    ours, theirs = (k / k.sum(axis=1, keepdims=True) for k in kernels)
    return rel_entr(theirs, ours).sum(axis=1)


def flow_loss(student: np.ndarray, teacher: np.ndarray, kernel: str, divergence: str) -> np.ndarray:
    kinds = {
        "cosine": lambda x: 1 - cdist(x, x, "cosine") / 2 + 1e-6,
        "student_t": lambda x: 1 / (1 + cdist(x, x)),
    }
    total = np.zeros(len(student))
    for name, kind in kinds.items():
        if kernel in (name, "combined"):
            ours, theirs = (k / k.sum(axis=1, keepdims=True) for k in (others(kind(x)) for x in (student, teacher)))
            total += rel_entr(theirs, ours).sum(axis=1)
            total += rel_entr(ours, theirs).sum(axis=1) if divergence == "jeffreys" else 0
    return total


def product_loss(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    ours, theirs = ((x @ x.T) / np.linalg.norm(x @ x.T, axis=1, keepdims=True) for x in (student, teacher))
    return ((ours - theirs) ** 2).mean(axis=1)


def distribution_loss(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    ours, theirs = ((1 - cdist(x, x, "cosine")) / 0.1 for x in (student, teacher))
    return 0.1**2 / 2 * (divergence(theirs, ours) + divergence(theirs.T, ours.T))


def attention_reference(a: Arrays, o: Any) -> np.ndarray:
    def maps(player: str) -> np.ndarray:
        energy = (a[f"{player}_tokens"] ** 2).mean(axis=2) * a["mask"]
        return energy / np.linalg.norm(energy, axis=1, keepdims=True)

    return ((maps("student") - maps("teacher")) ** 2).sum(axis=1)


def views_reference(a: Arrays, o: Any) -> np.ndarray:
    """Of the text, and of the picture where a row has one: in every third it is not there."""
    losses = []
    for modality in o.modalities:
        teacher, student = (a[f"{player}_{modality}.shown"] / o.of.temperature for player in ("teacher", "student"))
        losses.append(o.of.temperature**2 * divergence(teacher, student))
    losses[1][np.arange(len(losses[1])) % 3 == 0] = 0
    return losses[0] + losses[1]


class Blanked(objectives.ViewKD):
    """Of a teacher that lacks the picture in every third row."""

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:  # type: ignore[override]
        here = torch.tensor([int(row) % 3 > 0 for row in batch.id], dtype=torch.bool)
        picture = teacher.features["image.shown"].where(here[:, None], 0.0)
        return super().forward(batch, student, replace(teacher, features={**teacher.features, "image.shown": picture}))


class OneSided(objectives.SimilarityDistribution):
    """The distributions of rows over rows of the same player, so that two outputs say all."""

    def forward(self, batch: Batch, student: Output, teacher: Output) -> Term:  # type: ignore[override]
        return super().forward(batch, student, student, teacher, teacher)


def example(make: Any, reference: Any, *, labelled: bool = False) -> dict[str, Any]:
    """Arguments of an Example."""
    return {"make": make, "task": CLASSES, "distils": True, "reference": reference, "only_labelled": labelled}


def relation(make: type[Objective], loss: Any) -> list[dict[str, Any]]:
    return [example(make, lambda a, _: of_rows(a, loss))]


EXAMPLES = {
    "DKD": [
        example(lambda beta=beta, t=t: objectives.DKD(beta=beta, temperature=t), dkd_reference, labelled=True)
        for beta, t in ((4.0, 2.0), (0.0, 1.0))
    ],
    "LSKD": [example(lambda t=t: objectives.LSKD(temperature=t), standardised_reference) for t in (1.0, 4.0)],
    "NonTargetKD": [example(lambda: objectives.NonTargetKD(temperature=2.0), non_target_reference, labelled=True)],
    "AlignedKD": [example(lambda t=t: objectives.AlignedKD(threshold=t), aligned_reference, labelled=True) for t in (0.0, -0.5)],
    "ViewKD": [
        example(lambda: Blanked(("text", "image"), objectives.LogitKD(temperature=2.0)), views_reference),
    ],
    "RKD": [
        example(
            lambda d=d, a=a: objectives.RKD(distance=d, angle=a),
            lambda a, o: of_rows(a, lambda s, t: o.distance * distance_loss(s, t) + o.angle * angle_loss(s, t)),
        )
        for d, a in ((1.0, 0.0), (0.0, 1.0), (25.0, 50.0))
    ],
    "PKT": relation(objectives.PKT, neighbour_loss),
    "IFD": [
        example(
            lambda k=k, d=d: objectives.IFD(kernel=k, divergence=d),
            lambda a, o: of_rows(a, lambda s, t: flow_loss(s, t, o.kernel, o.divergence)),
        )
        for k, d in (("combined", "jeffreys"), ("student_t", "kl"), ("cosine", "jeffreys"))
    ],
    "SimilarityPreserving": relation(objectives.SimilarityPreserving, product_loss),
    "SimilarityDistribution": relation(OneSided, distribution_loss),
    "ClassStructure": [
        example(
            lambda: objectives.ClassStructure(),
            lambda a, _: put_back(
                a, distribution_loss(a["student_embedding"][a["rows"]], softmax(a["student"][a["rows"]], axis=1))
            ),
        )
        | {"distils": False, "needs_label": False}
    ],
    "AttentionTransfer": [example(objectives.AttentionTransfer, attention_reference)],
}
