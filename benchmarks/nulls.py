"""Nulls: how often does the verdict speak where there is no difference, and how often does its interval hold the one there is?

Worlds of right and wrong answers: a row has a difficulty, a group of rows a common one, a training its luck, and, where said, each
system its own luck with each group. Two systems are trained S times each. And the bootstrap's time against the one before it.

python -m benchmarks.nulls [--out FOLDER]        goes on where it stopped: FOLDER keeps the cells that are measured
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.record import table, write_result
from understudy.evaluate.aso import FAVOURS, eps_min
from understudy.evaluate.significance import crossed_bootstrap, verdict
from understudy.process.whole import read_json, write_json

Array = NDArray[Any]
SEEDS, ROWS, LUCK = (2, 3, 5, 10), (100, 400, 800), (0.0, 1.3, 6.0)
"""Trainings, test rows, and the deviation of a training's accuracy in points."""
GROUPS = ((0, 0.0), (4, 0.0), (4, 3.0), (12, 3.0), (30, 0.0), (30, 3.0))
"""Groups of rows (0: every row alone), and the deviation of a system's accuracy between groups in points."""
COMPARISONS, DIFFERENT, DRAWS, GAP = 1000, 500, 300, 0.5
"""Comparisons of a cell without and with a difference; draws of a bootstrap; the better system's head start."""
AGAIN = 4
"""A cell that is off by luck or not is measured once more with so many times the comparisons, and these alone count: the worst of
many cells of 1,000 comparisons is mostly luck."""
ROW, GROUP, LEVEL = 1.5, 0.5, 1.3
POINTS = 100 * float(stats.norm.pdf(LEVEL / (1 + ROW**2 + GROUP**2) ** 0.5)) / (1 + ROW**2 + GROUP**2) ** 0.5
"""Points of accuracy that one unit of luck moves."""


@dataclass(frozen=True)
class World:
    """One cell."""

    seeds: int
    rows: int
    luck: float
    groups: int
    apart: float

    def accuracy(self, ahead: float) -> float:
        """What a system gets right over all trainings, groups and rows."""
        spread = 1 + ROW**2 + (GROUP**2 + (self.apart / POINTS) ** 2) * (self.groups > 0) + (self.luck / POINTS) ** 2
        return float(stats.norm.cdf((LEVEL + ahead) / spread**0.5))

    def draw(self, random: np.random.Generator, ahead: float) -> tuple[Array, Array | None]:
        """Paired differences `[S N]` of two systems, and the groups."""
        place = random.integers(0, self.groups, self.rows) if self.groups else np.zeros(self.rows, np.intp)
        shared = random.normal(size=self.rows) * ROW + LEVEL
        apart = np.zeros((2, 1))
        if self.groups:
            shared = shared + random.normal(size=self.groups)[place] * GROUP
            apart = random.normal(size=(2, self.groups))[:, place] * self.apart / POINTS
        luck = random.normal(size=(2, self.seeds, 1)) * self.luck / POINTS
        right = (
            shared + apart[:, None] + luck + random.normal(size=(2, self.seeds, self.rows)) + np.array([ahead, 0])[:, None, None]
            > 0
        )
        return right[0].astype(np.float64) - right[1], place if self.groups else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/nulls"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    quick = options.quick
    worlds = [World(s, n, luck, g, apart) for s, n, luck, (g, apart) in itertools.product(SEEDS, ROWS, LUCK, GROUPS)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) if quick else options.out
        rows = [kept(world, out, quick) for world in (worlds[::30] if quick else worlds)]
    figures = worst(rows) | almost(100 if quick else 1000) | faster(1000 if quick else 100_000, 100 if quick else 10_000)
    if not quick:
        write_result("nulls", figures=figures, rows=rows, seeds=[0], text=page(rows, figures))


def kept(world: World, out: Path, quick: bool) -> dict[str, Any]:
    """The cell as it was measured, now or by an earlier call."""
    path = out / f"{world.seeds}-{world.rows}-{world.luck}-{world.groups}-{world.apart}.json"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, cell(world, quick))
        print(path.stem, flush=True)
    return read_json(path)


def cell(world: World, quick: bool) -> dict[str, Any]:
    """False verdicts of one cell, and how often its intervals hold a true difference."""
    random = np.random.default_rng([world.seeds, world.rows, int(10 * world.luck), world.groups, int(world.apart)])
    truth = world.accuracy(GAP) - world.accuracy(0)

    def false_rate(many: int) -> float:
        ends = intervals(world, random, 0.0, many)
        return sum(verdict(low, high, world.seeds) in ("better", "worse") for low, high in ends) / many

    def coverage(many: int) -> float:
        return sum(low <= truth <= high for low, high in intervals(world, random, GAP, many)) / many

    many, different = (20, 10) if quick else (COMPARISONS, DIFFERENT)
    false, held = false_rate(many), coverage(different)
    return vars(world) | {
        "false_rate": false_rate(AGAIN * many) if false > 0.05 else false,
        "coverage": coverage(AGAIN * different) if not 0.94 <= held <= 0.96 else held,
    }


def intervals(world: World, random: np.random.Generator, ahead: float, many: int) -> Iterator[tuple[float, float]]:
    """The interval of each of many comparisons."""
    for turn in range(many):
        difference, groups = world.draw(random, ahead)
        yield crossed_bootstrap(difference[None], groups, draws=DRAWS, seed=turn).interval()


def worst(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The worst cells."""
    found = {f"worst_false_rate_s{s}": max(row["false_rate"] for row in rows if row["seeds"] == s) for s in SEEDS}
    coverage = [row["coverage"] for row in rows]
    return found | {"worst_coverage": min(coverage), "highest_coverage": max(coverage)}


def almost(many: int) -> dict[str, float]:
    """How often almost stochastic order speaks of two equal systems, from 0.5 and from its threshold down."""
    random, found = np.random.default_rng(1), {}
    for seeds in (5, 10):
        eps = np.array([eps_min(*random.normal(size=(2, seeds)), draws=DRAWS) for _ in range(many)])
        found |= {f"aso_below_half_s{seeds}": float((eps < 0.5).mean()), f"aso_favours_s{seeds}": float((eps <= FAVOURS).mean())}
    return found


def faster(rows: int, draws: int) -> dict[str, float]:
    """Processor time of the bootstrap of five seeds before, over that of today's: of any score, and of right and wrong.

    The former takes as long for every draw; a tenth of the draws is measured.
    """
    random = np.random.default_rng(2)
    right = random.random((2, 5, rows)) < 0.8
    cases = {"bootstrap_100k": random.normal(size=(5, rows)), "accuracy_100k": right[0].astype(np.float64) - right[1]}
    found: dict[str, float] = {}
    for name, difference in cases.items():
        before = 10 * seconds(lambda x=difference: one_by_one(x, draws // 10))
        now = seconds(lambda x=difference: crossed_bootstrap(x[None], draws=draws))
        found |= {f"{name}_seconds": now, f"{name}_before_seconds": before, f"{name}_over_before": before / now}
    return found


def one_by_one(difference: Array, draws: int) -> Array:
    """The bootstrap as it was: a multinomial count of every row."""
    random = np.random.default_rng(0)
    seeds, rows = difference.shape
    block, found = max(1, 2_000_000 // rows), []
    for start in range(0, draws, block):
        count = min(block, draws - start)
        by_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count).astype(np.float64)
        by_row = random.multinomial(rows, np.full(rows, 1 / rows), size=count).astype(np.float64)
        found.append(np.einsum("ds,sd->d", by_seed, difference @ by_row.T) / (seeds * rows))
    return np.concatenate(found)


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of one call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def page(rows: list[dict[str, Any]], figures: Mapping[str, float]) -> str:
    """The Markdown."""
    lines = []
    for seeds, (groups, apart) in itertools.product(SEEDS, GROUPS):
        here = [row for row in rows if (row["seeds"], row["groups"], row["apart"]) == (seeds, groups, apart)]
        false, held = [row["false_rate"] for row in here], [row["coverage"] for row in here]
        units = f"{groups}, {apart:g} points apart" if groups else "rows"
        lines.append([seeds, units, f"{min(false):.3f} to {max(false):.3f}", f"{min(held):.3f} to {max(held):.3f}"])
    error = (0.05 * 0.95 / (AGAIN * COMPARISONS)) ** 0.5
    return f"""# Verdicts where there is nothing to see

{len(rows)} worlds: {", ".join(map(str, SEEDS))} trainings, {", ".join(map(str, ROWS))} test rows, a training's accuracy deviating by
{", ".join(map(str, LUCK))} points, rows alone or in groups on which a system is 0 or 3 points off. False verdicts of {COMPARISONS:,}
comparisons of equal systems each, and how often the interval of {DIFFERENT:,} comparisons holds a true difference of about {100 * (stats.norm.cdf((LEVEL + GAP) / 1.87) - stats.norm.cdf(LEVEL / 1.87)):.0f} points; both
over the 9 worlds of a line. What exceeds .05, or lies outside .94 to .96, was measured again with {AGAIN} times as many fresh comparisons, which
alone count (a rate of .05 then has a standard error of {error:.4f}).

{table(["seeds", "groups", "false verdicts", "coverage"], lines)}

Almost stochastic order of two equal systems: {figures["aso_below_half_s5"]:.3f} below 0.5 and {figures["aso_favours_s5"]:.3f} at most {FAVOURS} with 5
seeds, {figures["aso_below_half_s10"]:.3f} and {figures["aso_favours_s10"]:.3f} with 10.

The bootstrap of 5 seeds, 100,000 rows and 10,000 draws takes {figures["bootstrap_100k_seconds"]:.1f} s of processor time for any score
({figures["bootstrap_100k_before_seconds"]:.0f} s before), {figures["accuracy_100k_seconds"]:.2f} s for right and wrong ({figures["accuracy_100k_before_seconds"]:.0f} s).
"""


if __name__ == "__main__":
    main()
