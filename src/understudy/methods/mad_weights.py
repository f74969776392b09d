"""Weights of MAD: how far each unimodal teacher is trusted in each row. All formulas are ours."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from understudy.batches.batch import Batch, Output
from understudy.models.experts import LOGITS, POOLED
from understudy.objectives.gather import gathered
from understudy.objectives.objective import only
from understudy.tasks import MultiLabel, Task
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Teacher

Confidence = Literal["relative", "truth", "agreement", "constant", "none"]
Weighting = Literal["softmax", "uniform"]
LEAST = 1e-6
"""The least mean of a confidence that others are measured by."""
ROWS = 4096
"""Stored answers that are read at once."""


def truth(task: Task, logits: Float[Tensor, "B _"], target: Tensor) -> Float[Tensor, " B"]:
    """How probable the teacher finds the truth, in [0, 1]: exp(-loss), which is p(y*) for classes and choices.

    For a number that is exp(-|error|) in standardised units. For answers that several people gave, the mean probability of
    those, weighted by their soft targets; 0 where nobody gave one.
    """
    if isinstance(task, MultiLabel):
        return (logits.sigmoid() * target).sum(dim=1) / target.sum(dim=1).clamp(min=1e-6)
    return task.loss(logits, target).neg().exp()


def agreement(task: Task, logits: Float[Tensor, "B _"], target: Tensor) -> Float[Tensor, " B"]:
    """1 where the teacher's likeliest class is the right one, else 0; of soft targets, that of its likeliest class."""
    said = logits.argmax(dim=1)
    return target.gather(1, said[:, None])[:, 0] if isinstance(task, MultiLabel) else (said == target).float()


def relative(confidence: Float[Tensor, "B M"], said: Bool[Tensor, "B M"]) -> Float[Tensor, "B M"]:
    """c over its mean, teacher by teacher: where to learn, and not how much.

    A probability of the truth is small where the truth is hard, and would take the whole term away with it. The mean is over the
    rows of this batch, of all processes, that a teacher says something of.
    """
    known = gathered(said)
    mean = gathered(confidence.where(said, 0.0)).sum(dim=0) / known.sum(dim=0).clamp(min=1)
    return confidence / mean.clamp(min=LEAST)


def trust(
    confidence: Float[Tensor, "B M"], said: Bool[Tensor, "B M"], *, weighting: Weighting, temperature: float
) -> Float[Tensor, "B M"]:
    """alpha_m * c_m of M teachers, 0 where one says nothing; alpha, over those that do, adds up to 1.

    softmax: alpha = softmax(c / temperature). uniform: equal.
    """
    if weighting == "uniform":
        alpha = said / said.sum(dim=1, keepdim=True).clamp(min=1)
    else:
        alpha = (confidence / temperature).masked_fill(~said, torch.finfo(confidence.dtype).min).softmax(dim=1)
    return (alpha * confidence).where(said, 0.0)


@torch.no_grad()
def confidences(
    rule: Confidence, task: Task, batch: Batch, teacher: Output, modalities: Sequence[str], constant: Sequence[float] = ()
) -> tuple[Bool[Tensor, "B M"], Float[Tensor, "B M"]]:
    """Which of a teacher's modalities count in each row, and c of each; rules that need the label count labelled rows alone.

    constant: c of each modality, for the rule of that name.
    """
    said = torch.stack([teacher.valid & teacher.need(m + POOLED).flatten(1).any(dim=1) for m in modalities], dim=1)
    if rule in ("none", "constant"):
        level = torch.tensor(constant, device=said.device) if rule == "constant" else torch.ones(())
        return said, torch.zeros(said.shape, device=said.device) + level
    said = said & batch.labelled[:, None]
    target, measure = only(batch.labelled, batch.target), agreement if rule == "agreement" else truth
    logits = [only(said[:, place], teacher.need(m + LOGITS).float()) for place, m in enumerate(modalities)]
    found = torch.stack([measure(task, each, target) for each in logits], dim=1)
    return said, relative(found, said) if rule == "relative" else found


def mean_truth(teacher: Teacher, ids: Sequence[str], target: NDArray[Any]) -> list[float]:
    """The mean over these rows, all labelled, of each modality's `truth`; over those that have it, 0 where none has."""
    if not isinstance(teacher, Stored):
        raise ValueError("confidence 'constant' asks about all labelled rows before training: it needs stored answers")
    task, modalities = teacher.task, list(teacher.experts)
    kept = task.filled(target, np.ones(len(target), dtype=bool)).astype(np.int64 if task.discrete else np.float32)
    total, count = torch.zeros(len(modalities)), torch.zeros(len(modalities))
    for first in range(0, len(ids), ROWS):
        some = tuple(ids[first : first + ROWS])
        rows = torch.ones(len(some), dtype=torch.bool)
        batch = Batch({}, {}, torch.from_numpy(task.collate(kept[first : first + ROWS])), rows, some)
        said, found = confidences("truth", task, batch, teacher.store.answers(some, tokens=False), modalities)
        total, count = total + found.where(said, 0.0).sum(dim=0), count + said.sum(dim=0)
    return (total / count.clamp(min=1)).tolist()
