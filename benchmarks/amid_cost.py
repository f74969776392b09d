"""AMID's price: a training step of three players on mfeat against kd's, and against the three players' own losses alone.

python -m benchmarks.amid_cost [--quick]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import profile

from benchmarks.record import table, write_result
from understudy.batches.batch import Batch
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Split
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.methods import AMID, KD
from understudy.methods.method import Method
from understudy.models.model import Model, views_of
from understudy.players.blueprint import draw
from understudy.players.player import Player
from understudy.recipes.mfeat import SIZES
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store
from understudy.training.fit import Plan, fit

VIEWS = ("pix", "fou", "kar", "zer", "mor", "fac")
PLAN = Plan(epochs=1, batch_size=256, rate=1e-3)
ROUNDS = 15
ENCODERS, REPEATS = 12, 200
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
OFF = {"alpha": 0.0, "beta": 0.0, "gamma": 0.0}
AMIDS: dict[str, dict[str, Any]] = {
    "the three players' own losses": OFF,
    "amid": {},
    "amid, answers_gan": {"cond_entropy": "answers_gan"},
    "amid, alice": {"cond_entropy": "alice", "gamma": 0.5},
    "amid, teacher frozen": {"teacher_start": "frozen"},
    "amid, teacher and auxiliary frozen": {"teacher_start": "frozen", "auxiliary_frozen": True},
}


@dataclass
class Kept:
    """Batches that are made once: a step holds forward, backward, clipping and AdamW, and not the loader."""

    of: list[Batch]

    def __len__(self) -> int:
        return len(self.of)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        yield from self.of[start:]


def player(corpus: Corpus, split: Split, modalities: tuple[str, ...], name: str) -> Model:
    return draw(corpus, split, Player(modalities, sizes=SIZES), name=name).build(0)


def methods(corpus: Corpus, split: Split, folder: Path, names: Sequence[str]) -> dict[str, Method]:
    """kd with the stored answers of a teacher of all six views, and amid's variants with players of the same sizes."""
    teacher = player(corpus, split, VIEWS, "teacher").eval()
    rows = Loader(corpus, split.train, views_of(teacher), task=corpus.task, batch_size=PLAN.batch_size, shuffle=False)
    stored = Stored(write_store(folder / "answers", Frozen(teacher), rows, corpus=corpus.fingerprint, quiet=True))
    found: dict[str, Method] = {"kd": KD(player(corpus, split, VIEWS[1:2], "student"), stored)}
    others = tuple(view for view in VIEWS if view != VIEWS[1])
    for name in names:
        options = AMIDS[name]
        student, auxiliary = player(corpus, split, VIEWS[1:2], "student"), player(corpus, split, others, "auxiliary")
        teaches = stored if "teacher_start" in options else player(corpus, split, VIEWS, "teacher")
        found[name] = AMID(student, teaches, auxiliary, **options)
    return found


def multiplied(method: Method, kept: Kept) -> float:
    """Billions of floating-point operations in the matrix products of a step, forward and backward, mean over an epoch."""
    with profile(with_flops=True) as seen:
        fit(method, kept, plan=PLAN, seed=0, quiet=True)
    return sum(each.flops for each in seen.key_averages() if each.key in PRODUCTS) / len(kept) / 1e9


def one_by_one(rows: Tensor, weights: Tensor) -> Tensor:
    """The layer of each encoder by itself."""
    return torch.stack([each @ own.T for each, own in zip(rows, weights, strict=True)])


def batched(rows: Tensor, weights: Tensor) -> Tensor:
    """The same in one product."""
    return torch.bmm(rows, weights.transpose(1, 2))


def layers(*, rounds: int) -> dict[str, float]:
    """Milliseconds of the second layer of all twelve encoders, forward and backward, in one product and one by one."""
    width = SIZES["width"]
    rows = torch.randn(ENCODERS, PLAN.batch_size, width, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = nn.Parameter(torch.randn(ENCODERS, width, width, generator=torch.Generator().manual_seed(1)))
    ways = {"one by one": one_by_one, "in one product": batched}
    (first, second) = (way(rows, weights) for way in ways.values())
    torch.testing.assert_close(first, second)
    timed: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for _ in range(REPEATS if rounds > 1 else 1):
                torch.autograd.grad(way(rows, weights).sum(), (rows, weights))
            timed[name].append((time.process_time() - began) / REPEATS * 1e3)
    return {name: median(each) for name, each in timed.items()}


def measured(*, rounds: int, names: Sequence[str] = tuple(AMIDS), steps: int | None = None) -> list[dict[str, Any]]:
    """Medians over rounds of an epoch each, or of its first steps, in which the methods take turns; processor time of one thread."""
    with tempfile.TemporaryDirectory() as name:
        corpus = import_mfeat(Path(name) / "corpus")
        split = corpus.split("draw-0-100")
        every = methods(corpus, split, Path(name), names)
        ready = {
            label: Kept(
                list(
                    Loader(
                        corpus,
                        split.train,
                        method.views(),
                        task=corpus.task,
                        batch_size=PLAN.batch_size,
                        labelled=split.labelled,
                        training=True,
                    ).batches(0)
                )[:steps]
            )
            for label, method in every.items()
        }
        timed: dict[str, list[float]] = {label: [] for label in every}
        for _ in range(rounds + 1):
            for label, method in every.items():
                began = time.process_time()
                fit(method, ready[label], plan=PLAN, seed=0, quiet=True)
                timed[label].append((time.process_time() - began) / len(ready[label]) * 1e3)
    found = {label: median(each[1:]) for label, each in timed.items()}
    sizes = {label: sum(p.numel() for p in method.parameters() if p.requires_grad) for label, method in every.items()}
    products = {label: multiplied(method, ready[label]) for label, method in every.items()}
    own = found["the three players' own losses"]
    return [
        {"method": label, "ms": ms, "parameters": sizes[label], "of_kd": ms / found["kd"], "of_players": ms / own}
        | {"gflop": products[label], "gflop_of_kd": products[label] / products["kd"]}
        for label, ms in found.items()
    ]


def told(row: Mapping[str, Any]) -> list[str]:
    """The numbers of a row."""
    products = [f"{row['gflop']:.2f}", f"{row['gflop_of_kd']:.1f}"]
    return [*products, f"{row['ms']:.1f} ms", f"{row['of_kd']:.1f}", f"{row['of_players']:.2f}"]


def page(rows: list[dict[str, Any]], alone: dict[str, float]) -> str:
    """The table."""
    lines = [[row["method"], f"{row['parameters']:,}", *told(row)] for row in rows]
    amid = next(row for row in rows if row["method"] == "amid")
    return f"""# What AMID costs

A step on mfeat (batches of {PLAN.batch_size}, width {SIZES["width"]}): forward, backward, clipping and AdamW, processor time of one thread, medians of {ROUNDS} rounds in which
all take turns. kd trains one encoder and reads its teacher's answers from a store; amid trains a student of one view, a teacher of six and an
auxiliary model of five, twelve encoders. "The players' own losses" is that training without any of amid's three terms: what is left above 1 in the last
column is the method's own price, all else is what it takes to train three players.

**The goal of 2.2 times kd's step is out of reach while the teacher trains along.** The matrix products of amid's step are {amid["gflop_of_kd"]:.0f} times kd's, its time
{amid["of_kd"]:.0f} times. Putting encoders of one shape into one product would save little, since these products are large enough to keep the core busy one by one:
the second layers of all twelve take {alone["one by one"]:.1f} ms forward and backward one by one, {alone["in one product"]:.1f} ms in one product. So the encoders stay modules of
their own. What does make a step cheaper is in the last two rows: a teacher that is trained first and then frozen, its answers stored, and an auxiliary
model that is frozen, too; what their trainings cost comes before.

{table(["method", "parameters that train", "GFLOP in products", "times kd", "step", "times kd", "times the players' own"], lines)}
"""


def main() -> None:
    """Write results/amid_cost.json and .md; --quick runs a step of two methods and writes nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    if quick:
        page(measured(rounds=1, names=list(AMIDS)[:2], steps=1), layers(rounds=1))
        return
    rows, alone = measured(rounds=ROUNDS), layers(rounds=ROUNDS)
    keys = ("ms", "of_kd", "of_players", "gflop", "gflop_of_kd")
    figures: dict[str, float | int | str] = {f"{row['method']}, {key}": round(row[key], 3) for row in rows for key in keys}
    figures |= {f"second layers {name}, ms": round(ms, 3) for name, ms in alone.items()}
    write_result("amid_cost", figures=figures, rows=rows, seeds=[0], text=page(rows, alone))


if __name__ == "__main__":
    main()
