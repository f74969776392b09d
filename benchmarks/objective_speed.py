"""Objectives: a step of each against the same mathematics written the plain way, interleaved in one process; and peak memory."""

import ctypes
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks import by_hand
from benchmarks.record import table, write_result
from understudy.batches.batch import Batch, Output
from understudy.objectives import CRD, DKD, PKT, RKD
from understudy.objectives.objective import Objective

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


SIZES = {
    "dkd": [(64, 10), (64, 100), (256, 100), (64, 1000), (512, 1000)],
    "rkd": [(64, 128), (128, 256), (256, 256), (512, 512)],
    "pkt": [(64, 128), (128, 256), (256, 256), (512, 512)],
}
"""Rows and classes, or rows and features."""
BY_HAND = {
    "dkd": (by_hand.dkd, lambda: DKD(beta=by_hand.BETA, temperature=by_hand.TEMPERATURE)),
    "rkd": (by_hand.rkd, lambda: RKD(distance=1.0, angle=1.0)),
    "pkt": (by_hand.pkt, PKT),
}


def fewest_passes(name: str, quick: bool) -> dict[str, Any]:
    """An objective of `BY_HAND` against its version by hand at every size; the row is that of the worst ratio."""
    found = {}
    for rows, width in [(16, 12)] if quick else SIZES[name]:
        # About a second a size: a step takes from 0.2 ms to 1 s.
        step = rows**3 / 1e8 if name == "rkd" else rows * (rows if name == "pkt" else width) / 4e7
        rounds = 1 if quick else max(ROUNDS, min(1000, int(0.5 / (step + 2e-4))))
        found[rows, width] = compared(*both_sides(name, rows, width), lambda: None, rounds=rounds)
    ratios = {size: each["ours_ms"] / each["against_ms"] for size, each in found.items()}
    worst = max(ratios, key=lambda size: ratios[size])
    what = "classes" if name == "dkd" else "features"
    figures: dict[str, Any] = {f"{name}_ratio": ratios[worst]}
    for (rows, width), each in found.items():
        size = f"{name}_{rows}x{width}"
        figures |= {f"{size}_ms": each["ours_ms"], f"{size}_ratio": ratios[rows, width]}
        figures |= {f"{size}_peak_mib": each["ours_peak_mib"], f"{size}_by_hand_peak_mib": each["against_peak_mib"]}
    return {
        "case": f"{name.upper()}, {worst[0]} rows, {worst[1]} {what}; {min(ratios.values()):.2f}x to {ratios[worst]:.2f}x at all sizes",
        "against": "by hand, in the fewest passes",
        **found[worst],
        "goal": "at most 1.5x",
        "said": f"{ratios[worst]:.2f}x",
        "figures": figures,
    }


def both_sides(name: str, rows: int, width: int) -> tuple[Step, Step]:
    """Ours and the version by hand, on the same numbers."""
    draw = torch.Generator().manual_seed(0)
    valid = torch.ones(rows, dtype=torch.bool)
    student, teacher = (torch.randn(rows, width, generator=draw) for _ in range(2))
    target = torch.randint(0, width, (rows,), generator=draw)
    batch = Batch({}, {}, target, valid, tuple(map(str, range(rows))))
    leaf = student.requires_grad_()
    said = [Output(valid, logits=x) if name == "dkd" else Output(valid, embedding=x) for x in (leaf, teacher)]
    hand, make = BY_HAND[name]
    objective: Objective = make()
    given = (leaf, teacher, target) if name == "dkd" else (leaf, teacher)

    def ours() -> list[Tensor]:
        # As `fit` does: times one number.
        return after(objective(batch, *said).total * (1 / rows), [leaf], None)

    def theirs() -> list[Tensor]:
        return after(by_hand.ByHand.apply(hand, *given), [leaf], None)

    return ours, theirs


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
    ms, mib = "{:.3g} ms".format, "{:.1f} MiB".format
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
compute the same from the same state: losses and gradients agree to {TOLERANCE:g} of their size. Medians of {ROUNDS} rounds or more;
peak memory is what one step adds to the process. The rows of versions by hand are those of the worst size.

{table(["what", "ours", "against", "difference", "goal", "peak memory"], lines)}
"""


CASES: list[Callable[[bool], dict[str, Any]]] = [crd, *(partial(fewest_passes, name) for name in BY_HAND)]
"""One function a case: a row of the table, with the figures that it adds."""


if __name__ == "__main__":
    main()
