"""MAD's price: a training step with a teacher's stored vectors and tokens against a plain one, and what ships of either student."""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import torch

from benchmarks.record import table, write_result
from understudy.artifact.export import write_student
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, write_corpus
from understudy.encoders import ImagePatches, TextTransformer
from understudy.methods import MAD, Supervised
from understudy.methods.mad_tokens import Selection
from understudy.methods.method import Method
from understudy.models.experts import Experts
from understudy.models.fusion import Beside, SingleStream
from understudy.models.model import Model
from understudy.objectives.unimodal import VectorDistance
from understudy.prepare import Image, Text
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store

ROWS, BATCH, BLOCKS, SIDE, WORDS = 1_024, 64, 9, 48, 14
STUDENTS = {"small": (64, 1), "usual": (128, 2)}
"""Width and blocks of a student: a single stream over about 20 text tokens and 36 patches."""
TEACHER = 512
"""Numbers of a vector or token of the teacher's, as many as those of CLIP ViT-B/32; what they say costs nothing here."""
CASES: tuple[tuple[str, Selection, VectorDistance], ...] = (
    ("usual", "topk", "l1"),
    ("usual", "none", "l1"),
    ("usual", "sampled", "l1"),
    ("usual", "random", "l1"),
    ("usual", "topk", "infonce"),
    ("usual", "all", "infonce"),
    ("small", "none", "l1"),
    ("small", "topk", "l1"),
    ("small", "topk", "infonce"),
)
"""Students, selections and distances, the default first. InfoNCE tells each token from all others of the batch: squares of their number."""


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    rows = [measure(quick, *case) for case in (CASES[:1] if quick else CASES)]
    if quick:
        return
    names = ("step_ratio", "plain_ms", "mad_ms", "graph_identical", "graph_nodes", "graph_bytes")
    figures = {name: rows[0][name] for name in names}
    figures |= {f"step_ratio_{row['student']}_{row['selection']}_{row['distance']}": row["step_ratio"] for row in rows}
    write_result("mad_cost", figures=figures, rows=rows, seeds=[0], text=page(rows))


def measure(quick: bool, size: str, selection: Selection, distance: VectorDistance) -> dict[str, Any]:
    """Medians over blocks of an epoch each, which alternate in one process; the first of each is left out."""
    rows, blocks = (128, 1) if quick else (ROWS, BLOCKS)
    with tempfile.TemporaryDirectory() as name:
        corpus = captions(Path(name) / "corpus", rows)
        teacher = Stored(stored(Path(name) / "answers", corpus))
        torch.manual_seed(0)
        mad = MAD(student(corpus, size), teacher, selection=selection, distance=distance)
        methods = {"plain": Supervised(student(corpus, size)), "mad": mad}
        blocked = {name: Block(method, corpus) for name, method in methods.items()}
        timed = [{name: block() for name, block in blocked.items()} for _ in range(blocks + 1)][1:]
        graphs = [graph(method.student, corpus, Path(name) / f"{each}-shipped") for each, method in methods.items()]
    return {
        "student": size,
        "selection": selection,
        "distance": distance,
        "step_ratio": median(each["mad"] / each["plain"] for each in timed),
        "plain_ms": median(each["plain"] for each in timed) * 1e3,
        "mad_ms": median(each["mad"] for each in timed) * 1e3,
        "graph_identical": graphs[0] == graphs[1],
        "graph_nodes": len(graphs[0]["nodes"]),
        "graph_bytes": graphs[0]["bytes"],
        "student_parameters": sum(p.numel() for p in methods["plain"].student.parameters()),
        "steps": len(blocked["plain"].loader),
        "blocks": blocks,
    }


class Block:
    """An epoch of updates with everything that is in one: rows, answers from the store, forward, backward, clipping, AdamW."""

    def __init__(self, method: Method, corpus: Corpus) -> None:
        self.method, self.epoch = method.train(), 0
        self.parameters = [p for group in method.groups() for p in group.parameters]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=1e-3)
        self.loader = Loader(corpus, range(len(corpus)), method.views(), task=corpus.task, batch_size=BATCH, training=True)

    def __call__(self) -> float:
        """Seconds of the processor that a step takes."""
        self.epoch += 1
        began = time.process_time()
        for batch in self.loader.batches(self.epoch):
            self.optimiser.zero_grad()
            terms = self.method(batch).values()
            torch.stack([term.total / term.count.clamp(min=1) for term in terms]).sum().backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimiser.step()
            self.method.step += 1
        return (time.process_time() - began) / len(self.loader)


def captions(folder: Path, rows: int) -> Corpus:
    """Made-up captions of about 14 words beside small pictures, in three classes."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("etaoinshrdlu"), size=random.integers(2, 8))) for _ in range(1_000)]
    texts = [" ".join(random.choice(words, size=random.integers(WORDS - 6, WORDS + 7))) for _ in range(rows)]
    pictures = list(random.integers(0, 256, (rows, SIDE, SIDE, 3), dtype=np.uint8))
    here = np.ones(rows, dtype=bool)
    return write_corpus(
        folder,
        Schema(Classification(("yes", "perhaps", "no")), {"text": Modality("text"), "image": Modality("image")}),
        ids=[f"caption-{row}" for row in range(rows)],
        targets=random.integers(0, 3, rows),
        cells={"text": Cells("text", texts, here), "image": Cells("image", pictures, here)},
    )


def towers(corpus: Corpus, *, vocabulary: int, width: int) -> dict[str, Any]:
    """An encoder of text and one of pictures."""
    rows = np.arange(len(corpus))
    text = Text.bpe(vocabulary=vocabulary, max_tokens=77).fit(corpus.cells("text", rows))
    image = Image((SIDE, SIDE), 3).fit(corpus.cells("image", rows))
    return {"text": TextTransformer(text, width=width), "image": ImagePatches(image, width=width)}


def student(corpus: Corpus, size: str) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        width, depth = STUDENTS[size]
        encoders = towers(corpus, vocabulary=2_000, width=width)
        return Model(corpus.task, encoders, fusion=SingleStream(dict.fromkeys(encoders, width), width=width, depth=depth))


def stored(folder: Path, corpus: Corpus) -> Any:
    """Answers of the width of CLIP's, tokens of another tokenizer with them."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        encoders = towers(corpus, vocabulary=1_000, width=TEACHER)
        widths = dict.fromkeys(encoders, TEACHER)
        teacher = Frozen(Model(corpus.task, encoders, fusion=Beside(widths), head=Experts(corpus.task, widths)))
    rows = Loader(corpus, range(len(corpus)), teacher.views, task=corpus.task, batch_size=BATCH, shuffle=False)
    return write_store(folder, teacher, rows, corpus=corpus.fingerprint, tokens="text")


def graph(model: Model, corpus: Corpus, folder: Path) -> dict[str, Any]:
    """What there is to an exported graph beside the weights themselves: nodes with their wires, inputs, weights' shapes, size."""
    folder.mkdir()
    write_student(model.eval(), folder, corpus=corpus, name="student")
    path = folder / "student.onnx"
    read = onnx.load(path).graph
    return {
        "nodes": [(node.op_type, tuple(node.input), tuple(node.output)) for node in read.node],
        "inputs": [each.SerializeToString() for each in read.input],
        "weights": {each.name: tuple(each.dims) for each in read.initializer},
        "bytes": path.stat().st_size,
    }


def page(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    first = rows[0]
    students = [
        f"*{name}*: width {width}, {depth} blocks, {next(row['student_parameters'] for row in rows if row['student'] == name):,} parameters"
        for name, (width, depth) in STUDENTS.items()
    ]
    lines = [
        [
            row["student"],
            row["selection"],
            row["distance"],
            f"{row['plain_ms']:.1f} ms",
            f"{row['mad_ms']:.1f} ms",
            f"{row['step_ratio']:.2f}",
            "yes" if row["graph_identical"] else "no",
        ]
        for row in rows
    ]
    return (
        f"# What MAD costs\n\nTwo students ({'; '.join(students)}), each a single stream over about 20 text tokens and 36 patches, batches "
        f"of {BATCH}; the teacher's vectors of {TEACHER} numbers and its tokens, of another tokenizer, come from a store. A step holds "
        "the batch, the answers, forward, backward, clipping and AdamW; processor time, medians "
        f"of {first['blocks']} pairs of blocks of {first['steps']} steps that alternate in one process. Goal: at most 1.25. The "
        f"exported graph has {first['graph_nodes']} nodes and {first['graph_bytes']:,} bytes; the same means nodes, wires, inputs, "
        "weights' shapes and size.\n\n"
        + table(["student", "selected tokens", "distance", "plain step", "MAD step", "ratio", "same graph"], lines)
    )


if __name__ == "__main__":
    main()
