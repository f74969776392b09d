"""Subsets: how good is a model with only some of its modalities? One pass over the data serves them all."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.batches.batch import Batch
from understudy.evaluate.predictions import Predictions
from understudy.evaluate.score import Batches, evaluating, joined, predict, said, score
from understudy.models.model import Model
from understudy.process.whole import write_json
from understudy.tasks import Retrieval, Task

MOST = 8
"""Modalities up to which every subset (255) is scored; beyond, only those that answer "alone?", "without it?" and "all?"."""


def subsets_of(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every non-empty subset, small ones first; of more than 8 modalities the single ones, all but one, and all."""
    many = len(modalities)
    sizes = range(1, many + 1) if many <= MOST else (1, many - 1, many)
    return [subset for size in sizes for subset in combinations(modalities, size)]


def predict_subsets(model: Model, loader: Batches) -> dict[tuple[str, ...], Predictions]:
    """Predictions with each subset of the model's modalities, as if the others were absent from every row.

    Each modality is encoded once a batch; only fusion and head run again. Retrieval needs both sides: there is only the whole.
    """
    if isinstance(model.task, Retrieval):
        return {model.modalities: predict(model, loader)}
    subsets = subsets_of(model.modalities)
    device = next(model.parameters()).device
    parts: dict[tuple[str, ...], list[Predictions]] = {subset: [] for subset in subsets}
    with evaluating(model), torch.inference_mode():
        for batch in loader.batches(0):
            for subset, answer in zip(subsets, answers(model, batch.to(device), subsets), strict=True):
                parts[subset].append(answer)
    return {subset: joined(found) for subset, found in parts.items()}


def answers(model: Model, batch: Batch, subsets: list[tuple[str, ...]]) -> list[Predictions]:
    """What the model says of one batch with each subset."""
    nowhere = torch.zeros_like(batch.labelled)
    present = {m: batch.present.get(m, nowhere) for m in model.modalities}
    views = model.views
    fields = {m: batch.inputs[m][views[m].key] for m in model.modalities if m in batch.inputs}
    encoded = model.encode(fields, present)
    found = []
    for subset in subsets:
        here = {m: present[m] if m in subset else nowhere for m in model.modalities}
        logits = model.join(encoded, here).logits
        found.append(said(model.task, batch, logits, batch.seen_by(subset)))
    return found


def score_subsets(task: Task, predictions: Mapping[tuple[str, ...], Predictions]) -> dict[tuple[str, ...], dict[str, float]]:
    """Metrics and coverage of each subset over the rows that it sees; a subset that sees no row has coverage 0 and no metric."""
    found = {}
    for subset, said_so in predictions.items():
        visible = (said_so.has_target & said_so.seen).any()
        found[subset] = score(task, said_so) if visible else {"coverage": 0.0}
    return found


def subsets_document(systems: Mapping[str, Sequence[Mapping[tuple[str, ...], Mapping[str, float]]]]) -> dict[str, Any]:
    """`subsets.json` from each system's `score_subsets`, one a seed: system -> "a+b" -> modalities and values by seed."""
    return {name: {"+".join(subset): by_seed(subset, seeds) for subset in seeds[0]} for name, seeds in systems.items()}


def by_seed(subset: tuple[str, ...], seeds: Sequence[Mapping[tuple[str, ...], Mapping[str, float]]]) -> dict[str, Any]:
    """One subset: its modalities, and each metric's value of every seed, null where there is none."""
    metrics = {name: [number(scores[subset][name]) for scores in seeds] for name in seeds[0][subset]}
    return {"modalities": list(subset), "metrics": metrics}


def number(value: float) -> float | None:
    """What JSON can say of a number: NaN and infinities become null."""
    return float(value) if np.isfinite(value) else None


def write_subsets(run: Path, document: dict[str, Any]) -> None:
    """Write `subsets.json` into a run's folder."""
    write_json(run / "subsets.json", document)
