"""Scale: a million rows imported, split, read and predicted, in processor time against the build before, and what is killed goes on.

python -m benchmarks.scale      about ten minutes on two cores
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet

from benchmarks.artifact_speed import text_corpus
from benchmarks.before import checked_out
from benchmarks.record import RESULTS, table, write_result
from benchmarks.scale_jobs import JOBS, made
from understudy.artifact.export import export
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.encoders import TextTransformer, VectorMLP
from understudy.models.model import Model
from understudy.prepare import Text, Vector

BEFORE = "1b01be1"
"""The last build that held whole tables in memory and read them a row at a time."""
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
}


@dataclass(frozen=True)
class Sizes:
    """Rows of the tables, columns of numbers, rounds of everything that is compared, and times that a job is killed."""

    rows: int = 1_000_000
    columns: int = 16
    loader: int = 50_000
    said: int = 10_000
    predicted: int = 100_000
    groups: int = 2_000
    wide: int = 1_000
    rounds: int = ROUNDS
    kills: int = KILLS
    apart: bool = True


SMALL = Sizes(rows=300, columns=2, loader=300, said=8, predicted=300, groups=40, wide=10, rounds=1, kills=0, apart=False)


def main() -> None:
    """Write results/scale.json and .md; --quick goes the same way with few rows, against this build itself."""
    quick = "--quick" in sys.argv[1:]
    sizes = SMALL if quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="understudy-scale-") as name:
        folder = Path(name)
        with nullcontext(RESULTS.parent / "src") if quick else checked_out(folder / "before", BEFORE) as before:
            figures = tables(folder, sizes, before) | shapes(folder, sizes) | predictions(folder, sizes, before)
    if quick:
        return
    rows = [{"figure": name, "value": figures[name], "goal": f"{sign} {goal}"} for name, (sign, goal) in GOALS.items()]
    write_result("scale", figures=figures, rows=rows, seeds=[0], text=page(figures))


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
    said, numbers = students(folder)
    random = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(500)])[random.integers(0, 500, (sizes.said, 20))]
    parquet.write_table(pa.table({"text": [" ".join(row) for row in words]}), folder / "said.parquet")
    seconds: dict[str, list[float]] = {"now": [], "before": []}
    for _ in range(sizes.rounds):
        for who, source in (("now", None), ("before", before)):
            seconds[who].append(
                run(sizes, source, "predicted", said, folder / "said.parquet", folder / f"said-{who}.csv")["seconds"]
            )
    peaks = []
    for times in (1, 10):
        vectors = random.normal(size=(times * sizes.predicted, 76)).astype(np.float32)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 76)
        parquet.write_table(pa.table({"fou": column}), folder / f"vectors-{times}.parquet")
        peaks.append(
            run(sizes, None, "predicted", numbers, folder / f"vectors-{times}.parquet", folder / f"out-{times}.csv")["peak"]
        )
    killed = [killed_at(folder, numbers, place) for place in np.linspace(0.02, 0.98, sizes.kills)]
    return {
        "predict_rows_per_second": sizes.said / median(seconds["now"]),
        "predict_rows_over_before": median(seconds["before"]) / median(seconds["now"]),
        "predict_peak_growth": peaks[1] / peaks[0],
        "predict_resumed_identical": int(all(killed)),
    }


def students(folder: Path) -> tuple[Path, Path]:
    """Artifacts of the package's small text student and of one that reads 76 numbers, both untrained."""
    corpus, split = text_corpus(folder / "texts", rows=100)
    torch.manual_seed(0)
    text = Text.bpe(vocabulary=2000).fit(corpus.cells("text", split.train))
    said = Model(corpus.task, {"text": TextTransformer(text)}, width=128, name="said")
    export(said, folder / "student-said", corpus=corpus, split=split, about={})
    corpus = import_mfeat(folder / "digits", draws=1, labels=(50,))
    split = corpus.split("draw-0-50")
    view = Vector().fit(corpus.cells("fou", split.train))
    numbers = Model(corpus.task, {"fou": VectorMLP(view, width=64)}, width=64, name="numbers")
    export(numbers, folder / "student-numbers", corpus=corpus, split=split, about={})
    return folder / "student-said", folder / "student-numbers"


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
        "predict_resumed_identical": f"jobs killed at {KILLS} places and asked for again wrote the same bytes",
    }
    lines = [[said, f"{f[name]:.3g}", f"{GOALS[name][0]} {GOALS[name][1]}"] for name, said in names.items()]
    return f"""# A million rows

A million rows of 16 numbers and eight words. "Before" is commit {BEFORE}, beside this one in the same run: whole processes in turn,
processor time, medians of {ROUNDS} rounds. Import took {f["parquet_before"]:.1f} s and {f["parquet_before_peak"]:.0f} MB from Parquet,
{f["csv_before"]:.1f} s and {f["csv_before_peak"]:.0f} MB from CSV; now {f["parquet_now"]:.1f} s and {f["parquet_now_peak"]:.0f} MB,
{f["csv_now"]:.1f} s and {f["csv_now_peak"]:.0f} MB. polars reads and writes it in {f["parquet_polars"]:.2f} and {f["csv_polars"]:.2f} s.

{table(["what", "found", "goal"], lines)}
"""


if __name__ == "__main__":
    main()
