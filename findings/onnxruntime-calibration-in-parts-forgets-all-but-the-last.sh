#!/usr/bin/env bash
# onnxruntime 1.31.1 with onnx 1.23.2: `quantize_static` with `CalibMaxIntermediateOutputs` calibrates on the last few batches alone.
#
# The option is documented to compute ranges after so many batches, to merge them, and to give the same result as computing them at
# once, with less memory. The outputs of a full part are thrown away without a range being computed of them, and nothing is said.
# Seen, with the option at 2: of three batches the scales are those of the third batch by itself, which is what a graph is then
# quantised by; of four batches nothing is left over, and it says ValueError "No data is collected.", though all four were.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, quantize_static

logging.disable(logging.WARNING)
rng = np.random.default_rng(0)
weight = numpy_helper.from_array(rng.normal(size=(8, 4)).astype(np.float32), "weight")
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "weight"], ["y"])],
    "layer",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 4])],
    [weight],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "float.onnx")
batches = [{"x": rng.normal(size=(16, 8)).astype(np.float32)} for _ in range(4)]


class Reader(CalibrationDataReader):
    def __init__(self, chosen):
        self.left = list(chosen)

    def get_next(self):
        return self.left.pop(0) if self.left else None


def scales(chosen, options):
    try:
        quantize_static("float.onnx", "int8.onnx", Reader(chosen), extra_options=options)
    except ValueError as error:
        return f"ValueError: {error}"
    return sorted(float(numpy_helper.to_array(each)) for each in onnx.load("int8.onnx").graph.initializer if "scale" in each.name)


whole, third, parts = scales(batches[:3], {}), scales(batches[2:3], {}), scales(batches[:3], {"CalibMaxIntermediateOutputs": 2})
even = scales(batches, {"CalibMaxIntermediateOutputs": 2})
print(f"onnxruntime {onnxruntime.__version__}: three batches {whole}, the third alone {third}, in parts of two {parts}; four: {even}")
assert parts == third != whole, "parts are no longer forgotten"
assert even == "ValueError: No data is collected.", "four batches no longer fail"
PYTHON
