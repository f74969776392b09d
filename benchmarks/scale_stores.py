"""Stores that are killed anywhere and asked for again, in one process, shard by shard and on Ray; and what a second worker on Ray is worth."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

import understudy as us
from benchmarks.drawn_texts import drawn_words
from benchmarks.record import RESULTS
from understudy.corpus import Split
from understudy.study.evaluation import store_answers
from understudy.teachers.store import Store
from understudy.teachers.writer import SHARD_ROWS

WAYS = ("local", "sharded", "ray")
TRIES = 10
"""Of the same command on Ray."""


def stored(folder: Path, rows: int, kills: int) -> dict[str, float]:
    """Whether every store that was killed, at so many places, then holds the very answers of one that was not."""
    run = taught(folder, rows)
    corpus, whole = run.corpus(), store_answers(run, folder / "whole", quiet=True)
    expected = whole.answers(corpus.ids.tolist()).logits
    assert expected is not None
    found = []
    for number, place in enumerate(np.linspace(0.0, 0.8, kills)):
        out = folder / f"killed-{number}"
        killed(run.folder, out, WAYS[number % len(WAYS)], int(place * (rows // SHARD_ROWS)))
        said = Store(out).answers(corpus.ids.tolist()).logits
        left = [path.name for path in folder.glob(f"killed-{number}*")]
        found.append(said is not None and bool((said == expected).all()) and left == [out.name])
    return {"store_resumed_identical": int(all(found))}


def taught(folder: Path, rows: int) -> us.Run:
    """A run whose corpus has many rows, of which few are trained on."""
    random = np.random.default_rng(0)
    strong = random.normal(size=(rows, 32)).astype(np.float32)
    columns = {"strong": strong, "weak": strong[:, :4], "y": np.where(strong.sum(axis=1) > 0, "up", "down")}
    corpus = us.import_table(columns, folder / "many", target="y", modalities={"strong": "vector", "weak": "vector"})
    places = np.arange(rows)
    few = Split("few", train=places[:120], labelled=places[:120], valid=places[120:200], test=places[200:280])
    corpus.save_split(few)
    asked = {"plan": {"epochs": 1}, "seeds": 1, "report": False, "threads": 1}
    return us.distill(corpus, student=["weak"], split="few", out=folder / "run", **asked)


def killed(run: Path, out: Path, way: str, shards: int) -> None:
    """A store that is killed once it has so many shards, and then asked for until it is whole."""
    asked = ["store", str(run), "--out", str(out), "--threads", "1"]
    first = {"local": ["--jobs", "2"], "sharded": ["--shard", "1/2"], "ray": ["--jobs", "2", "--engine", "ray"]}[way]
    job = begun(*asked, *first)
    while job.poll() is None and len([*out.glob("[0-9]*.arrow"), *out.parent.glob(f"{out.name}.shards/*/[0-9]*.arrow")]) < shards:
        time.sleep(0.002)
    job.send_signal(signal.SIGKILL)
    job.wait()
    for more in [["--shard", "1/2"], ["--shard", "2/2"], []] if way == "sharded" else [first]:
        # Ray ends the workers of a command that was killed some seconds later; until then their shards are said to be in work.
        tries = TRIES if way == "ray" else 1
        while begun(*asked, *more).wait():
            tries -= 1
            if not tries:
                raise RuntimeError(f"{way}, killed at {shards} shards: the same command does not end well")
            time.sleep(1.0)


def begun(*words: str) -> subprocess.Popen[bytes]:
    """A command of this build, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(RESULTS.parent / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "understudy", *words], env=environment, stdout=subprocess.DEVNULL)


def on_ray(folder: Path, artifact: Path, rows: int) -> dict[str, float]:
    """Seconds of `predict` by one worker on Ray over those by two, from typing the command to the file, Ray's start included."""
    if not find_spec("ray"):
        return {}
    random, words = np.random.default_rng(0), drawn_words()
    texts = [" ".join(random.choice(words, 20)) for _ in range(rows)]
    parquet.write_table(pa.table({"text": texts}), folder / "many.parquet")
    seconds = {}
    for jobs in (1, 2):
        out = folder / f"by-{jobs}.csv"
        since = time.perf_counter()
        given = [str(artifact), str(folder / "many.parquet"), "--out", str(out), "--threads", "1"]
        assert not begun("predict", *given, "--jobs", str(jobs), "--engine", "ray").wait()
        seconds[jobs] = time.perf_counter() - since
    assert (folder / "by-1.csv").read_bytes() == (folder / "by-2.csv").read_bytes()
    return {"ray_speedup_2_workers": seconds[1] / seconds[2], "ray_rows_per_second_2_workers": rows / seconds[2]}
