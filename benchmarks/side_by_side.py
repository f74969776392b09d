"""Trainings side by side: what two processes save, that no number depends on how a run is carried out, and what `fit` costs.

python -m benchmarks.side_by_side      on a machine of two cores that does nothing else; about ten minutes
"""

import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from safetensors.torch import load_file

from benchmarks import fit_kd
from benchmarks.before import checked_out
from benchmarks.record import RESULTS, table, write_result
from understudy.recipes.mfeat import ENCODERS

BEFORE = "9b7b0e7"
"""The last build before trainings could run side by side."""
ROUNDS, SEEDS = 5, 5
SAME = ("model.safetensors", "predictions.npz", "results.json", "ships.json")
"""What holds no time, byte for byte the same however the run was carried out."""
JOB = "import sys; from understudy.recipes.mfeat import mfeat; mfeat(corpus=sys.argv[1], out=sys.argv[2], seeds={seeds}{more})"


def main() -> None:
    """Write results/side_by_side.json and .md; --quick times a step and a list: the rest takes processes."""
    quick = "--quick" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {"list_seconds": listed(1 if quick else ROUNDS)} | fit_kd.measure(quick)
        if quick:
            return
        rows = rounds(folder)
        figures |= {
            "wall_ratio_jobs2": median(row["two_seconds"] / row["one_seconds"] for row in rows),
            "main_job_over_before": median(row["demo_seconds"] / row["before_seconds"] for row in rows),
            "identical": same(folder / "one-0", folder / "two-0"),
            "ray_identical": on_ray(folder),
            "ddp_max_difference": over_two(folder),
        }
    figures |= {name: median(row[name] for row in rows) for name in rows[0] if name != "round"}
    write_result("side_by_side", figures=figures, rows=rows, seeds=list(range(SEEDS)), text=page(figures))


def rounds(folder: Path) -> list[dict[str, Any]]:
    """Seconds of whole processes, which alternate: in turn and two side by side, of one thread each; the demo's job before and now."""
    found = []
    with checked_out(folder / "before", BEFORE) as source:
        for corpus, own in (("corpus", None), ("corpus-before", source)):
            job(folder / corpus, folder / f"warm-{corpus}", source=own, seeds=1)
        for number in range(ROUNDS):
            found.append(
                {
                    "round": number,
                    "one_seconds": job(folder / "corpus", folder / f"one-{number}", more=", jobs=1", threads=1),
                    "two_seconds": job(folder / "corpus", folder / f"two-{number}", more=", jobs=2", threads=1),
                    "before_seconds": job(folder / "corpus-before", folder / f"before-{number}", source=source),
                    "demo_seconds": job(folder / "corpus", folder / f"demo-{number}", more=", jobs='auto'"),
                }
            )
    return found


def job(corpus: Path, out: Path, *, source: Path | None = None, more: str = "", seeds: int = SEEDS, threads: int = 0) -> float:
    """Seconds of a process that distils the demo's student. source: of another build; threads: all cores when 0."""
    env = os.environ | {"PYTHONPATH": str(source or RESULTS.parent / "src")}
    env = {name: value for name, value in env.items() if name != "OMP_NUM_THREADS"}
    env |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    command = [sys.executable, "-c", JOB.format(seeds=seeds, more=more), str(corpus), str(out)]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - began


def listed(rounds: int) -> float:
    """Seconds of `understudy list`, the whole process."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "understudy", "list"], check=True, capture_output=True)
        found.append(time.perf_counter() - began)
    return median(found)


def same(one: Path, other: Path) -> bool:
    """Whether two runs hold the same files of those names, byte for byte."""
    files = {path.relative_to(one) for name in SAME for path in one.rglob(name)}
    assert len(files) >= 2 * 3 * SEEDS
    return all((other / path).is_file() and (one / path).read_bytes() == (other / path).read_bytes() for path in files)


def on_ray(folder: Path) -> bool | str:
    """The same of a run on two local Ray workers."""
    if find_spec("ray") is None:
        return "not measured: Ray is not installed"
    job(folder / "corpus", folder / "ray", more=", jobs=2, engine='ray'", threads=1)
    return same(folder / "one-0", folder / "ray")


def over_two(folder: Path) -> float:
    """The largest difference of any weight between a run of one process and one whose trainings two gloo processes share.

    Without dropout, which every process draws for itself.
    """
    asked = ["distill", str(folder / "corpus"), "--student", "fou", "--split", "draw-0-50", "--seeds", "1", "--threads", "1"]
    asked += ["--valid", "0", "--sizes", "width=256", "dropout=0", "--plan", "epochs=10", "batch_size=128", "rate=0.001"]
    asked += ["--encoder", *(f"{modality}={encoder}" for modality, encoder in ENCODERS.items())]
    launch = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "understudy"]
    for name, module in (("alone", ["understudy"]), ("shared", launch)):
        command = [sys.executable, "-m", *module, *asked, "--out", str(folder / name)]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    found = 0.0
    for path in (folder / "alone").glob("*/seed-0/model.safetensors"):
        one, two = load_file(path), load_file(folder / "shared" / path.relative_to(folder / "alone"))
        found = max(found, *(float((value - two[name]).abs().max()) for name, value in one.items()))
    return found


def page(f: dict[str, Any]) -> str:
    """The Markdown table: what was measured, found, and the goal."""
    lines = [
        [
            "two trainings side by side over one after the other, of one thread each",
            f"{f['wall_ratio_jobs2']:.2f}",
            "at most 0.62",
        ],
        [f"the demo's job over that of commit {BEFORE}, all cores", f"{f['main_job_over_before']:.2f}", "at most 0.45"],
        ["a step of `fit` with kd over the bare loop, processor time", f"{f['fit_kd_over_bare']:.2f}", "at most 1.15"],
        ["`understudy list`", f"{f['list_seconds']:.2f} s", "at most 0.8 s"],
        ["side by side and in turn leave the same bytes", str(f["identical"]), "True"],
        ["tasks of two Ray workers leave the same bytes", str(f["ray_identical"]), "True"],
        [
            "largest difference of a weight, two processes a training against one",
            f"{f['ddp_max_difference']:.1e}",
            "at most 1e-06",
        ],
    ]
    return f"""# Trainings side by side

The demo's distillation (mfeat, {SEEDS} seeds of three systems): {f["one_seconds"]:.0f} s one training after the other,
{f["two_seconds"]:.0f} s two at once; before {f["before_seconds"]:.0f} s, now {f["demo_seconds"]:.0f} s. Whole processes that
alternate, medians of {ROUNDS} rounds, ratios of the rounds' own. A step by hand takes {f["kd_bare_ms"]:.2f} ms of processor time,
of `fit` {f["kd_fit_ms"]:.2f} ms, its loader and its stored teacher included.

{table(["what", "found", "goal"], lines)}
"""


if __name__ == "__main__":
    main()
