"""Score: what does a model say of these rows, and how good is that?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from understudy.batches.batch import Batch, Output
from understudy.evaluate.predictions import Predictions
from understudy.models.model import Model
from understudy.process import hardware
from understudy.tasks import Retrieval, Task


@runtime_checkable
class Batches(Protocol):
    """What a Loader is to an evaluator."""

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...


def predict(model: Model, loader: Batches) -> Predictions:
    """Every row of the loader's epoch 0 once, in its order, in evaluation mode; the training flags come back afterwards."""
    device = next(model.parameters()).device
    with evaluating(model):
        return collect(model, model.task, loader, alone=bool(model.branches), device=device)


@torch.inference_mode()
def collect(
    answer: Callable[[Batch], Output],
    task: Task,
    loader: Batches,
    *,
    alone: bool = False,
    device: torch.device | None = None,
) -> Predictions:
    """Predictions of anything that answers batches: a Teacher, say. alone: it answers each branch of a retrieval apart.

    device: where it answers; where training runs when None.
    """
    parts, device = [], device or hardware.device()
    for batch in (batch.to(device) for batch in loader.batches(0)):
        if isinstance(task, Retrieval):
            parts.append(placed(task, batch, answer, alone=alone))
        else:
            output = answer(batch)
            parts.append(said(task, batch, output.need("logits"), output.valid))
    return joined(parts)


def said(task: Task, batch: Batch, logits: Tensor, seen: Tensor) -> Predictions:
    """The predictions of one batch."""
    values = task.decode(logits.float())
    return Predictions(
        id=np.array(batch.id, dtype=str),
        values=values.cpu().numpy(),
        target=(batch.target if batch.truth is None else batch.truth).cpu().numpy(),
        has_target=batch.labelled.cpu().numpy(),
        seen=seen.cpu().numpy(),
    )


def placed(task: Retrieval, batch: Batch, answer: Callable[[Batch], Output], *, alone: bool) -> Predictions:
    """Where one batch lies in the common space: an embedding for each branch, NaN where a row lacks it.

    What is not answered `alone` is one answer to all modalities, which then stands for every branch that the row has: it has seen
    the other side of the search, so its score is an upper bound and not a search.
    """
    everything = None if alone else answer(batch)
    places = []
    for branch in task.branches:
        output = answer(batch.keep(branch)) if everything is None else everything
        # A model that does not read this branch has no presence of it in its batches; its answer still stands for the row.
        here = output.valid & batch.present[branch].to(output.valid.device) if branch in batch.present else output.valid
        place = task.embed(output.need("logits").float(), output.embedding).float()
        places.append(place.where(here[:, None], torch.nan))
    values = torch.stack(places, dim=1)
    return Predictions(
        id=np.array(batch.id, dtype=str),
        values=values.cpu().numpy(),
        target=batch.target.cpu().numpy(),
        has_target=batch.labelled.cpu().numpy(),
        seen=values.isfinite().all(dim=2).any(dim=1).cpu().numpy(),
    )


def joined(parts: list[Predictions]) -> Predictions:
    """One set of predictions after another, which empties `parts`; ValueError when there is none.

    The values of thousands of classes are gigabytes: each part is let go as soon as it is copied.
    """
    if not parts:
        raise ValueError("nothing to predict: the loader gave no batch; give it at least one row")
    others = ("id", "target", "has_target", "seen")
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in others}
    values = np.empty((len(found["id"]), *parts[0].values.shape[1:]), parts[0].values.dtype)
    end = len(values)
    while parts:
        part = parts.pop()
        values[end - len(part) : end] = part.values
        end -= len(part)
    return Predictions(values=values, **found)


def score(task: Task, predictions: Predictions) -> dict[str, float]:
    """Every metric of the task over rows with a target that are seen, and `coverage`: the seen share of rows with a target."""
    rows = predictions.has_target & predictions.seen
    if not rows.any():
        raise ValueError(
            f"none of {len(predictions)} rows can be scored: {int(predictions.has_target.sum())} have a target, "
            f"{int(predictions.seen.sum())} show the model a modality; choose rows that have both"
        )
    kept = predictions.scored(task, rows)
    return task.metrics(kept.values, kept.target) | {"coverage": float(rows.sum() / predictions.has_target.sum())}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; every module's own training flag is as before afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
