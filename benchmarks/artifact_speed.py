"""Artifacts: rows a second of `predict` against the same graph called by hand, scikit-learn, transformers and an earlier commit."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.before import checked_out, earlier
from benchmarks.drawn_texts import text_corpus
from benchmarks.record import beside_goals, goal_table, write_result
from understudy.artifact import Artifact
from understudy.artifact.contract import Weights
from understudy.artifact.export import export
from understudy.corpus import Corpus, Split
from understudy.corpus.importers.mfeat import import_mfeat
from understudy.encoders import TextEncoder, TextTransformer, VectorMLP
from understudy.models.model import Model
from understudy.prepare import Text, Vector
from understudy.recipes.mfeat import SIZES

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "9b7b0e7"
"""The commit that the ratios `over_before` are against: one batch of 32 rows after the other, as they come."""
ROUNDS = 9
THREADS = 2
MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
WEIGHTS: tuple[Weights, ...] = ("int8", "int8-static")
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
GOALS = {
    "predict_over_transformers_pipeline": (">=", 6),
    "predict_over_hand_written_onnxruntime": (">=", 0.9),
    "vector_over_hand_batch1": (">=", 0.3),
    "vector_over_hand_batch64": (">=", 0.6),
    "vector_over_sklearn_batch1024": (">=", 1),
    "mixed_lengths_over_before": (">=", 1.8),
    "int8_over_float": (">=", 2.2),
    "small_rows_per_s_over_before": (">=", 4),
    "batch1_p50_over_bare_session": ("<=", 1.3),
    "import_predict_seconds": ("<=", 0.5),
    "cold_first_answer_seconds": ("<=", 1.5),
}
CHILD = """
import json, sys, time
import pyarrow
from understudy.artifact import Artifact
artifact, rows = Artifact(sys.argv[1]), pyarrow.Table.from_pylist(json.load(open(sys.argv[2])))
artifact.predict(rows)
begun = time.perf_counter()
artifact.predict(rows)
print(time.perf_counter() - begun)
"""


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory(prefix="understudy-speed-") as name:
        folder = Path(name)
        figures = vectors(folder, quick) | texts(folder, quick)
    if quick:
        return
    write_result("artifact_speed", figures=figures, rows=beside_goals(GOALS, figures), seeds=[0], text=page(figures))


def vectors(folder: Path, quick: bool) -> dict[str, float]:
    """The digits' student of the demo, 76 numbers a row, untrained: against its own graph and against scikit-learn's perceptron."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    corpus = import_mfeat(folder / "digits", draws=1, labels=(50,))
    split = corpus.split("draw-0-50")
    view = Vector().fit(corpus.cells("fou", split.train))
    width = 16 if quick else int(SIZES["width"])
    torch.manual_seed(0)
    model = Model(corpus.task, {"fou": VectorMLP(view, width=width)}, width=width, name="student")
    artifact = Artifact(export(model, folder / "vector", corpus=corpus, split=split, about={}), threads=THREADS)
    session = bare(folder / "vector")
    values = corpus.cells("fou", np.arange(len(corpus))).values
    layers = MLPClassifier((width, width), max_iter=1, random_state=0)
    simple = make_pipeline(StandardScaler(), layers)
    with np.errstate(all="ignore"), quiet():
        simple.fit(values[split.train], corpus.target[split.train])

    def hand(x: np.ndarray) -> np.ndarray:
        scores = np.clip((x - view.standard.mean) / view.standard.scale, -10, 10).astype(np.float32)
        return np.asarray(session.run(None, {"fou.values": scores})[0])

    figures = {}
    for size, times in ((1, 300), (64, 100), (1024, 10)):
        x = values[:size]
        sides = {"ours": lambda x=x: artifact.predict({"fou": x}), "hand": lambda x=x: hand(x)}
        sides["sklearn"] = lambda x=x: simple.predict_proba(x)
        found = alternating(sides, rounds=1 if quick else ROUNDS, times=1 if quick else times)
        figures |= {f"vector_rows_per_s_batch{size}": size / found["ours"]}
        figures |= {f"vector_over_{side}_batch{size}": found[side] / found["ours"] for side in ("hand", "sklearn")}
    return figures


def texts(folder: Path, quick: bool) -> dict[str, float]:
    """A MiniLM-sized student and the small one of the package, both untrained, on drawn words: 20 a row, or 3 to 100."""
    rounds = 1 if quick else ROUNDS
    corpus, split = text_corpus(folder / "texts", rows=40 if quick else 1024)
    said: list[str] = list(corpus.cells("text", np.arange(len(corpus))).values)
    view = Text.bpe(vocabulary=4000).fit(corpus.cells("text", split.train))
    torch.manual_seed(0)
    sizes = TINY if quick else MINILM
    config = {"model_type": "bert", "vocab_size": view.tokens, "max_position_embeddings": 512, **sizes}
    large = Model(corpus.task, {"text": TextEncoder(view, config=config)}, width=sizes["hidden_size"], name="minilm")
    small = Model(corpus.task, {"text": TextTransformer(view)}, width=128, name="small")
    for model in (large,) if quick else (large, small):
        export(model, folder / model.name, corpus=corpus, split=split, about={})
    short = [" ".join((text.split() * 7)[:20]) for text in said]
    figures = against_before(
        folder, {"mixed_lengths": ("minilm", said[:256]), "small_rows_per_s": ("minilm" if quick else "small", short)}, quick
    )
    artifact, session = Artifact(folder / "minilm", threads=THREADS), bare(folder / "minilm")
    rows = short[: 4 if quick else 256]
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: artifact.predict({"text": rows}),
        "hand": lambda: by_hand(session, view, rows),
        "pipeline": transformers_pipeline(view, config, rows),
    }
    found = alternating(sides, rounds=rounds, times=1)
    figures["text_rows_per_s"] = len(rows) / found["ours"]
    figures["predict_over_hand_written_onnxruntime"] = found["hand"] / found["ours"]
    figures["predict_over_transformers_pipeline"] = found["pipeline"] / found["ours"]
    ready = inputs_of(session, view, rows[:1])
    one = alternating(
        {"ours": lambda: artifact.predict({"text": rows[:1]}), "bare": lambda: session.run(None, ready)},
        rounds=1 if quick else 200,
        times=1,
    )
    figures |= {"batch1_p50_ms": one["ours"] * 1e3, "batch1_p50_over_bare_session": one["ours"] / one["bare"]}
    return figures | integers(folder, large, corpus, split, rows, quick) | starts(folder / "minilm", rounds)


def integers(folder: Path, model: Model, corpus: Corpus, split: Split, rows: list[str], quick: bool) -> dict[str, float]:
    """Artifacts of 8-bit weights over the float one: static ones of 32 rows at a time and of one, and dynamic ones."""
    artifacts = {"float": Artifact(folder / model.name, threads=THREADS)}
    for weights in WEIGHTS[-1:] if quick else WEIGHTS:
        # The weights are drawn, so that no loss says anything.
        out = export(model, folder / weights, corpus=corpus, split=split, about={}, weights=weights, loss=10.0)
        artifacts[weights] = Artifact(out, threads=THREADS)
    figures = {}
    for size, times in ((32, 1), (1, 20)):
        few = rows[:size]
        sides = {name: lambda each=each, few=few: each.predict({"text": few}) for name, each in artifacts.items()}
        found = alternating(sides, rounds=1 if quick else ROUNDS, times=1 if quick else times)
        figures |= {f"{name}_over_float_batch{size}": found["float"] / found[name] for name in artifacts if name != "float"}
    return figures | {"int8_over_float": figures["int8-static_over_float_batch32"]}


def bare(artifact: Path) -> onnxruntime.InferenceSession:
    """The artifact's graph alone, on as many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(str(artifact / "student.onnx"), options, providers=["CPUExecutionProvider"])


def by_hand(session: onnxruntime.InferenceSession, view: Text, rows: list[str]) -> list[np.ndarray]:
    """What one writes without us: 64 rows at a time through the same tokenizer, padded to their longest, and the graph."""
    pieces = [rows[start : start + 64] for start in range(0, len(rows), 64)]
    return [np.asarray(session.run(None, inputs_of(session, view, piece))[0]) for piece in pieces]


def inputs_of(session: onnxruntime.InferenceSession, view: Text, rows: list[str]) -> dict[str, np.ndarray]:
    """Token ids and, where the graph reads it, the mask."""
    encodings = view._tokenizer.encode_batch(rows)
    longest = max(len(each.ids) for each in encodings)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    for row, each in zip(ids, encodings, strict=True):
        row[: len(each.ids)] = each.ids
    mask = np.array([len(each.ids) for each in encodings])[:, None] > np.arange(longest)
    given = {"text.ids": ids, "text.mask": mask}
    return {each.name: given[each.name] for each in session.get_inputs()}


def transformers_pipeline(view: Text, config: dict[str, Any], rows: list[str]) -> Callable[[], object]:
    """The same size through transformers: its pipeline in PyTorch, 64 rows at a time, on as many threads."""
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, TextClassificationPipeline

    sized = {name: value for name, value in config.items() if name != "model_type"}
    model = BertForSequenceClassification(BertConfig(**sized)).eval()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(view.tokenizer), pad_token="<pad>", model_max_length=128
    )
    pipe = TextClassificationPipeline(model=model, tokenizer=tokenizer, batch_size=64, device="cpu")
    return lambda: pipe(rows, truncation=True)


def against_before(folder: Path, cases: dict[str, tuple[str, list[str]]], quick: bool) -> dict[str, float]:
    """Whole processes of this commit and of BEFORE in turn, each timing its second answer to the same rows."""
    figures = {}
    with nullcontext(ROOT / "src") if quick else checked_out(folder / "before", BEFORE) as before:
        for name, (artifact, said) in cases.items():
            rows = folder / f"{name}.json"
            rows.write_text(json.dumps([{"text": text} for text in said]))
            builds = ((before, earlier(folder / artifact, folder / f"{name}-before")), (ROOT / "src", folder / artifact))
            taken: list[list[float]] = []
            for _ in range(1 if quick else ROUNDS):
                taken.append([float(child(where, CHILD, str(shipped), str(rows))) for where, shipped in builds])
            theirs, ours = (median(seconds) for seconds in zip(*taken, strict=True))
            figures |= {f"{name}_over_before": theirs / ours, f"{name}_now": len(said) / ours}
    return figures


def starts(artifact: Path, rounds: int) -> dict[str, float]:
    """Whole processes: what the import adds to an empty Python, and from its start to the first answer of a MiniLM-sized student."""
    first = "import sys; from understudy.artifact import Artifact; Artifact(sys.argv[1]).predict([{'text': 'a few words'}])"
    codes = {"empty": "pass", "import": "import understudy.artifact.predict", "first": first}
    taken = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            begun = time.perf_counter()
            child(ROOT / "src", code, str(artifact))
            taken[name].append(time.perf_counter() - begun)
    added = median(taken["import"]) - median(taken["empty"])
    return {"import_predict_seconds": added, "cold_first_answer_seconds": median(taken["first"])}


def child(source: Path, code: str, *arguments: str) -> str:
    """What a Python with the package of those sources prints."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@contextmanager
def quiet() -> Iterator[None]:
    """One epoch of training is no fault here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def alternating(sides: dict[str, Callable[[], object]], *, rounds: int, times: int) -> dict[str, float]:
    """Median seconds of one call of each side, in turn; a round calls each `times` times."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, call in sides.items():
            begun = time.perf_counter()
            for _ in range(times):
                call()
            taken[name].append((time.perf_counter() - begun) / times)
    return {name: median(seconds[1:]) for name, seconds in taken.items()}


def page(figures: dict[str, float]) -> str:
    """What was done, and each figure beside its goal."""
    return f"""# Speed of an artifact

Ratios of rows a second, both sides in turn in one process with {THREADS} threads; medians of {ROUNDS} rounds (200 for one row).
`before` is commit {BEFORE}, in processes of its own in turn with ours. Weights are drawn, since speed does not depend on them.
Vectors: the digits demo's student (76 numbers, two layers of {SIZES["width"]}), given as an array, against its graph with the
standardisation written by hand and against scikit-learn's `StandardScaler` and `MLPClassifier` of the same layers. Text: a
MiniLM-sized student (6 layers of 384) on rows of 20 drawn words, of 3 to 100 for `mixed_lengths`; the package's own small one for
`small_rows`. `int8_over_float` is of static integers, 32 rows at a time; dynamic ones run each row by itself, so that neighbours change
no answer. `import_predict_seconds` is what the import adds to an empty Python.

{goal_table(GOALS, figures)}
"""


if __name__ == "__main__":
    main()
