"""Objectives: a step of each against the same mathematics written the plain way, interleaved in one process; and peak memory."""

import ctypes
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.record import table, write_result
from understudy.batch import Batch, Output
from understudy.objectives import CRD

ROUNDS = 9
TOLERANCE = 1e-5
"""Largest relative difference between the losses and the gradients of the two sides."""
Step = Callable[[], list[Tensor]]
"""One training step: its loss and its gradients."""


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    rows = [case(quick) for case in CASES]
    if quick:
        return
    figures = {name: value for row in rows for name, value in row.pop("figures").items()}
    write_result("objective_speed", figures=figures, rows=rows, seeds=[0], text=page(rows))


def crd(quick: bool) -> dict[str, Any]:
    """CRD with the paper's 16,384 negatives and a bank of 50,000 rows, against gathering the bank's rows one by one."""
    batch_size, negatives, size, width = (8, 64, 300, 16) if quick else (64, 16_384, 50_000, 128)
    objective, batch, left, right = banked(batch_size, negatives, size, width)
    parameters = [*objective.parameters(), left.need("embedding"), right.need("embedding")]

    def ours() -> list[Tensor]:
        term = objective(batch, left, right)
        return after(term.total / term.count, parameters, objective)

    def by_rows() -> list[Tensor]:
        u, v = (side(left.valid, output) for side, output in ((objective.left, left), (objective.right, right)))
        place = objective.places(batch)
        positives, drawn = objective.draw(place)
        pairs = torch.cat([positives[:, None], drawn], dim=1)
        level = objective.level.exp()
        cost = row_gather(u, objective.right_bank, pairs, objective.temperature, level[0])
        cost = (cost + row_gather(v, objective.left_bank, pairs, objective.temperature, level[1])) / 2 - math.log(negatives)
        grown = after(cost.mean(), parameters, None)
        with torch.no_grad():
            for bank, side in ((objective.left_bank, u), (objective.right_bank, v)):
                bank.index_copy_(0, place, normalize(bank.index_select(0, place) * 0.5 + side * 0.5, dim=1))
        return grown

    def reset() -> None:
        objective.load_state_dict(start)

    ours()
    start = {name: value.clone() for name, value in objective.state_dict().items()}
    found = compared(ours, by_rows, reset, rounds=1 if quick else ROUNDS)
    speedup = found["against_ms"] / found["ours_ms"]
    return {
        "case": f"CRD, {negatives:,} negatives, bank of {size:,} x {width}, batch {batch_size}, the drawing and the update included",
        "against": "gathering the bank's rows",
        **found,
        "goal": "at least 10x faster",
        "said": f"{speedup:.1f}x faster",
        "figures": {
            "crd_ms": found["ours_ms"],
            "crd_rows_ms": found["against_ms"],
            "crd_speedup": speedup,
            "crd_difference": found["difference"],
            "crd_peak_mib": found["ours_peak_mib"],
            "crd_rows_peak_mib": found["against_peak_mib"],
        },
    }


def banked(batch_size: int, negatives: int, size: int, width: int) -> tuple[CRD, Batch, Output, Output]:
    """The objective with a bank of 100 classes, a batch and what two players say of it."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    objective = CRD(width, width, dimension=width, negatives=negatives)
    ids = [f"row {row}" for row in range(size)]
    objective.meet(ids, random.integers(0, 100, size), np.ones(size, dtype=bool))
    yes = torch.ones(batch_size, dtype=torch.bool)
    batch = Batch({}, {}, torch.zeros(batch_size), yes, tuple(random.choice(ids, batch_size, replace=False).tolist()))
    left, right = (Output(valid=yes, embedding=torch.randn(batch_size, width, requires_grad=True)) for _ in range(2))
    return objective, batch, left, right


def row_gather(anchors: Tensor, bank: Tensor, pairs: Tensor, temperature: float, level: Tensor) -> Tensor:
    """CRD's cost of each row as the field's code computes it: B x (K + 1) rows of the bank, their products, e / (e + K / M)."""
    count, size = pairs.shape[1] - 1, len(bank)
    rows = bank.index_select(0, pairs.flatten()).view(*pairs.shape, -1)
    e = torch.bmm(rows, anchors[:, :, None])[:, :, 0].div(temperature).exp() / (level * size)
    noise = count / size
    return -(e[:, 0] / (e[:, 0] + noise)).log() - (noise / (e[:, 1:] + noise)).log().sum(dim=1)


def after(loss: Tensor, parameters: list[Tensor], objective: CRD | None) -> list[Tensor]:
    """Backward, and the bank's update; the loss and the gradients."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward()
    if objective is not None:
        objective.update()
    return [loss.detach(), *(p.grad for p in parameters if p.grad is not None)]


def compared(ours: Step, against: Step, reset: Callable[[], None], *, rounds: int) -> dict[str, Any]:
    """Medians of alternating rounds in milliseconds, peak memory of a step, and the largest relative difference; `reset` between."""
    steps = {"ours": ours, "against": against}
    said = {}
    for name, step in steps.items():
        reset()
        said[name] = step()
    difference = max(float((one - two).norm() / two.norm()) for one, two in zip(said["ours"], said["against"], strict=True))
    if not difference <= TOLERANCE:
        raise ValueError(f"the two sides differ by {difference:.1e}, more than {TOLERANCE}: they do not compute the same")
    timed: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            reset()
            began = time.perf_counter()
            step()
            timed[name].append((time.perf_counter() - began) * 1e3)
    found = {f"{name}_ms": median(times) for name, times in timed.items()}
    for name, step in steps.items():
        reset()
        found[f"{name}_peak_mib"] = peak(step)
    return found | {"difference": difference, "rounds": rounds}


def peak(step: Step) -> float:
    """MiB that a step adds at its highest to what the process held before it."""
    # What an earlier step freed goes back to the system first, or this step would seem to take nothing.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    step()
    return (memory("VmHWM") - before) / 1024


def memory(name: str) -> int:
    """A line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def page(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    ms, mib = "{:.1f} ms".format, "{:.0f} MiB".format
    lines = [
        [
            row["case"],
            ms(row["ours_ms"]),
            f"{ms(row['against_ms'])} {row['against']}",
            row["said"],
            row["goal"],
            f"{mib(row['ours_peak_mib'])} / {mib(row['against_peak_mib'])}",
        ]
        for row in rows
    ]
    return f"""# Objectives: speed

Forward, backward and, where there is one, the update. Both sides alternate in one process with {torch.get_num_threads()} threads and
compute the same from the same state: losses and gradients agree to {TOLERANCE:g} of their size. Medians of {ROUNDS} rounds; peak memory
is what one step adds to the process.

{table(["what", "ours", "against", "difference", "goal", "peak memory"], lines)}
"""


CASES: list[Callable[[bool], dict[str, Any]]] = [crd]
"""One function a case: a row of the table, with the figures that it adds."""


if __name__ == "__main__":
    main()
