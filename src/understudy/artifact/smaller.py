"""Smaller graphs: weights as 8-bit integers or half floats, and the gate that lets no such artifact out that lost too much."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from understudy.artifact.contract import Contract
from understudy.artifact.graph import quiet
from understudy.artifact.parity import ParityError, predict_corpus
from understudy.artifact.predict import Artifact
from understudy.corpus import Corpus, Split
from understudy.prepare.view import FieldArrays
from understudy.tasks import Task

FEW = 1024
"""Numbers of a tensor below which half floats would save nothing."""
CALIBRATING = 256
"""Validation rows that say what range enters a product of static integers."""
ROWS_AT_ONCE = 16
"""Of those."""


def shrink(folder: Path, contract: Contract, *, corpus: Corpus, split: Split) -> None:
    """Write a sealed artifact's graphs anew with the weights of `contract`.

    ValueError where weights lie in a second file, and for static integers without validation rows, on which they are calibrated.
    """
    feeds: dict[str, Iterator[FieldArrays]] = {}
    if contract.weights == "int8-static":
        feeds = calibrating(Artifact(folder), corpus, split)
    for file in contract.graphs.values():
        path = folder / file
        if path.with_name(f"{file}.data").exists():
            said = f"{file} has more than 2 GiB of weights, which can only be shipped as they are"
            raise ValueError(f"{said}: leave {contract.weights} out")
        if contract.weights == "fp16":
            to_half(path)
        else:
            to_int8(path, feeds.get(file))


def calibrating(artifact: Artifact, corpus: Corpus, split: Split) -> dict[str, Iterator[FieldArrays]]:
    """Of each graph's file: what enters it of validation rows that it reads, a few rows at a time."""
    found: dict[str, Iterator[FieldArrays]] = {}
    for reads, file in artifact.contract.graphs.items():
        rows = np.asarray(split.valid)
        rows = rows[np.logical_or.reduce([corpus.present(m)[rows] for m in reads])][:CALIBRATING]
        if not len(rows):
            said = f"split {split.name!r} has no validation row that {file} reads, and static integers are calibrated on those"
            raise ValueError(f"{said}: ask for --int8 dynamic, or draw a split with some")
        cells = {m: corpus.cells(m, rows) for m in reads}
        found[file] = (inputs for _, inputs in artifact.inputs(reads, cells, len(rows), ROWS_AT_ONCE))
    return found


def to_int8(path: Path, feeds: Iterator[FieldArrays] | None) -> None:
    """Matrix products in 8-bit integers, weights within 7, as `onnxruntime` makes them: weights once, what enters by its range.

    feeds: rows that say which range, for good; None: the range of each run's own rows.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

    class Reader(CalibrationDataReader):
        def get_next(self) -> FieldArrays | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            return next(feeds, None) if feeds else None

    model = onnx.load(path)
    # The shapes that torch's exporter noted are of the float graph, and contradict the new one.
    del model.graph.value_info[:]
    plain = path.with_name(f"plain-{path.name}")
    onnx.save(model, plain)
    # Of 7 bits: two products of 8 leave the 16 that x86 without VNNI adds them in, and it would answer otherwise, in silence.
    shared: dict[str, Any] = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True}
    try:
        with quiet():
            if feeds is None:
                quantize_dynamic(plain, path, **shared)
            else:
                # Products with weights alone, of unsigned with signed: the kernels that processors have instructions for.
                shared |= {"activation_type": QuantType.QUInt8, "quant_format": QuantFormat.QOperator}
                only: dict[str, Any] = {"op_types_to_quantize": ["MatMul"], "extra_options": {"MatMulConstBOnly": True}}
                quantize_static(plain, path, Reader(), **shared, **only)
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
    lost = task.sign * (before - after) / max(abs(before), 1e-12)
    if not lost <= most:
        raise ParityError(
            f"smaller weights cost {lost:.1%} of the {task.primary} on the test rows ({before:.4g} became {after:.4g}), "
            f"{most:.1%} is allowed; nothing was written"
        )
    return {"metric": task.primary, "before": before, "after": after, "lost": lost, "allowed": most}
