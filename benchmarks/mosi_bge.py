"""CMU-MOSI with a text encoder that is fine-tuned: does a sentence's own model still gain from what a teacher of context knows?

python -m benchmarks.mosi_bge --data FOLDER --encoder BGE      BGE: a transformers folder, such as bge-small; what is on disk is kept
python -m benchmarks.mosi_bge --finished                       train nothing; the table of the systems that are finished
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mosi_context import against_plain, context_corpus, sentences
from benchmarks.record import table, write_result
from understudy.corpus import Corpus, corpus_at
from understudy.corpus.importers.mosi import import_mosi
from understudy.evaluate.compare import adjust
from understudy.process.whole import whole_folder
from understudy.study.distill import distill
from understudy.study.run import Run, load
from understudy.training.plan import Plan

PLAN = Plan(epochs=2, batch_size=16, rate=1e-3, pretrained_rate=5e-5)
LAYERS = 3
"""Of the encoder, the first ones, that the cut student keeps."""


@dataclass(frozen=True)
class System:
    """A way to distil; `cut`: into the student of a few layers. The first one's teachers serve all of them."""

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    cut: bool = False


SYSTEMS: dict[str, System] = {
    "kd": System("kd", more={"ensemble": "yes"}),
    "kd, cut": System("kd", more={"ensemble": "yes"}, cut=True),
    "self_distillation": System("self_distillation", {"decay": 0.9}),
    "videoadviser": System("videoadviser", more={"teacher_head": {"classes": 7, "tokens_of": "text"}}),
    "amid": System("amid"),
}
"""kd from the mean of all seeds' teachers. An average over ten updates, since there are 160 of them. All else at its defaults."""


def cut(encoder: str, folder: Path, *, layers: int) -> str:
    """A transformers folder with the first layers of a BERT, made unless it is there."""
    if not folder.is_dir():
        from transformers import AutoModel, AutoTokenizer

        model = AutoModel.from_pretrained(encoder, add_pooling_layer=False)
        model.encoder.layer = model.encoder.layer[:layers]
        model.config.num_hidden_layers = layers
        with whole_folder(folder) as partial:
            model.save_pretrained(partial)
            AutoTokenizer.from_pretrained(encoder).save_pretrained(partial)
    return str(folder)


def train(
    corpus: Corpus, runs: Path, label: str, *, whole: str, small: str, seeds: Sequence[int], plan: Plan, **sizes: Any
) -> Run:
    """A system's run; the same call resumes. Validation selects the epoch, the test rows are scored once."""
    system, first = SYSTEMS[label], next(iter(SYSTEMS))
    taken: dict[str, Any] = {}
    if label != first:
        taken |= {} if "teacher_head" in system.more else {"teachers_of": runs / first}
        taken |= {} if system.cut else {"plain_of": runs / first}
    return distill(
        corpus,
        student=["text"],
        teacher=["text", "context"],
        split="sdk",
        method=system.method,
        options=system.options,
        encoders={"text": small if system.cut else whole},
        teacher_encoders={"text": whole, "context": "transformer"},
        plan=plan,
        seeds=list(seeds),
        out=runs / label,
        report=False,
        **taken,
        **system.more,
        **sizes,
    )


def rows_of(found: Mapping[str, Run]) -> list[dict[str, Any]]:
    """Test MAE of teachers, plain and distilled students, the latter with their difference to the plain student of their size."""
    rows = []
    for label, run in found.items():
        told = run.results["systems"]
        first = label == next(iter(found))
        shown = {"teacher": "teacher"} if first else {}
        shown |= {"plain": "plain, cut" if SYSTEMS[label].cut else "plain"} if first or SYSTEMS[label].cut else {}
        for system, name in (shown | {"distilled": label}).items():
            mae = told[system]["metrics"]["mae"]
            row = {"system": name, "parameters": told[system]["parameters"], "mean": mae["mean"], "std": mae["std"]}
            rows.append(row | (dict(run.results["comparison"]) if system == "distilled" else {}))
    adjust([row for row in rows if "difference" in row])
    return rows


def page(rows: Sequence[Mapping[str, Any]], seeds: Sequence[int], *, encoder: str) -> str:
    """The table, and what was done."""
    lines = [
        [row["system"], f"{row['parameters']:,}", f"{row['mean']:.3f} ± {row['std'] or 0:.3f}", *against_plain(row)]
        for row in rows
    ]
    missing = [label for label in SYSTEMS if label not in [row["system"] for row in rows]]
    return f"""# CMU-MOSI with {encoder} fine-tuned

Test MAE in sentiment points, SDK split (videos never cross), {len(seeds)} seeds, {PLAN.epochs} epochs in batches of {PLAN.batch_size} at a rate of {PLAN.pretrained_rate:g}, the better epoch by validation,
test scored once. In use the sentence stands alone: the student is {encoder}, trained whole; "cut", its first {LAYERS} layers. The teacher is {encoder}, too,
beside up to four neighbouring utterances as the frozen encoder's vectors, which exist in training alone. kd learns from the mean of all seeds' teachers;
self_distillation from its own average over ten updates; videoadviser's teacher has seven class prompts. One setting each, none tried twice. Positive
differences are better than the plain student of the same size; Holm over this table. Not measured: {", ".join(missing) or "nothing of what was planned"}; more seeds;
other rates or epochs. With so few seeds a verdict needs a large difference.

{table(["system", "parameters", "test MAE", "against plain", "p (Holm)", "verdict"], lines)}
"""


def quick(data: Path) -> None:
    """A few rows, one epoch, two seeds, our own small encoder."""
    with tempfile.TemporaryDirectory() as folder:
        made = import_mosi(data, Path(folder) / "corpus")
        vectors = np.random.default_rng(0).normal(size=(len(made), 8)).astype(np.float32)
        corpus = context_corpus(made, Path(folder) / "context", vectors, data, rows=32)
        arguments: dict[str, Any] = {"plan": Plan(epochs=1, batch_size=16), "sizes": {"width": 16}, "seeds": (0, 1)}
        few = ("kd", "kd, cut")
        found = {label: train(corpus, Path(folder), label, whole="small", small="small", **arguments) for label in few}
        page(rows_of(found), (0, 1), encoder="no encoder")


def main() -> None:
    """Train what is not trained yet; write results/mosi_bge.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mosi"))
    parser.add_argument("--encoder", type=Path, default=Path("../shared/models/bge-small"), help="a transformers folder")
    parser.add_argument("--runs", type=Path, default=Path("runs/mosi_bge"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), help="these systems; the first first")
    parser.add_argument("--finished", action="store_true", help="train nothing; the table of the systems that are finished")
    parser.add_argument("--quick", action="store_true", help="a few rows, nothing written under results/")
    options = parser.parse_args()
    if options.quick:
        quick(options.data)
        return
    encoder, seeds = str(options.encoder), range(options.seeds)
    plain = corpus_at(options.runs / "whole", lambda folder: import_mosi(options.data, folder))

    def made(folder: Path) -> Corpus:
        return context_corpus(plain, folder, sentences(plain, encoder), options.data)

    corpus = corpus_at(options.runs / "corpus", made)
    for label in options.only if not options.finished else ():
        small = cut(encoder, options.runs / "cut", layers=LAYERS)
        train(corpus, options.runs, label, whole=encoder, small=small, seeds=seeds, plan=PLAN)
    done = [label for label in SYSTEMS if (options.runs / label / "results.json").is_file()]
    rows = rows_of({label: load(options.runs / label) for label in done})
    figures: dict[str, float | int | str] = {f"{row['system']}_mae": round(row["mean"], 4) for row in rows}
    figures |= {f"{row['system']}_verdict": row["verdict_holm"] for row in rows if "verdict_holm" in row}
    write_result("mosi_bge", figures=figures, rows=rows, seeds=list(seeds), text=page(rows, seeds, encoder=options.encoder.name))


if __name__ == "__main__":
    main()
