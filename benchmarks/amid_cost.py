"""AMID's price: a training step of three players on mfeat against kd's, and against the three players' own losses alone.

python -m benchmarks.amid_cost [--quick]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

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
OFF = {"alpha": 0.0, "beta": 0.0, "gamma": 0.0}
AMIDS: dict[str, dict[str, Any]] = {
    "the three players' own losses": OFF,
    "amid": {},
    "amid, answers_gan": {"cond_entropy": "answers_gan"},
    "amid, alice": {"cond_entropy": "alice", "gamma": 0.5},
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


def methods(corpus: Corpus, split: Split, folder: Path) -> dict[str, Method]:
    """kd with the stored answers of a teacher of all six views, and amid's variants with players of the same sizes."""
    teacher = player(corpus, split, VIEWS, "teacher").eval()
    rows = Loader(corpus, split.train, views_of(teacher), task=corpus.task, batch_size=PLAN.batch_size, shuffle=False)
    stored = Stored(write_store(folder / "answers", Frozen(teacher), rows, corpus=corpus.fingerprint, quiet=True))
    found: dict[str, Method] = {"kd": KD(player(corpus, split, VIEWS[1:2], "student"), stored)}
    others = tuple(view for view in VIEWS if view != VIEWS[1])
    for name, options in AMIDS.items():
        three = (VIEWS[1:2], "student"), (VIEWS, "teacher"), (others, "auxiliary")
        found[name] = AMID(*(player(corpus, split, *each) for each in three), **options)
    return found


def measured(*, rounds: int) -> list[dict[str, Any]]:
    """Medians over rounds of an epoch each, in which the methods take turns; processor time of one thread."""
    with tempfile.TemporaryDirectory() as name:
        corpus = import_mfeat(Path(name) / "corpus")
        split = corpus.split("draw-0-100")
        every = methods(corpus, split, Path(name))
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
                )
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
    own = found["the three players' own losses"]
    return [
        {"method": label, "ms": ms, "parameters": sizes[label], "of_kd": ms / found["kd"], "of_players": ms / own}
        for label, ms in found.items()
    ]


def page(rows: list[dict[str, Any]]) -> str:
    """The table."""
    lines = [
        [row["method"], f"{row['parameters']:,}", f"{row['ms']:.1f} ms", f"{row['of_kd']:.1f}", f"{row['of_players']:.2f}"]
        for row in rows
    ]
    return f"""# What AMID costs

A step on mfeat (batches of {PLAN.batch_size}, width {SIZES["width"]}): forward, backward, clipping and AdamW, processor time of one thread, medians of {ROUNDS} rounds in which
all take turns. kd trains one encoder and reads its teacher's answers from a store; amid trains a student of one view, a teacher of six and an
auxiliary model of five, twelve encoders. "The players' own losses" is that training without any of amid's three terms: what is left above 1 in the last
column is the method's own price, all else is what it takes to train three players. The goal of 2.2 times kd's step is out of reach while the teacher trains
along: its arithmetic alone is more than that.

{table(["method", "parameters that train", "step", "times kd", "times the players' own"], lines)}
"""


def main() -> None:
    """Write results/amid_cost.json and .md; --quick runs one round and writes nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    if quick:
        page(measured(rounds=1))
        return
    rows = measured(rounds=ROUNDS)
    figures = {f"{row['method']}, {key}": round(row[key], 3) for row in rows for key in ("ms", "of_kd", "of_players")}
    write_result("amid_cost", figures=figures, rows=rows, seeds=[0], text=page(rows))


if __name__ == "__main__":
    main()
