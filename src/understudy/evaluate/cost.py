"""Cost: what does each modality take, in parameters and in milliseconds a row?"""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from understudy.batches.batch import Fields
from understudy.evaluate.score import evaluating
from understudy.models.model import Model
from understudy.prepare.cells import Cells
from understudy.prepare.view import View, trim
from understudy.process.whole import write_json

WARM = 3
"""Calls before the clock counts: allocators, caches and lazy initialisation."""

MOST = 100
"""Calls that the clock counts at most: with more, percentiles move less than they do from one run to the next."""


def parameters_of(model: Model) -> dict[str, Any]:
    """Parameters in all, of each encoder, of fusion and of head; a tensor that two parts share counts once in `total`."""
    return {
        "total": count(model),
        "encoders": {modality: count(model.encoders[modality]) for modality in model.modalities},
        "fusion": count(model.fusion),
        "head": count(model.head),
    }


def count(module: nn.Module) -> int:
    """Numbers in a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def measure(model: Model, cells: Mapping[str, Cells], *, seconds: float = 1.0) -> dict[str, Any]:
    """Parameters, and latency in ms of one row at a time: of each view (raw cell to tensors), each encoder, and the whole model.

    cells: a few raw rows of each modality (of a corpus), as long or large as real ones; absent rows are left out.
    seconds: the time that all measurements together may take. A modality that no row has gets null.
    """
    views = model.views
    rows = {m: [cells[m].take([int(row)]) for row in np.flatnonzero(cells[m].present)] for m in model.modalities if m in cells}
    rows = {modality: found for modality, found in rows.items() if found}
    share = seconds / (2 * max(len(rows), 1) + 1)
    with evaluating(model), torch.inference_mode():
        prepared = {m: [on_device(views[m], one, model) for one in found] for m, found in rows.items()}
        latency = {
            "views": {m: clock(lambda row, m=m: views[m].prepare(row), rows.get(m, []), share) for m in model.modalities},
            "encoders": {
                m: clock(lambda fields, m=m: alone(model, m, fields), prepared.get(m, []), share) for m in model.modalities
            },
            "model": clock(lambda fields: whole(model, fields), together(prepared), share),
        }
    return {"parameters": parameters_of(model), "latency_ms": latency, "machine": machine(model)}


def on_device(view: View, row: Cells, model: Model) -> Fields:
    """One row's fields as the model takes them."""
    device = next(model.parameters()).device
    return {name: torch.as_tensor(values).to(device) for name, values in trim(view.prepare(row)).items()}


def together(prepared: Mapping[str, list[Fields]]) -> list[dict[str, Fields]]:
    """Rows of all modalities; a modality with fewer rows starts again."""
    most = max((len(found) for found in prepared.values()), default=0)
    return [{m: found[row % len(found)] for m, found in prepared.items()} for row in range(most)]


def alone(model: Model, modality: str, fields: Fields) -> object:
    """What its encoder says of one row."""
    return model.encode(
        {modality: fields}, {modality: torch.ones(1, dtype=torch.bool, device=next(iter(fields.values())).device)}
    )


def whole(model: Model, fields: dict[str, Fields]) -> object:
    """The prediction of one row, from tensors."""
    device = next(model.parameters()).device
    present = {m: torch.full((1,), m in fields, device=device) for m in model.modalities}
    return model.task.decode(model.answer(fields, present)[0])


def clock(call: Callable[[Any], object], rows: list[Any], seconds: float) -> dict[str, float] | None:
    """p50 and p95 in milliseconds of calls on one row after another, for about `seconds`: at least 3 calls, at most `MOST`."""
    if not rows:
        return None
    for turn in range(WARM):
        call(rows[turn % len(rows)])
    taken: list[float] = []
    stop = perf_counter() + seconds
    while len(taken) < 3 or (perf_counter() < stop and len(taken) < MOST):
        wait_for_device()
        begin = perf_counter()
        call(rows[len(taken) % len(rows)])
        wait_for_device()
        taken.append(perf_counter() - begin)
    p50, p95 = np.percentile(taken, [50, 95]) * 1e3
    return {"p50": float(p50), "p95": float(p95), "calls": len(taken)}


def wait_for_device() -> None:
    """Accelerators answer before they are done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine(model: Model) -> dict[str, Any]:
    """Where it was measured."""
    return {"device": str(next(model.parameters()).device), "threads": torch.get_num_threads(), "torch": torch.__version__}


def write_cost(run: Path, systems: Mapping[str, dict[str, Any]]) -> None:
    """Write `cost.json` into a run's folder: system -> what `measure` found."""
    write_json(run / "cost.json", dict(systems))
