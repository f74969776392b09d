"""Float64 references of the contrastive objectives and the conditional entropies, for the suites over all objectives."""

from typing import Any

import numpy as np
import torch
from scipy.special import expit, log_softmax, logsumexp, softmax

from understudy import objectives
from understudy.objectives.objective import Objective
from understudy.tasks import Classification, MultiLabel, Regression, Task

CLASSES = Classification(classes=("a", "b", "c"))
NUMBER = Regression(mean=0.5, scale=2.0)
STUDENT_WIDTH, TEACHER_WIDTH = 5, 7
Arrays = dict[str, np.ndarray]


def weights(objective: Objective) -> Arrays:
    return {name: value.double().numpy() for name, value in objective.state_dict().items()}


def on_sphere(objective: Objective, side: str, values: np.ndarray) -> np.ndarray:
    w = weights(objective)
    projected = values @ w[f"{side}.projection.weight"].T + w[f"{side}.projection.bias"]
    return projected / np.linalg.norm(projected, axis=1, keepdims=True)


def layers(objective: Objective, name: str, values: np.ndarray) -> np.ndarray:
    w = weights(objective)
    for layer in (0, 2, 4):
        values = np.maximum(values, 0) if layer else values
        values = values @ w[f"{name}.{layer}.weight"].T + w.get(f"{name}.{layer}.bias", 0.0)
    return values


def size_one(values: np.ndarray) -> np.ndarray:
    return values / np.sqrt((values**2).mean(axis=1, keepdims=True))


def infonce_reference(a: Arrays, objective: Objective) -> np.ndarray:
    rows = a["rows"]
    u, v = (
        on_sphere(objective, side, a[key])[rows] for side, key in (("left", "student_embedding"), ("right", "teacher_embedding"))
    )
    scores = u @ v.T / objective.temperature
    loss = np.zeros(len(rows))
    loss[rows] = (logsumexp(scores, axis=1) + logsumexp(scores, axis=0)) / 2 - np.diag(scores) - np.log(rows.sum())
    return loss


def spread(objective: Objective) -> np.ndarray:
    return np.log1p(np.exp(weights(objective)["variance.raw"])) + 1e-5


def vid_reference(a: Arrays, objective: Objective) -> np.ndarray:
    away = a["teacher_embedding"] - layers(objective, "mean", a["student_embedding"])
    return (0.5 * (away**2 / spread(objective) + np.log(spread(objective)))).mean(axis=1)


def gaussian_reference(a: Arrays, objective: Objective) -> np.ndarray:
    t = size_one(a["teacher_embedding"]) if objective.scaled else a["teacher_embedding"]
    away = t - layers(objective, "generator", a["student_embedding"])
    return 0.5 * (away**2 / spread(objective) + np.log(2 * np.pi * spread(objective))).mean(axis=1)


def adversarial_reference(a: Arrays, objective: Objective) -> np.ndarray:
    s, t = a["student_embedding"], a["teacher_embedding"]
    latent = np.zeros((len(s), 16 if objective.variant == "cgan" else 0))
    made = layers(objective, "generator", np.hstack([s, latent]))
    t, made = (size_one(t), size_one(made)) if objective.scaled else (t, made)
    beside = {"alice": [t], "cgan": [s], "repr_gan": []}[objective.variant]
    real, fake = (layers(objective, "discriminator", np.hstack([*beside, x]))[:, 0] for x in (t, made))
    return -np.log(expit(fake)) - (0 if objective.detach_teacher else np.log(expit(-real)))


def answer_reference(a: Arrays, objective: Objective) -> np.ndarray:
    s, t = a["student"], a["teacher"]
    if s.shape[1] == 1:
        variance = np.log1p(np.exp(weights(objective)["variance.raw"])) + 1e-5
        return 0.5 * ((t - s) ** 2 / variance + np.log(2 * np.pi * variance))[:, 0]
    s, t = s / objective.temperature, t / objective.temperature
    if objective.apart:
        return -(objective.temperature**2) * (expit(t) * np.log(expit(s)) + expit(-t) * np.log(expit(-s))).sum(axis=1)
    return -(objective.temperature**2) * (softmax(t, axis=1) * log_softmax(s, axis=1)).sum(axis=1)


def pair_reference(a: Arrays, objective: Objective) -> np.ndarray:
    soften = (lambda x: x) if a["student"].shape[1] == 1 else (lambda x: softmax(x / objective.temperature, axis=1))
    s, t = soften(a["student"]), soften(a["teacher"])
    real, fake = (layers(objective, "discriminator", np.hstack([t, x]))[:, 0] for x in (t, s))
    return -np.log(expit(fake)) - (0 if objective.detach_teacher else np.log(expit(-real)))


def crd_reference(a: Arrays, objective: Objective) -> np.ndarray:
    """As the paper's code has it: the bank's rows gathered one by one, e / Z, h = e / (e + K / M)."""
    w, rows = weights(objective), a["rows"]
    place = torch.tensor([objective.place[str(row)] for row in range(len(rows))])
    positives, negatives = objective.draw(place)
    pairs = torch.cat([positives[:, None], negatives], dim=1).numpy()
    size, count = len(w["left_bank"]), pairs.shape[1] - 1
    total = 0
    sides = (("left", "student_embedding", "right_bank"), ("right", "teacher_embedding", "left_bank"))
    for n, (side, key, bank) in enumerate(sides):
        e = np.exp(np.einsum("bd,bkd->bk", on_sphere(objective, side, a[key]), w[bank][pairs]) / objective.temperature)
        e /= size * (np.exp(w["level"][n]) if objective.fixed else e[rows].mean())
        h = e / (e + count / size)
        total = total - np.log(h[:, 0]) - np.log(1 - h[:, 1:]).sum(axis=1)
    return total / 2 - np.log(count)


def banked(fixed: bool, **options: Any) -> objectives.CRD:
    """A bank of 40 rows, more than any batch here has; fixed: as after a first step."""
    objective = objectives.CRD(STUDENT_WIDTH, TEACHER_WIDTH, dimension=6, **options)
    random = np.random.default_rng(0)
    labelled = np.arange(40) != 30
    objective.meet([str(row) for row in range(40)], random.integers(0, 3, 40), labelled)
    if fixed:
        objective.level.copy_(torch.tensor([1.5, 2.0]))
        objective.fixed = True
    return objective


def example(kind: type[Objective], reference: Any, *, frozen: bool = True, **options: Any) -> dict[str, Any]:
    """Arguments of an Example; in evaluation mode, where no noise is drawn."""
    return {
        "make": lambda: kind(STUDENT_WIDTH, TEACHER_WIDTH, **options).eval(),
        "task": CLASSES,
        "distils": True,
        "reference": reference,
        "frozen": frozen,
        "least": False,
    }


def of_answers(kind: Any, reference: Any, task: Task, *, asked: Task | None = None, **options: Any) -> dict[str, Any]:
    """Arguments of an Example of an objective that is made for a task; asked: the task of the batch, where that is another."""
    made = {"make": lambda: kind(task, **options).eval(), "task": asked or task, "distils": True, "reference": reference}
    return made | {"frozen": options.get("detach_teacher", True), "least": False}


APART = MultiLabel(classes=("a", "b", "c"), entries=1)
EXAMPLES = {
    "AnswerEntropy": [
        of_answers(objectives.AnswerEntropy, answer_reference, CLASSES),
        of_answers(objectives.AnswerEntropy, answer_reference, CLASSES, temperature=1.0, detach_teacher=False),
        of_answers(objectives.AnswerEntropy, answer_reference, NUMBER),
        of_answers(objectives.AnswerEntropy, answer_reference, APART, asked=CLASSES),
    ],
    "AnswerGame": [
        of_answers(objectives.AnswerGame, pair_reference, task, detach_teacher=detach)
        for task in (CLASSES, NUMBER)
        for detach in (True, False)
    ],
    "CRD": [
        {
            "make": lambda fixed=fixed, options=options: banked(fixed, **options),
            "task": CLASSES,
            "distils": True,
            "reference": crd_reference,
            "frozen": "detach_right" in options,
            "least": False,
        }
        for fixed, options in (
            (False, {"detach_right": True}),
            (True, {"contrast": "instances", "negatives": 20}),
            (True, {"positive": "relax", "temperature": 0.5, "detach_left": True}),
        )
    ],
    "InfoNCE": [
        example(objectives.InfoNCE, infonce_reference, frozen=False),
        example(objectives.InfoNCE, infonce_reference, dimension=4, temperature=0.5, detach_right=True),
    ],
    "VID": [example(objectives.VID, vid_reference)],
    "GaussianEntropy": [
        example(objectives.GaussianEntropy, gaussian_reference),
        *(
            example(objectives.GaussianEntropy, gaussian_reference, scaled=scaled, detach_teacher=False, frozen=False)
            for scaled in (True, False)
        ),
    ],
    "AdversarialEntropy": [
        example(
            objectives.AdversarialEntropy,
            adversarial_reference,
            variant=variant,
            scaled=scaled,
            detach_teacher=detach,
            frozen=detach,
        )
        for variant in ("alice", "cgan", "repr_gan")
        for detach, scaled in ((True, True), (False, True), (False, False))
    ],
}
