"""VideoAdviser's two steps on CMU-MOSI transcripts: {no distillation, step 2, steps 1+2} x {2, 7 classes} x {joint, two-phase}.

python -m benchmarks.videoadviser_mosi --data FOLDER           everything, or what is left of it; then the table
python -m benchmarks.videoadviser_mosi --part minilm 0 2 4     these seeds of one student alone, for a process of its own
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.few_rows import few_rows
from benchmarks.record import table, write_result
from understudy.corpus import Corpus, corpus_at, write_corpus
from understudy.corpus.importers.mosi import import_mosi
from understudy.encoders.text import TextEncoder
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.text import Text
from understudy.recipes.mosi import MINILM_PLAN, SMALL_PLAN, packaged_minilm
from understudy.recipes.videoadviser import MODES, NONE, STEPS, ablation, join_ablations, table_lines
from understudy.training.plan import Plan

SEEDS = range(5)
STUDENTS = ("minilm", "small")
PLANS = {
    "minilm": replace(MINILM_PLAN, epochs=3),
    "small": replace(SMALL_PLAN, epochs=12, batch_size=64, rate=2e-3, patience=None),
}
"""Shorter than those of `benchmarks.mosi`: eight cells and two players are what two cores allow in an hour."""
HEADS = ("2", "7")


def features_corpus(whole: Corpus, folder: Path, encoder: str) -> Corpus:
    """The transcripts, and beside them what the frozen encoder makes of each token; stored once, so that 12 epochs cost little."""
    if (folder / "corpus.json").is_file():
        return Corpus(folder)
    cells = whole.cells("text", np.arange(len(whole)))
    view = Text.pretrained(encoder).fit(cells)
    model, values = TextEncoder.pretrained(encoder, view).eval(), []
    for start in range(0, len(whole), 64):
        fields = {
            name: torch.from_numpy(field)
            for name, field in view.prepare(cells.take(range(start, min(start + 64, len(whole))))).items()
        }
        with torch.no_grad():
            tokens = model(fields).tokens
        assert tokens is not None
        values += [row[mask].numpy() for row, mask in zip(tokens.values, tokens.mask, strict=True)]
    made = {"text": cells, "features": Cells("sequence", values, cells.present)}
    modalities = {"text": whole.modalities["text"], "features": Modality("sequence", width=model.width)}
    targets = np.where(whole.has_target, whole.target, np.nan)
    schema = replace(whole.schema, modalities=modalities)
    split = [whole.split("sdk")]
    return write_corpus(folder, schema, ids=whole.ids, targets=targets, groups=whole.groups, cells=made, splits=split)


def part(
    student: str,
    seeds: Sequence[int],
    *,
    data: Path,
    runs: Path,
    encoder: str = "",
    plan: Plan | None = None,
    heads: Sequence[str] = HEADS,
) -> Path:
    """The ablation of one student with some seeds; finished cells are left as they are."""
    out = runs / "parts" / f"{student}-{'-'.join(map(str, seeds))}"
    if (out / "ablation.json").is_file():
        return out
    encoder, plan = encoder or packaged_minilm(), plan or PLANS[student]
    whole = corpus_at(runs / "corpus", lambda folder: import_mosi(data, folder))
    small = student == "small"
    head: dict[str, Any] = {} if encoder == "small" else {"text_encoder": encoder}
    ablation(
        features_corpus(whole, runs / "features", encoder) if small else whole,
        student=["text"],
        teacher=["features" if small else "text"],
        split="sdk",
        encoders={"text": "small" if small else encoder},
        teacher_encoders={"features": "transformer"} if small else {"text": encoder},
        heads={name: head | {"classes": int(name)} for name in heads},
        plan=plan,
        seeds=list(seeds),
        out=out,
    )
    return out


def parts_of(student: str, runs: Path) -> list[Path]:
    """What was trained of a student so far, by its seeds."""
    return sorted((runs / "parts").glob(f"{student}-*"))


def seeds_of(folder: Path) -> list[int]:
    return [int(seed) for seed in folder.name.split("-")[1:]]


def quick(data: Path) -> None:
    """One epoch of the small encoder on a few rows, two parts of a seed each, joined."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        few_rows(import_mosi(data, runs / "corpus"), "sdk", train=32, valid=32, test=32)
        plan = Plan(epochs=1, batch_size=16)
        few: dict[str, Any] = {"encoder": "small", "plan": plan, "heads": HEADS[:1]}
        parts = [part("minilm", [seed], data=data, runs=runs, **few) for seed in range(2)]
        print(table(*split_lines(join_ablations(parts, heads=HEADS[:1], out=runs / "minilm"))))


def split_lines(document: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    heading, *lines = table_lines(document)
    return heading, lines


def main() -> None:
    """Train what is not trained yet, join the seeds, write results/videoadviser_mosi.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--runs", type=Path, default=Path("runs/videoadviser_mosi"))
    parser.add_argument("--part", nargs="+", metavar=("STUDENT", "SEED"), help="train these seeds of minilm or small; no table")
    parser.add_argument(
        "--finished", action="store_true", help="train nothing; the table of the cells and seeds that are finished"
    )
    parser.add_argument("--quick", action="store_true", help="a few rows, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        quick(options.data)
        return
    if options.part:
        student, *seeds = options.part
        part(student, [int(seed) for seed in seeds], data=options.data, runs=options.runs)
        return
    found = {}
    for student in STUDENTS:
        parts = parts_of(student, options.runs)
        if not options.finished:
            left = sorted(set(SEEDS) - {seed for each in parts for seed in seeds_of(each)})
            # A part that was interrupted goes on; what nobody began is begun.
            shares = [*map(seeds_of, parts), *([left] if left else [])]
            parts = [part(student, seeds, data=options.data, runs=options.runs) for seeds in shares]
        found[student] = join_ablations(parts, heads=HEADS, out=options.runs / student)
    write_result("videoadviser_mosi", figures=figures_of(found), rows=rows_of(found), seeds=list(SEEDS), text=page(found))


def figures_of(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The mean test MAE of every cell, and its verdict against no distillation after Holm over its student's table."""
    figures: dict[str, Any] = {}
    for student, document in found.items():
        for each in document["step_1"]:
            name = f"{student}: what step 1 adds, {each['head']} classes, {each['mode']}"
            figures[name] = each["comparison"]["difference"]
            figures[f"{name}, verdict"] = each["comparison"]["verdict_holm"]
        for row in document["rows"]:
            name = f"{student}: {row['cell']}"
            figures[name] = row["score"]["mean"]
            figures[f"{name}, seeds"] = row["seeds"]
            if "comparison" in row:
                figures[f"{name}, verdict"] = row["comparison"]["verdict_holm"]
                if row["comparison"]["aso"]:
                    figures[f"{name}, eps_min"] = row["comparison"]["aso"]["eps_min"]
    return figures


def rows_of(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a cell."""
    rows = []
    for student, document in found.items():
        for row in document["rows"]:
            means = {f"{name}_mae": row[name]["mean"] for name in ("teacher", "joint_teacher") if name in row}
            judged = {key: value for key, value in row.get("comparison", {}).items() if key not in ("aso", "test")}
            rows.append(
                {
                    "student": student,
                    "cell": row["cell"],
                    "seeds": row["seeds"],
                    "mae": row["score"]["mean"],
                    "std": row["score"]["std"],
                }
                | means
                | judged
            )
    return rows


def told(student: str, document: dict[str, Any]) -> str:
    """What distillation and what step 1 bring, plainly."""
    cells = [row for row in document["rows"] if row["cell"] != NONE]
    lines = [f"**{student}**: no distillation {document['rows'][0]['score']['mean']:.3f}."]
    for name in ("step 2", "steps 1+2"):
        rows = [row for row in cells if row["steps"] == name]
        if not rows:
            continue
        mean = np.mean([row["score"]["mean"] for row in rows])
        lines.append(f"{name}: {mean:.3f}, the mean of {len(rows)} cells, of which {counted(rows)}.")
    if not document["step_1"]:
        return " ".join(lines)
    adds = [f"{each['comparison']['difference']:+.4f}" for each in document["step_1"]]
    lines.append(f"What step 1 adds to step 2, positive is better: {', '.join(adds)}; {counted(document['step_1'])}.")
    return " ".join(lines)


def unfinished(found: dict[str, dict[str, Any]]) -> str:
    """Cells that lack seeds, plainly; nothing where all are there."""
    lines = []
    for student, document in found.items():
        seeds = {row["cell"]: row["seeds"] for row in document["rows"]}
        cells = [f"{steps}, {head} classes, {mode}" for head in HEADS for steps in STEPS for mode in MODES]
        few = [f"{cell} ({seeds.get(cell, 0)} of {len(SEEDS)} seeds)" for cell in cells if seeds.get(cell, 0) < len(SEEDS)]
        lines += [f"- **{student}** is not finished: {'; '.join(few)}."] if few else []
    return "\n".join(lines)


def counted(compared: Sequence[dict[str, Any]]) -> str:
    """How often each verdict, after Holm."""
    verdicts = [each["comparison"]["verdict_holm"] for each in compared]
    return ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))


def page(found: dict[str, dict[str, Any]]) -> str:
    """Both tables and what they say."""
    split = found["minilm"]["split"]
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    tables = "\n\n".join(f"## Student: {name}\n\n{table(*split_lines(document))}" for name, document in found.items())
    return f"""# VideoAdviser's two steps on CMU-MOSI

Test MAE in sentiment points. SDK split ({split["train"]} train, {split["valid"]} validation, {split["test"]} test utterances; videos never cross),
best validation epoch of the student, test scored once; no feature that was fitted on labels. There is no video here: transcripts
alone stand for the teacher's modality, so this measures the two steps and not the paper's setting, of which no number is reproduced.

- **minilm**: teacher and student are both all-MiniLM-L6-v2, fine-tuned for 3 epochs ({split["train"]} rows, batch 32); trained in
  `ACCELERATE_MIXED_PRECISION={precision}`, scored in float32.
- **small**: our own encoder without pretrained weights, {PLANS["small"].epochs} epochs of batches of {PLANS["small"].batch_size}. Its teacher is a *frozen* MiniLM whose stored token features
  a small transformer and the prompt head read, in all eight cells: fine-tuning MiniLM beside a student of so many epochs is out of
  reach on 2 cores.
- Class prompts (2: negative, positive; 7: strongly negative ... strongly positive) go through MiniLM once. Weights w1 to w4 are 1,
  both stop-gradients on, L1; "step 2" sets w3 = 0 and keeps the class loss. Two classes stand for -3 and 3, so their expected value
  is 3 tanh(m / 2) of the margin m, near an end wherever the classes are sure: step 1 pulls the teacher's number there. Joint mode trains teacher and student together, and its
  teacher column is that teacher with its last weights; in two-phase mode it is the teacher that validation chose.
- The verdict is the crossed bootstrap over seeds and videos where Holm's p over the eight cells of the table is at most 0.05, else
  "not distinguishable". ASO: upper bound of the violation of almost stochastic order over the seeds, below 0.5 in favour of the cell.

{chr(10).join("- " + told(name, document) for name, document in found.items())}
{unfinished(found)}

{tables}
"""


if __name__ == "__main__":
    main()
