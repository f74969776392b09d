"""How much a modality weighs in MSD: by how far the teacher moves when it is taken away."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from understudy.batches.batch import Batch, Output, Subset, shown
from understudy.objectives.kd import answer_distance, bernoulli_divergence, kl_divergence
from understudy.objectives.objective import only
from understudy.tasks import MultiLabel, Regression, Task
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Teacher

Weights = Literal["instance", "population", "learned", "none"]
Measure = Literal["divergence", "loss_gap"]
ROWS = 4096
"""Of which the mean saliency is taken at once."""


def without(modalities: Sequence[str]) -> list[Subset]:
    """For each modality, the others."""
    return [tuple(other for other in modalities if other != m) for m in modalities]


def subsets_of(modalities: Sequence[str], teacher: Sequence[str]) -> tuple[Subset, ...]:
    """What a teacher is asked about alone: each of the modalities, all without each, and all, where it reads others beside."""
    asked = [*((m,) for m in modalities), *without(modalities), tuple(modalities)]
    return tuple(dict.fromkeys(each for each in asked if each and set(each) != set(teacher)))


def answer_to(subset: Sequence[str], said: Output) -> Float[Tensor, "B C"]:
    """What a teacher answers to these modalities, which are all that it reads if it was not asked about them apart."""
    return said.need(shown(subset) if shown(subset) in said.features else "logits").float()


def moved(task: Task, before: Float[Tensor, "R C"], after: Float[Tensor, "R C"]) -> Float[Tensor, " R"]:
    """How far an answer moves: KL(before || after) in nats, summed over classes apart; of a number the standardised distance."""
    if isinstance(task, Regression):
        return answer_distance(after, before, distance="l1")
    divergence = bernoulli_divergence if isinstance(task, MultiLabel) else kl_divergence
    return divergence(after, before, temperature=1.0)


@torch.no_grad()
def saliency(task: Task, batch: Batch, teacher: Output, modalities: Sequence[str], *, measure: Measure) -> Float[Tensor, "B M"]:
    """How much the teacher's answer to `modalities` rests on each: at least 0, and 0 where a row lacks it.

    measure: how far the answer moves when the modality is blank ("divergence"), or by how much its loss on the label grows then
    ("loss_gap"; 0 of a row without a label). Infinite where a row has no other: all rests on it.
    """
    whole, singles = answer_to(modalities, teacher), [answer_to((m,), teacher) for m in modalities]
    here = torch.stack([each.any(dim=1) for each in singles], dim=1) & teacher.valid[:, None]
    alone = here & (here.sum(dim=1, keepdim=True) == 1)
    if len(modalities) == 1:
        return here.float().masked_fill(alone, torch.inf)
    known = here & ~alone & (batch.labelled[:, None] if measure == "loss_gap" else True)
    left = torch.stack([answer_to(rest, teacher) for rest in without(modalities)], dim=1)
    counted = known.flatten()
    before, after = (only(counted, x.flatten(0, 1)) for x in (whole[:, None].expand_as(left), left))
    if measure == "loss_gap":
        target = only(batch.labelled, batch.target).repeat_interleave(len(modalities), dim=0)
        found = task.loss(after, target) - task.loss(before, target)
    else:
        found = moved(task, before, after)
    return found.clamp(min=0).where(counted, 0.0).view(known.shape).masked_fill(alone, torch.inf)


def mean_saliency(
    teacher: Teacher,
    ids: Sequence[str],
    target: NDArray[Any],
    labelled: NDArray[np.bool_],
    modalities: Sequence[str],
    measure: Measure,
) -> Float[Tensor, " M"]:
    """The mean over the train rows that have the modality beside another (of "loss_gap", and a label); infinite without any."""
    if not isinstance(teacher, Stored):
        raise ValueError("weights 'population' asks about all train rows before training: it needs stored answers")
    task, total, count = teacher.task, torch.zeros(len(modalities)), torch.zeros(len(modalities))
    kept = task.filled(target, labelled).astype(np.int64 if task.discrete else np.float32)
    for first in range(0, len(ids), ROWS):
        some = slice(first, first + ROWS)
        said = teacher.store.answers(ids[some], tokens=False)
        batch = Batch({}, {}, torch.from_numpy(task.collate(kept[some])), torch.from_numpy(labelled[some]), tuple(ids[some]))
        found = saliency(task, batch, said, modalities, measure=measure)
        here = torch.stack([answer_to((m,), said).any(dim=1) for m in modalities], dim=1) & said.valid[:, None] & found.isfinite()
        here &= batch.labelled[:, None] if measure == "loss_gap" else True
        total, count = total + found.where(here, 0.0).sum(dim=0), count + here.sum(dim=0)
    return (total / count).nan_to_num(nan=torch.inf)
