"""Scale: a million rows imported, split, read and predicted, in processor time against the build before, and what is killed goes on.

python -m benchmarks.scale      about half an hour on two cores; needs Ray (pip install 'understudy[ray]')
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet

from benchmarks.before import checked_out, earlier
from benchmarks.drawn_texts import drawn_words, small_text
from benchmarks.record import RESULTS, beside_goals, table, write_result
from benchmarks.scale_jobs import JOBS, made
from benchmarks.scale_stores import on_ray, stored
from understudy.artifact.export import export
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.encoders import VectorMLP
from understudy.models.model import Model
from understudy.prepare import Vector

BEFORE = "1b01be1"
"""The last build that held whole tables in memory and read them a row at a time."""
PREDICTED_BEFORE = "efd577e"
"""The last build that answered rows as they came, 32 at a time."""
ROUNDS, KILLS = 3, 20
GOALS = {
    "import_parquet_over_before": (">=", 8),
    "import_csv_over_before": (">=", 5),
    "import_over_polars_write": (">=", 0.2),
    "import_peak_mb_1m": ("<=", 400),
    "import_peak_growth_1m_to_4m": ("<=", 1.15),
    "split_over_before": (">=", 10),
    "first_batch_seconds_1m": ("<=", 1.5),
    "loader_over_before": (">=", 1),
    "logo_growth": ("<=", 2.3),
    "wide_growth_10x": ("<=", 12),
    "predict_rows_over_before": (">=", 3),
    "predict_peak_growth": ("<=", 1.1),
    "predict_resumed_identical": ("=", 1),
    "store_resumed_identical": ("=", 1),
    "ray_speedup_2_workers": (">=", 1.6),
}


@dataclass(frozen=True)
class Sizes:
    """Rows of the tables, columns of numbers, rounds of everything that is compared, and times that a job is killed."""

    rows: int = 1_000_000
    columns: int = 16
    loader: int = 50_000
    said: int = 10_000
    predicted: int = 100_000
    stored: int = 80_000
    on_ray: int = 200_000
    groups: int = 2_000
    wide: int = 1_000
    rounds: int = ROUNDS
    kills: int = KILLS
    apart: bool = True


SMALL = Sizes(
    rows=300,
    columns=2,
    loader=300,
    said=8,
    predicted=300,
    stored=300,
    on_ray=0,
    groups=40,
    wide=10,
    rounds=1,
    kills=0,
    apart=False,
)


def main() -> None:
    """Write results/scale.json and .md; --quick goes the same way with few rows, against this build itself."""
    quick = "--quick" in sys.argv[1:]
    sizes = SMALL if quick else Sizes()
    if not quick and not find_spec("ray"):
        raise ImportError("the whole of it needs Ray: pip install 'understudy[ray]'")
    with tempfile.TemporaryDirectory(prefix="understudy-scale-") as name, ExitStack() as stack:
        folder = Path(name)

        def build(commit: str) -> Path:
            return RESULTS.parent / "src" if quick else stack.enter_context(checked_out(folder / commit, commit))

        figures = tables(folder, sizes, build(BEFORE)) | shapes(folder, sizes)
        figures |= predictions(folder, sizes, build(PREDICTED_BEFORE)) | stored(folder, sizes.stored, sizes.kills)
    if not quick:
        write_result("scale", figures=figures, rows=beside_goals(GOALS, figures), seeds=[0], text=page(figures))


def run(sizes: Sizes, source: Path | None, *words: object) -> dict[str, float]:
    """One job in a process of its own, of this build or of another one's sources; of --quick in this one."""
    if not sizes.apart:
        return JOBS[str(words[0])](*map(str, words[1:])) | {"peak": 1.0}
    environment = os.environ | {"PYTHONPATH": str(source or RESULTS.parent / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("scale_jobs.py")), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def tables(folder: Path, sizes: Sizes, before: Path) -> dict[str, float]:
    """Import, split and loader: medians of rounds that alternate between the builds; peaks of whole processes."""
    made(folder, "one", sizes.rows, sizes.columns)
    made(folder, "four", 4 * sizes.rows, 2)
    made(folder, "single", sizes.rows, 2)
    made(folder, "few", sizes.loader, sizes.columns)
    rounds: list[dict[str, float]] = []
    for number in range(sizes.rounds):
        found: dict[str, float] = {}
        for kind in ("parquet", "csv"):
            for who, source in (("now", None), ("before", before)):
                said = run(sizes, source, "imported", folder / f"one.{kind}", folder / f"{kind}-{who}-{number}", "x_*")
                found |= {f"{kind}_{who}": said["seconds"], f"{kind}_{who}_peak": said["peak"]}
            found[f"{kind}_polars"] = run(sizes, None, "by_polars", folder / f"one.{kind}", folder / "polars.arrow")["seconds"]
        for who, source in (("now", None), ("before", before)):
            found[f"split_{who}"] = run(sizes, source, "split", folder / f"parquet-{who}-{number}", "s")["seconds"]
            run(sizes, source, "imported", folder / "few.parquet", folder / f"few-{who}-{number}", "x_*")
            found[f"loader_{who}"] = run(sizes, source, "loader", folder / f"few-{who}-{number}", 2)["epochs"]
        found["first"] = run(sizes, None, "loader", folder / f"parquet-now-{number}", 0)["first"]
        rounds.append(found)
    middle = {name: median(each[name] for each in rounds) for name in rounds[0]}
    peaks = [
        run(sizes, None, "imported", folder / f"{name}.parquet", folder / f"peak-{name}", "x_*")["peak"]
        for name in ("single", "four")
    ]
    return middle | {
        "import_parquet_over_before": middle["parquet_before"] / middle["parquet_now"],
        "import_csv_over_before": middle["csv_before"] / middle["csv_now"],
        "import_over_polars_write": middle["parquet_polars"] / middle["parquet_now"],
        "import_csv_over_polars_write": middle["csv_polars"] / middle["csv_now"],
        "import_peak_mb_1m": middle["parquet_now_peak"],
        "import_peak_growth_1m_to_4m": peaks[1] / peaks[0],
        "split_over_before": middle["split_before"] / middle["split_now"],
        "first_batch_seconds_1m": middle["first"],
        "loader_over_before": middle["loader_before"] / middle["loader_now"],
    }


def shapes(folder: Path, sizes: Sizes) -> dict[str, float]:
    """How time grows with groups and with columns."""
    counted: dict[str, list[float]] = {"logo": [], "logo twice": [], "wide": [], "wide ten times": []}
    for number in range(sizes.rounds):
        for name, times in (("logo", 1), ("logo twice", 2)):
            counted[name].append(run(sizes, None, "logo", times * sizes.groups, folder / f"{name}-{number}")["seconds"])
        for name, times in (("wide", 1), ("wide ten times", 10)):
            counted[name].append(run(sizes, None, "wide", times * sizes.wide, folder / f"{name}-{number}")["seconds"])
    middle = {name: median(each) for name, each in counted.items()}
    return {"logo_growth": middle["logo twice"] / middle["logo"], "wide_growth_10x": middle["wide ten times"] / middle["wide"]}


def predictions(folder: Path, sizes: Sizes, before: Path) -> dict[str, float]:
    """Rows of 20 words by a small student against the build before; peaks; and the bytes of jobs that were killed."""
    said, numbers = small_text(folder), vector_student(folder)
    builds = {"now": (None, said), "before": (before, earlier(said, folder / "small-before"))}
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(drawn_words(), 20)) for _ in range(sizes.said)]
    parquet.write_table(pa.table({"text": texts}), folder / "said.parquet")
    seconds: dict[str, list[float]] = {"now": [], "before": []}
    for _ in range(sizes.rounds):
        for who, (source, artifact) in builds.items():
            found = run(sizes, source, "predicted", artifact, folder / "said.parquet", folder / f"said-{who}.csv")
            seconds[who].append(found["seconds"])
    peaks = []
    for times in (1, 10):
        vectors = random.normal(size=(times * sizes.predicted, 76)).astype(np.float32)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 76)
        parquet.write_table(pa.table({"fou": column}), folder / f"vectors-{times}.parquet")
        peaks.append(
            run(sizes, None, "predicted", numbers, folder / f"vectors-{times}.parquet", folder / f"out-{times}.csv")["peak"]
        )
    killed = [killed_at(folder, numbers, place) for place in np.linspace(0.02, 0.98, sizes.kills)]
    figures = {
        "predict_rows_per_second": sizes.said / median(seconds["now"]),
        "predict_rows_over_before": median(seconds["before"]) / median(seconds["now"]),
        "predict_peak_growth": peaks[1] / peaks[0],
        "predict_resumed_identical": int(all(killed)),
    }
    return figures | (on_ray(folder, said, sizes.on_ray) if sizes.on_ray else {})


def vector_student(folder: Path) -> Path:
    """The artifact of a student that reads 76 numbers, untrained."""
    corpus = import_mfeat(folder / "digits", draws=1, labels=(50,))
    split = corpus.split("draw-0-50")
    view = Vector().fit(corpus.cells("fou", split.train))
    torch.manual_seed(0)
    numbers = Model(corpus.task, {"fou": VectorMLP(view, width=64)}, width=64, name="numbers")
    return export(numbers, folder / "student-numbers", corpus=corpus, split=split, about={})


def killed_at(folder: Path, artifact: Path, place: float) -> bool:
    """Whether a job that is killed after that share of its parts, and asked for again, writes the bytes of one that was not."""
    given, out = folder / "vectors-1.parquet", folder / "killed.csv"
    command = [sys.executable, "-m", "understudy", "predict", str(artifact), str(given), "--out", str(out), "--threads", "1"]
    environment = os.environ | {"PYTHONPATH": str(RESULTS.parent / "src")}
    parts = parquet.read_metadata(given).num_rows // 2**13
    job = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while job.poll() is None and len(list(folder.glob(".killed.csv.parts/*/part-*.arrow"))) < place * parts:
        time.sleep(0.002)
    job.send_signal(signal.SIGKILL)
    ended = job.wait()
    assert ended == -signal.SIGKILL, "it was done before it could be killed"
    subprocess.run(command, env=environment, check=True, capture_output=True)
    same = out.read_bytes() == (folder / "out-1.csv").read_bytes() and not list(folder.glob(".killed*"))
    out.unlink()
    return same


def page(f: dict[str, Any]) -> str:
    """The Markdown table: what was measured, found, and the goal."""
    names = {
        "import_parquet_over_before": "import from Parquet, rows a processor second, over before",
        "import_csv_over_before": "import from CSV, over before",
        "import_over_polars_write": "import from Parquet over polars, which reads the table and writes it as Arrow",
        "import_peak_mb_1m": "peak memory of that import, MB",
        "import_peak_growth_1m_to_4m": "peak memory of four times the rows over that",
        "split_over_before": "drawing and saving a split of a million rows, over before",
        "first_batch_seconds_1m": "seconds to the first batch of 900,000 rows of numbers and text",
        "loader_over_before": "two epochs of 45,000 rows of numbers and text, over before",
        "logo_growth": "leave-one-group-out when rows and groups double",
        "wide_growth_10x": "a table of ten times the columns, read to prepared",
        "predict_rows_over_before": "`predict` of rows of 20 words by a small student, one thread, over before",
        "predict_peak_growth": "peak memory of `predict` with ten times the rows",
        "predict_resumed_identical": f"`predict` killed at {KILLS} places and asked for again wrote the same bytes",
        "store_resumed_identical": f"`store` killed at {KILLS} places, in processes, shard by shard and on Ray, then held the same answers",
        "ray_speedup_2_workers": "`predict` of 200,000 rows of 20 words by two workers on Ray over one, from start to end",
    }
    lines = [[said, f"{f[name]:.3g}", f"{GOALS[name][0]} {GOALS[name][1]}"] for name, said in names.items()]
    return f"""# A million rows

A million rows of 16 numbers and eight words. "Before" is commit {BEFORE} (of `predict` {PREDICTED_BEFORE}), beside this one in the same run:
processes in turn, processor time without what they import, medians of {ROUNDS} rounds. Import took {f["parquet_before"]:.1f} s and {f["parquet_before_peak"]:.0f} MB from Parquet,
{f["csv_before"]:.1f} s and {f["csv_before_peak"]:.0f} MB from CSV; now {f["parquet_now"]:.1f} s and {f["parquet_now_peak"]:.0f} MB,
{f["csv_now"]:.1f} s and {f["csv_now_peak"]:.0f} MB. polars reads and writes it in {f["parquet_polars"]:.2f} and {f["csv_polars"]:.2f} s.

{table(["what", "found", "goal"], lines)}
"""


if __name__ == "__main__":
    main()
