"""CMU-MOSI, SDK split, 5 seeds: transcript teachers with and without audio, and two text-only students, three systems each.

python -m benchmarks.mosi --data FOLDER      FOLDER holds utterances.csv and features.npz (see understudy.recipes.mosi)
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.few_rows import few_rows
from benchmarks.record import table, write_result
from understudy.corpus.importers.mosi import import_mosi
from understudy.evaluate.compare import compare_runs
from understudy.recipes.mosi import mosi
from understudy.study.run import Run

METRICS = ("mae", "corr", "acc2_has0", "acc2_non0", "f1_has0", "f1_non0", "acc7", "acc7_binned", "acc5")
PERCENT = ("acc", "f1_")


def validated(run: Run) -> float:
    """Mean best validation MAE of a run's teachers: what may be selected on."""
    lines = [(run.folder / "teacher" / f"seed-{seed}" / "log.jsonl").read_text().splitlines() for seed in run.seeds]
    return sum(min(json.loads(line)["valid"]["mae"] for line in each) for each in lines) / len(lines)


def play(data: Path, runs: Path, seeds: int) -> tuple[dict[str, Run], str]:
    """All runs, and which teacher the validation rows prefer. Teachers are trained once and shared."""
    common: dict[str, Any] = {"seeds": seeds, "corpus": runs / "corpus"}
    found = {"minilm from text": mosi(data, student="minilm", out=runs / "minilm-text", **common)}
    both: dict[str, Any] = {"teacher": ("text", "audio")} | common
    found["small from text+audio"] = mosi(data, student="small", out=runs / "small-text-audio", **both)
    taught = found["minilm from text"].folder
    found["small from text"] = mosi(data, student="small", teachers_of=taught, out=runs / "small-text", **common)
    text, audio = validated(found["minilm from text"]), validated(found["small from text+audio"])
    chosen = "text" if text <= audio else "text+audio"
    if chosen == "text+audio":
        taught = found["small from text+audio"].folder
        found["minilm from text+audio"] = mosi(data, student="minilm", teachers_of=taught, out=runs / "minilm-text-audio", **both)
    print(f"validation MAE of the teachers: text {text:.4f}, text+audio {audio:.4f}")
    return found, chosen


def cell(metric: str, found: dict[str, Any]) -> str:
    """Mean and deviation over seeds."""
    scale, digits = (100, 2) if metric.startswith(PERCENT) else (1, 3)
    spread = "" if found["std"] is None else f" ± {scale * found['std']:.{digits}f}"
    return f"{scale * found['mean']:.{digits}f}{spread}"


def main() -> None:
    """Run everything, or go on where an earlier call stopped; write results/mosi.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--runs", type=Path, default=Path("runs/mosi"))
    parser.add_argument("--quick", action="store_true", help="one seed, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            few_rows(import_mosi(options.data, Path(folder) / "corpus"), "sdk", train=8, valid=8, test=8)
            play(options.data, Path(folder), 1)
        return
    runs, chosen = play(options.data, options.runs, 5)
    rows = []
    for name, run in runs.items():
        for system, found in run.results["systems"].items():
            means = {metric: found["metrics"][metric]["mean"] for metric in METRICS}
            rows.append({"run": name, "system": system, "parameters": found["parameters"]} | means)
    minilm, small = runs[f"minilm from {chosen}"].results, runs[f"small from {chosen}"].results
    teacher = {
        name: runs[f"small from {name}"].results["systems"]["teacher"]["metrics"]["mae"]["mean"]
        for name in ("text", "text+audio")
    }
    figures: dict[str, Any] = {
        "teacher_mae": teacher["text"],
        "teacher_text_audio_mae": teacher["text+audio"],
        "teacher_chosen_on_validation": chosen,
        "chosen_teacher_mae": teacher[chosen],
    }
    for name, results in (("minilm", minilm), ("small", small)):
        for system in ("plain", "distilled"):
            figures[f"{name}_{system}_mae"] = results["systems"][system]["metrics"]["mae"]["mean"]
        figures |= {f"{name}_{key}": results["comparison"][key] for key in ("difference", "low", "high", "p", "verdict")}
        figures[f"{name}_ensemble_taught"] = str("ensemble" in results["systems"])
        figures[f"{name}_parameters"] = results["systems"]["distilled"]["parameters"]
    for each, entry in zip(runs, compare_runs([run.folder for run in runs.values()]), strict=True):
        figures[f"holm_verdict: {each}"] = entry["comparison"]["verdict_holm"]
    write_result("mosi", figures=figures, rows=rows, seeds=minilm_seeds(runs), text=page(runs, figures))


def minilm_seeds(runs: dict[str, Run]) -> list[int]:
    """The seeds that all runs share."""
    return next(iter(runs.values())).seeds


def page(runs: dict[str, Run], figures: dict[str, Any]) -> str:
    """The Markdown table, with every run kept, whatever it found."""
    lines = []
    for name, run in runs.items():
        for system, found in run.results["systems"].items():
            lines.append([name, system, f"{found['parameters']:,}", *(cell(m, found["metrics"][m]) for m in METRICS)])
    verdicts = []
    for name, run in runs.items():
        found = run.results["comparison"]
        interval = f"{found['difference']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}], p = {found['p']:.2g}"
        verdicts.append([name, interval, found["verdict"], figures[f"holm_verdict: {name}"]])
    sizes = next(iter(runs.values())).results["split"]
    return f"""# CMU-MOSI: what the transcript alone can do

SDK split ({sizes["train"]} train, {sizes["valid"]} validation, {sizes["test"]} test utterances; videos never cross), 5 seeds, best validation
epoch, test scored once. Teachers: fine-tuned all-MiniLM-L6-v2 on the transcript, alone and with openSMILE audio. Students read text
alone: the same MiniLM, and our own encoder without pretrained weights. A student learns from the mean of the five teachers where the
validation rows preferred it. On validation, the better teacher was **{figures["teacher_chosen_on_validation"]}**.
Features that were fitted on labels (text-CNN, 3D-CNN) are not used.

{table(["run", "system", "parameters", *METRICS], lines)}

MAE and Corr in the target's unit, the others in percent; mean ± deviation over seeds.

{table(["run", "distilled - plain, MAE (positive is better)", "verdict", "verdict after Holm over this table"], verdicts)}
"""


if __name__ == "__main__":
    main()
