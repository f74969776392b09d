"""Smaller graphs: weights as 8-bit integers or half floats, and the gate that lets no such artifact out that lost too much."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from understudy.artifact.contract import Weights
from understudy.artifact.parity import ParityError, predict_corpus
from understudy.artifact.predict import Artifact
from understudy.corpus import Corpus, Split
from understudy.tasks import Task

FEW = 1024
"""Numbers of a tensor below which half floats would save nothing."""


def shrink(path: Path, weights: Weights) -> None:
    """Write a graph anew with smaller weights; ValueError where its weights lie in a second file."""
    if path.with_name(f"{path.name}.data").exists():
        raise ValueError(
            f"{path.name} has more than 2 GiB of weights, which can only be shipped as they are: leave {weights} out"
        )
    if weights == "int8":
        to_int8(path)
    elif weights == "fp16":
        to_half(path)


def to_int8(path: Path) -> None:
    """Matrix products in 8-bit integers, as `onnxruntime` makes them: weights once, what enters them at each run."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    # The shapes that torch's exporter noted are of the float graph, and contradict the new one.
    del model.graph.value_info[:]
    plain = path.with_name(f"plain-{path.name}")
    onnx.save(model, plain)
    try:
        quantize_dynamic(plain, path, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        plain.unlink()


def to_half(path: Path) -> None:
    """Weights at rest as half floats, which the graph turns back before it computes: half the file, the same speed."""
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < FEW:
            continue
        name = tensor.name
        with np.errstate(over="ignore"):
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]
    onnx.save(model, path)


def check_loss(folder: Path, task: Task, parity: dict[str, Any], *, corpus: Corpus, split: Split, most: float) -> dict[str, Any]:
    """What the smaller artifact scores on the test rows; ParityError where it lost more than the share `most` of the metric.

    parity: as `check_parity` found it of the graph with its weights as they were.
    """
    before = parity["metric"]["artifact"]
    if before is None:
        raise ParityError(f"split {split.name!r} has no scored test row, so nothing could show what smaller weights cost")
    rows = np.asarray(split.test)
    predicted = predict_corpus(Artifact(folder), corpus, rows)
    scored = predicted.seen & corpus.has_target[rows]
    after = float(np.nanmean(task.per_row(predicted.values[scored], corpus.target[rows][scored])))
    lost = (before - after if task.higher_is_better else after - before) / max(abs(before), 1e-12)
    if not lost <= most:
        raise ParityError(
            f"smaller weights cost {lost:.1%} of the {task.primary} on the test rows ({before:.4g} became {after:.4g}), "
            f"{most:.1%} is allowed; nothing was written"
        )
    return {"metric": task.primary, "before": before, "after": after, "lost": lost, "allowed": most}
