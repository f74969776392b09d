"""What the doors cost: a corpus of a frame against the frame's own `to_parquet`, the estimator's `predict` against its artifact's."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import understudy as us

ROUNDS, COLUMNS = 5, 16
WORDS = np.array(["warm", "cold", "fast", "slow", "grey", "bright"])


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratio(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = ROUNDS) -> tuple[float, ...]:
    """Median times of both, in turn, and the median of their ratios; a first round of each is left out."""
    taken = np.array([(seconds(ours), seconds(theirs)) for _ in range(rounds + 1)])[1:]
    return tuple(map(float, (*np.median(taken, axis=0), np.median(taken[:, 0] / taken[:, 1]))))


def frame(rows: int) -> pd.DataFrame:
    """Numbers, a text that differs in every row, and a class."""
    random = np.random.default_rng(0)
    found = pd.DataFrame({f"x{at}": random.normal(size=rows) for at in range(COLUMNS)})
    pairs = zip(random.choice(WORDS, rows), random.choice(WORDS, rows), strict=True)
    found["note"] = [f"{one} and {other} on day {row}" for row, (one, other) in enumerate(pairs)]
    found["verdict"] = np.where(found["x0"] > 0, "up", "down")
    return found


def corpus_cost(rows: int, cache: Path) -> tuple[float, ...]:
    """Seconds of `us.corpus(frame)`, modalities guessed, into `cache`, which UNDERSTUDY_CACHE names, of `frame.to_parquet`, and their ratio."""
    data = frame(rows)

    def corpus() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        us.corpus(data, target="verdict")

    with tempfile.TemporaryDirectory() as name:
        return ratio(corpus, lambda: data.to_parquet(Path(name, "frame.parquet")))


def predict_cost(rows: int) -> tuple[float, ...]:
    """Seconds of an estimator's `predict`, of the same frame's through its artifact, and their ratio."""
    data = frame(rows)
    columns = data.drop(columns="verdict")
    model = us.Understudy(student=["note", "x"], plan={"epochs": 1}).fit(columns[:200], data["verdict"][:200])
    return ratio(lambda: model.predict(columns), lambda: model.artifact_.predict(columns))
