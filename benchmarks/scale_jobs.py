"""What `benchmarks.scale` asks of a process of its own: one job of this build or of an earlier one, what it took and what it found.

python -m benchmarks.scale_jobs JOB ARGUMENT ...   prints one line of JSON: processor seconds, peak megabytes, and the job's own.
Only what both builds have is asked of them, by its public name.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Found = dict[str, float]


def imported(path: str, out: str, *columns: str) -> Found:
    """A table as a corpus."""
    import understudy as us

    spec, importer = {"numbers": f"vector:{','.join(columns)}", "said": "text:said"}, us.import_table
    begun = time.process_time()
    importer(path, out, target="y", id="id", task="regression", modalities=spec)
    return {"seconds": time.process_time() - begun}


def by_polars(path: str, out: str) -> Found:
    """The same table read and written as Arrow by polars."""
    import polars

    begun = time.process_time()
    (polars.read_csv(path) if path.endswith(".csv") else polars.read_parquet(path)).write_ipc(out)
    return {"seconds": time.process_time() - begun}


def split(corpus: str, name: str) -> Found:
    """Drawn, saved and read back."""
    from understudy.corpus import Corpus, make_split

    begun = time.process_time()
    opened = Corpus(corpus)
    opened.save_split(make_split(opened, name=name))
    return {"seconds": time.process_time() - begun}


def loader(corpus: str, epochs: str) -> Found:
    """Seconds to the first batch of nine rows of ten, text and numbers, and with whole epochs after it."""
    import torch

    from understudy.batches.loader import Loader
    from understudy.corpus import Corpus
    from understudy.prepare import Text, Vector

    torch.set_num_threads(1)
    opened = Corpus(corpus)
    rows = np.flatnonzero(np.arange(len(opened)) % 10)
    numbers = Vector().fit(opened.cells("numbers", rows[:10_000]))
    said = Text.bpe(vocabulary=2000).fit(opened.cells("said", rows[:10_000]))
    views: Any = {"numbers": {numbers.key: numbers}, "said": {said.key: said}}
    begun = time.process_time()
    batches = Loader(opened, rows, views, task=opened.task, batch_size=256)
    next(batches.batches(0))
    first = time.process_time() - begun
    for epoch in range(int(epochs)):
        for _ in batches.batches(epoch):
            pass
    return {"first": first, "epochs": time.process_time() - begun}


def logo(rows: str, out: str) -> Found:
    """Each of rows / 10 groups left out once."""
    import understudy as us

    count = int(rows)
    columns = {"x": np.random.default_rng(0).normal(size=count), "who": [f"g{row // 10}" for row in range(count)]}
    columns |= {"y": [("no", "yes")[row % 2] for row in range(count)]}
    corpus = us.import_table(columns, out, target="y", group="who", modalities={"x": "vector"})
    begun = time.process_time()
    us.leave_one_group_out(corpus)
    return {"seconds": time.process_time() - begun}


def wide(columns: str, out: str) -> Found:
    """A table of many columns and 20 rows: read, written, opened, checked, fitted and prepared."""
    import understudy as us
    from understudy.prepare import Table

    random = np.random.default_rng(0)
    found: dict[str, Any] = {f"c{number}": random.normal(size=20) for number in range(int(columns))}
    found |= {f"k{number}": [f"v{(row * number) % 3}" for row in range(20)] for number in range(int(columns) // 10)}
    begun = time.process_time()
    table = {"facts": {"kind": "table", "columns": ["c*", "k*"]}}
    corpus = us.import_table(found | {"y": np.arange(20.0)}, out, target="y", task="regression", modalities=table)
    us.check(corpus)
    cells = corpus.cells("facts", np.arange(20))
    Table().fit(cells).prepare(cells)
    return {"seconds": time.process_time() - begun}


def predicted(artifact: str, path: str, out: str) -> Found:
    """A file of predictions, on one core: sessions of before took as many as the process may use."""
    from understudy.artifact import Artifact, predict_file

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    opened = Artifact(artifact)
    begun = time.process_time()
    rows = predict_file(opened, path, out).rows
    seconds = time.process_time() - begun
    os.sched_setaffinity(0, before)
    return {"seconds": seconds, "rows": rows}


JOBS: dict[str, Callable[..., Found]] = {
    each.__name__: each for each in (imported, by_polars, split, loader, logo, wide, predicted)
}


def made(folder: Path, name: str, rows: int, width: int) -> pa.Table:
    """A table of ids, numbers as so many columns, and eight words a row; also as NAME.parquet and NAME.csv."""
    from pyarrow import csv, parquet

    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, width)).astype(np.float32)
    words = np.array([f"word{number}" for number in range(2000)])[random.integers(0, 2000, (rows, 8))]
    columns: dict[str, Any] = {"id": [f"clip-{row:07d}" for row in range(rows)]}
    columns |= {"y": np.round(numbers[:, 0] + random.normal(size=rows), 4)}
    columns |= {f"x_{number}": numbers[:, number] for number in range(width)}
    table = pa.table(columns | {"said": [" ".join(row) for row in words]})
    parquet.write_table(table, folder / f"{name}.parquet")
    csv.write_csv(table, folder / f"{name}.csv")
    return table


if __name__ == "__main__":
    # Arrow imports it by itself at its first array, where it is installed; no job is to pay for that.
    with suppress(ImportError):
        import pandas  # noqa: F401
    said = JOBS[sys.argv[1]](*sys.argv[2:])
    # Not what getrusage says, which a process has from the one that began it.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps(said | {"peak": int(peak.split()[1]) / 1024}))
