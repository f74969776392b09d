#!/usr/bin/env bash
# onnxruntime 1.31.1 with onnx 1.23.2: after `quantize_dynamic`, what a row is answered depends on the other rows of its batch.
#
# One would guess that a dense layer answers each row alone, as its float graph does. DynamicQuantizeLinear takes one scale and one
# zero point from the whole tensor, so one row with large numbers leaves few of the 256 steps to its neighbours. Seen: the float
# graph's answer to a row is the same alone and beside another (difference 0); the quantised graph's answer differs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

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
quantize_dynamic("float.onnx", "int8.onnx")

row = rng.normal(size=(1, 8)).astype(np.float32)
neighbour = 50 * rng.normal(size=(1, 8)).astype(np.float32)
changed = {}
for name in ("float", "int8"):
    session = onnxruntime.InferenceSession(f"{name}.onnx", providers=["CPUExecutionProvider"])
    alone = session.run(None, {"x": row})[0][0]
    beside = session.run(None, {"x": np.concatenate([row, neighbour])})[0][0]
    changed[name] = float(np.abs(alone - beside).max() / np.abs(alone).max())
print(f"onnxruntime {onnxruntime.__version__}: largest change of a row's answer by its neighbour, relative: {changed}")
assert changed["float"] < 1e-6, "the float graph's rows depend on one another"
assert changed["int8"] > 0.05, "a quantised row no longer depends on its neighbour"
PYTHON
