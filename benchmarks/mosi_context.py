"""A real text encoder and an honest auxiliary: CMU-MOSI, where the sentence stands alone in use and its neighbours exist in training.

python -m benchmarks.mosi_context --data FOLDER --encoder BGE      BGE: a transformers folder, such as bge-small
"""

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import table, write_result
from understudy.corpus import Corpus, Split, corpus_at, write_corpus
from understudy.corpus.importers.mosi import import_mosi
from understudy.encoders.text import TextEncoder
from understudy.evaluate.compare import compare_runs
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.text import Text
from understudy.study.distill import distill
from understudy.study.run import Run
from understudy.training.plan import Plan

SEEDS = range(5)
PLAN = Plan(epochs=30, batch_size=64, rate=1e-3, patience=6)
SIZES = {"width": 128, "dropout": 0.3}
AROUND = (-2, -1, 1, 2)
"""Which neighbours of an utterance its context holds, those that its video has."""
METHODS: dict[str, dict[str, Any]] = {
    "kd": {},
    "self_distillation": {},
    "crd": {},
    "amid": {},
    "videoadviser": {"teacher_head": {"classes": 7}},
}
"""Method -> what differs from its defaults; the first one's teachers and plain students serve the others."""


def sentences(whole: Corpus, encoder: str) -> np.ndarray:
    """The frozen encoder's vector of every transcript [N D], of length 1."""
    cells = whole.cells("text", np.arange(len(whole)))
    view = Text.pretrained(encoder).fit(cells)
    model, found = TextEncoder.pretrained(encoder, view).eval(), []
    for start in range(0, len(whole), 64):
        fields = view.prepare(cells.take(range(start, min(start + 64, len(whole)))))
        with torch.no_grad():
            found.append(model({name: torch.from_numpy(each) for name, each in fields.items()}).pooled)
    vectors = torch.cat(found)
    return (vectors / vectors.norm(dim=1, keepdim=True) * vectors.shape[1] ** 0.5).numpy().astype(np.float32)


def neighbours(ids: Sequence[str], data: Path) -> list[list[int]]:
    """The rows around each row, in the order in which they were said."""
    with (data / "utterances.csv").open(encoding="utf-8") as file:
        place = {row["id"]: (row["video"], int(row["segment"])) for row in csv.DictReader(file)}
    here = {place[name]: row for row, name in enumerate(ids)}
    around = [[(place[name][0], place[name][1] + step) for step in AROUND] for name in ids]
    return [[here[each] for each in wanted if each in here] for wanted in around]


def context_corpus(whole: Corpus, folder: Path, vectors: np.ndarray, data: Path, *, rows: int | None = None) -> Corpus:
    """The sentence as text and as a vector, and its neighbours as a sequence of vectors; of each part of the split, these rows."""
    around = neighbours(whole.ids.tolist(), data)
    present = np.array([bool(rows) for rows in around])
    width = vectors.shape[1]
    cells = {
        "text": whole.cells("text", np.arange(len(whole))),
        "sentence": Cells("vector", vectors, np.ones(len(whole), dtype=bool)),
        "context": Cells("sequence", [vectors[rows] if rows else np.zeros((0, width), np.float32) for rows in around], present),
    }
    kinds = {"text": whole.modalities["text"], "sentence": Modality("vector", width=width)}
    kinds["context"] = Modality("sequence", width=width)
    targets = np.where(whole.has_target, whole.target, np.nan)
    schema, given = replace(whole.schema, modalities=kinds), whole.split("sdk")
    train, valid, test = (part[:rows] for part in (given.train, given.valid, given.test))
    split = Split("sdk", train, test, train, valid, group=True)
    return write_corpus(folder, schema, ids=whole.ids, targets=targets, groups=whole.groups, cells=cells, splits=[split])


def play(
    corpus: Corpus, runs: Path, *, seeds: Sequence[int], plan: Plan, methods: Mapping[str, Mapping[str, Any]]
) -> dict[str, Run]:
    """Each method's run; validation selects the epoch, the test rows are scored once."""
    found: dict[str, Run] = {}
    for method, changes in methods.items():
        first = next(iter(found.values())).folder if found else ""
        shared = "" if changes else first
        found[method] = distill(
            corpus,
            student=["sentence"],
            teacher=["sentence", "context"],
            split="sdk",
            method=method,
            teacher_encoders={"context": "transformer"},
            plan=plan,
            sizes=SIZES,
            seeds=list(seeds),
            teachers_of=shared,
            plain_of=first,
            out=runs / method,
            report=False,
            **changes,
        )
    return found


def rows_of(found: Mapping[str, Run]) -> list[dict[str, Any]]:
    """Test MAE of plain, of the teacher of context, and of each method with its difference to plain, after Holm."""
    first = next(iter(found.values())).results["systems"]
    rows = [
        {"system": name, **{key: first[name]["metrics"]["mae"][key] for key in ("mean", "std")}} for name in ("teacher", "plain")
    ]
    compared = compare_runs([run.folder for run in found.values()])
    for (method, run), entry in zip(found.items(), compared, strict=True):
        mae, judged = run.results["systems"]["distilled"]["metrics"]["mae"], entry["comparison"]
        told = {key: judged[key] for key in ("difference", "low", "high", "p_holm", "verdict_holm")}
        rows.append({"system": method, "mean": mae["mean"], "std": mae["std"]} | told)
    return rows


def against_plain(row: Mapping[str, Any]) -> list[str]:
    """Of a row of the table: the difference with its interval, p, and the verdict; blanks where there is none."""
    if "difference" not in row:
        return [""] * 3
    interval = f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
    return [interval, f"{row['p_holm']:.2g}", row["verdict_holm"]]


def page(rows: Sequence[Mapping[str, Any]], encoder: str) -> str:
    """The table."""
    lines = [[row["system"], f"{row['mean']:.3f} ± {row['std']:.3f}", *against_plain(row)] for row in rows]
    return f"""# Context as the auxiliary: CMU-MOSI on a real text encoder

Test MAE in sentiment points, SDK split (videos never cross), {len(SEEDS)} seeds, best validation epoch, test scored once. In use the sentence stands alone: the
student is a perceptron on the vector that a frozen {encoder} makes of it. The teacher reads it too, and up to four neighbouring utterances, which exist in
training. Every method has its defaults, one setting each; `videoadviser` has a teacher of its own, with seven class prompts. The encoder is frozen here:
[fine-tuned](mosi_bge.md) it is another experiment. Positive differences are better than plain.

{table(["system", "test MAE", "against plain", "p (Holm)", "verdict"], lines)}
"""


def quick(data: Path) -> None:
    """A few rows of made vectors, one epoch, two seeds, two methods."""
    with tempfile.TemporaryDirectory() as folder:
        made = import_mosi(data, Path(folder) / "corpus")
        vectors = np.random.default_rng(0).normal(size=(len(made), 8)).astype(np.float32)
        corpus = context_corpus(made, Path(folder) / "context", vectors, data, rows=32)
        few = {name: METHODS[name] for name in ("kd", "videoadviser")}
        page(rows_of(play(corpus, Path(folder), seeds=(0, 1), plan=Plan(epochs=1, batch_size=16), methods=few)), "no encoder")


def main() -> None:
    """Train what is not trained yet; write results/mosi_context.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--encoder", type=Path, default=Path("../shared/models/bge-small"), help="a transformers folder")
    parser.add_argument("--runs", type=Path, default=Path("runs/mosi_context"))
    parser.add_argument("--quick", action="store_true", help="a few rows, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        quick(options.data)
        return
    whole = corpus_at(options.runs / "whole", lambda folder: import_mosi(options.data, folder))

    def made(folder: Path) -> Corpus:
        return context_corpus(whole, folder, sentences(whole, str(options.encoder)), options.data)

    corpus = corpus_at(options.runs / "corpus", made)
    rows = rows_of(play(corpus, options.runs, seeds=SEEDS, plan=PLAN, methods=METHODS))
    figures = {f"{row['system']}_mae": round(row["mean"], 4) for row in rows}
    figures |= {f"{row['system']}_verdict": row["verdict_holm"] for row in rows if "verdict_holm" in row}
    write_result("mosi_context", figures=figures, rows=rows, seeds=list(SEEDS), text=page(rows, options.encoder.name))


if __name__ == "__main__":
    main()
