"""`fit` against the loop that one would write by hand, with the same model, batches, optimiser and clipping."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from understudy.batches.batch import Batch
from understudy.encoders import VectorMLP
from understudy.methods import Supervised
from understudy.models.model import Model
from understudy.prepare.cells import Cells
from understudy.prepare.vector import Vector
from understudy.tasks import Classification
from understudy.training.fit import Plan, fit

# mfeat's two widest groups of numbers and its ten digits.
WIDTHS = {"pix": 240, "fac": 216}
TASK = Classification(classes=tuple("0123456789"))
ROUNDS, BATCH, CLIP, RATE = 11, 64, 1.0, 1e-3
# Aim in milliseconds a step -> width of the layers, steps in a round.
SIZES = {"2ms": (128, 300), "20ms": (896, 60)}


def measure(quick: bool) -> dict[str, Any]:
    """Medians of the rounds, which alternate in one process; every call of `fit` counts whole, its start and its log included."""
    found: dict[str, Any] = {"rounds": 1 if quick else ROUNDS}
    for name, (width, steps) in SIZES.items():
        views, batches = made(4 if quick else steps)
        bare, ours = model(views, 16 if quick else width), model(views, 16 if quick else width)
        rounds = [(by_hand(bare, batches), by_fit(ours, batches)) for _ in range(found["rounds"] + 1)][1:]
        found |= {
            f"bare_ms_{name}": median(one for one, _ in rounds),
            f"fit_ms_{name}": median(other for _, other in rounds),
            f"fit_overhead_ms_{name}": median(other - one for one, other in rounds),
            f"fit_ratio_{name}": median(other / one for one, other in rounds),
            f"parameters_{name}": sum(p.numel() for p in ours.parameters()),
        }
    return found


def made(count: int) -> tuple[dict[str, Vector], list[Batch]]:
    """Views, and batches of 64 random rows: all present, all labelled."""
    random = np.random.default_rng(0)
    cells = {
        name: Cells("vector", random.normal(size=(count * BATCH, width)).astype(np.float32), np.ones(count * BATCH, dtype=bool))
        for name, width in WIDTHS.items()
    }
    views = {name: Vector().fit(each) for name, each in cells.items()}
    values = {name: torch.from_numpy(views[name].prepare(each)["values"]).split(BATCH) for name, each in cells.items()}
    yes, targets = torch.ones(BATCH, dtype=torch.bool), torch.from_numpy(random.integers(0, 10, (count, BATCH)))
    return views, [
        Batch(
            inputs={name: {views[name].key: {"values": values[name][n]}} for name in WIDTHS},
            present=dict.fromkeys(WIDTHS, yes),
            target=targets[n],
            labelled=yes,
            id=tuple(str(row) for row in range(n * BATCH, (n + 1) * BATCH)),
        )
        for n in range(count)
    ]


def model(views: dict[str, Vector], width: int) -> Model:
    torch.manual_seed(0)
    return Model(TASK, {name: VectorMLP(view, width=width, depth=3) for name, view in views.items()}, width=width)


def by_hand(model: Model, batches: list[Batch]) -> float:
    """Milliseconds a step of the bare loop."""
    began = time.perf_counter()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=True)
    model.train()
    for batch in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch).need("logits"), batch.target)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
    return (time.perf_counter() - began) / len(batches) * 1e3


class Ready:
    """Batches that lie ready, so that the loops are compared and not their loaders."""

    def __init__(self, of: list[Batch]) -> None:
        self.of = of

    def __len__(self) -> int:
        return len(self.of)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return iter(self.of[start:])


def by_fit(model: Model, batches: list[Batch]) -> float:
    """Milliseconds a step of `fit`."""
    plan = Plan(epochs=1, batch_size=BATCH, rate=RATE, clip=CLIP)
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        fit(Supervised(model), Ready(batches), plan=plan, seed=0, out=Path(out), accelerator=Accelerator(cpu=True), quiet=True)
        return (time.perf_counter() - began) / len(batches) * 1e3


if __name__ == "__main__":
    print(measure(quick=False))
