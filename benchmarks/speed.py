"""Speed, as ratios against what one would do without us, interleaved in one process; and how long a command takes to start."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import corpus_read, fit_loop, stored_teacher
from benchmarks.record import table, write_result

ROUNDS = 9


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    parts = {"fit": fit_loop, "stored teacher": stored_teacher, "corpus": corpus_read}
    found: dict[str, dict[str, Any]] = {name: part.measure(quick) for name, part in parts.items()}
    found["start"] = start(1 if quick else ROUNDS)
    if quick:
        return
    figures = {key: value for part in found.values() for key, value in part.items() if key not in ("rows", "rounds")}
    rows = [{"part": name} | part for name, part in found.items()]
    write_result("speed", figures=figures, rows=rows, seeds=[0], text=page(figures))


def start(rounds: int) -> dict[str, Any]:
    """Medians of whole processes in seconds, alternating; `import_seconds` is what the import adds to an empty Python."""
    commands = {
        "python_seconds": [sys.executable, "-c", "pass"],
        "python_import_seconds": [sys.executable, "-c", "import understudy"],
        "help_seconds": [str(Path(sys.executable).with_name("understudy")), "--help"],
    }
    timed = [{name: seconds(command) for name, command in commands.items()} for _ in range(rounds + 1)][1:]
    added = median(each["python_import_seconds"] - each["python_seconds"] for each in timed)
    return {name: median(each[name] for each in timed) for name in commands} | {"import_seconds": added, "rounds": rounds}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def page(f: dict[str, Any]) -> str:
    """The Markdown table: what was measured, ours, the other side, the goal."""
    ms, s = "{:.2f} ms".format, "{:.2f} s".format
    lines = [
        [
            f"`fit`, a step of a small model ({f['parameters_2ms']:,} parameters)",
            ms(f["fit_ms_2ms"]),
            ms(f["bare_ms_2ms"]) + " by hand",
            f"{f['fit_overhead_ms_2ms']:+.2f} ms",
            "at most +0.5 ms",
        ],
        [
            f"`fit`, a step of a larger model ({f['parameters_20ms']:,} parameters)",
            ms(f["fit_ms_20ms"]),
            ms(f["bare_ms_20ms"]) + " by hand",
            f"{f['fit_ratio_20ms']:.3f}x",
            "at most 1.05x",
        ],
        [
            "an epoch with a stored MiniLM-sized teacher",
            s(f["stored_epoch_seconds"]),
            s(f["live_epoch_seconds"]) + " live",
            f"{f['stored_epoch_speedup']:.1f}x faster",
            "at least 10x",
        ],
        [
            "a random batch of 64 rows, 6 columns, from 100,000 on disk",
            ms(f["corpus_read_ms"]),
            ms(f["memory_read_ms"]) + " from arrays in memory",
            f"{f['corpus_read_ratio']:.2f}x",
            "at most 1.5x",
        ],
        [
            "`import understudy`",
            s(f["python_import_seconds"]),
            s(f["python_seconds"]) + " empty Python",
            f"{f['import_seconds']:+.3f} s",
            "under 0.1 s",
        ],
        ["`understudy --help`, the whole process", s(f["help_seconds"]), "", "", "under 0.5 s"],
    ]
    return f"""# Speed

Both sides alternate in one process (the last two rows: processes alternate). Medians of {ROUNDS} rounds, {fit_loop.ROUNDS} for
`fit`, {stored_teacher.ROUNDS} for the stored teacher, {corpus_read.ROUNDS} for the corpus; a difference is the median of the
rounds' differences. `fit` and the loop by hand share model, batches, fused AdamW and clipping; a call of `fit` counts whole, its
start and log included. The stored teacher's epoch includes opening and reading the store (float16); filling it took
{s(f["store_write_seconds"])} once.

{table(["what", "ours", "against", "difference", "goal"], lines)}
"""


if __name__ == "__main__":
    main()
