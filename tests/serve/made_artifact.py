"""An artifact that is written by hand, so that the tests of this folder need no torch, and rows for it."""

import base64
import io
import json
import wave

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image as Pillow

from understudy.artifact.contract import Contract, GraphInput, ShippedView, write_checksums
from understudy.prepare import Image, LogMel, Sequence, Table, Text, Vector
from understudy.prepare.cells import Cells, Modality

MODALITIES = {
    "few": Modality("vector", width=2, source=("a", "b")),
    "many": Modality("vector", width=20, source=tuple(f"m{i}" for i in range(20))),
    "list": Modality("vector", width=3, source=("list",)),
    "facts": Modality("table", columns={"age": "number", "<i>town": "category"}, source=("age", "<i>town")),
    "steps": Modality("sequence", width=2, source=("steps",)),
    "said": Modality("text", source=("said",)),
    "picture": Modality("image", source=("picture",)),
    "sound": Modality("audio", rate=1000, source=("sound",)),
}


def cells_of(name: str) -> Cells:
    rng, here = np.random.default_rng(0), np.ones(4, dtype=bool)
    match MODALITIES[name].kind:
        case "vector":
            values = rng.normal(size=(4, MODALITIES[name].width)).astype(np.float32)
        case "table":
            values = {"age": np.arange(4.0), "<i>town": np.array(["Ulm", "Rom", "Ulm", None], dtype=object)}
        case "sequence":
            values = [rng.normal(size=(3, 2)).astype(np.float32)] * 4
        case "text":
            values = ["some words", "other words", "some", "more"]
        case "image":
            values = [rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)] * 4
        case _:
            values = [rng.uniform(-1, 1, 200).astype(np.float32)] * 4
    return Cells(MODALITIES[name].kind, values, here)


def write_artifact(folder, classes, names=tuple(MODALITIES), name="count <script>alert(1)</script>"):
    """A graph written by hand, so that these tests need no torch: how many modalities are present, as a number or as classes."""
    views = {
        "vector": Vector(),
        "table": Table(),
        "sequence": Sequence(),
        "text": Text.bpe(vocabulary=300),
        "image": Image((4, 4)),
        "audio": LogMel(1000),
    }
    modalities = {each: MODALITIES[each] for each in names}
    fitted = {each: views[modality.kind].fit(cells_of(each)) for each, modality in modalities.items()}
    assets = {}
    folder.mkdir()
    for each, view in fitted.items():
        assets[each] = {asset: f"{each}-{asset}" for asset in view.assets()}
        for asset, content in view.assets().items():
            (folder / assets[each][asset]).write_bytes(content)
    inputs = tuple(GraphInput(f"{each}.present", "bool", ("batch",)) for each in names)
    nodes = [helper.make_node("Cast", [i.name], [f"f{n}"], to=TensorProto.FLOAT) for n, i in enumerate(inputs)]
    nodes += [helper.make_node("Sum", [f"f{n}" for n in range(len(inputs))], ["total" if classes else "prediction"])]
    shape = ["batch"]
    constants = []
    if classes:
        constants = [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("all", TensorProto.FLOAT, [1], [float(len(names))]),
        ]
        nodes += [
            helper.make_node("Div", ["total", "all"], ["share"]),
            helper.make_node("Unsqueeze", ["share", "axes"], ["yes"]),
            helper.make_node("Sub", ["one", "yes"], ["no"]),
            helper.make_node("Concat", ["no", "yes"], ["prediction"], axis=1),
        ]
        constants.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
        shape = ["batch", 2]
    graph = helper.make_graph(
        nodes,
        "counted",
        [helper.make_tensor_value_info(i.name, TensorProto.BOOL, ["batch"]) for i in inputs],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, shape)],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "student.onnx")
    task = {"kind": "classification", "classes": ["no", "<b>yes"]} if classes else {"kind": "regression", "unit": "pieces"}
    shipped = {each: ShippedView(type(view).__name__, view.state(), assets[each]) for each, view in fitted.items()}
    contract = Contract(name, task, modalities, shipped, inputs)
    (folder / "contract.json").write_text(json.dumps(contract.to_json()))
    write_checksums(folder)
    return folder


def asked(client, rows, **more):
    """What is answered to a question of these rows."""
    return client.post("/v1/predict", json={"rows": rows, **more})


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def png() -> str:
    file = io.BytesIO()
    Pillow.fromarray(np.zeros((6, 5, 3), dtype=np.uint8)).save(file, "PNG")
    return encoded(file.getvalue())


def wav() -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 1000, 0, "NONE", ""))
        sound.writeframes(np.zeros(300, dtype="<i2").tobytes())
    return encoded(file.getvalue())


WHOLE = {
    "a": 1,
    "b": 2.5,
    **{f"m{i}": i for i in range(20)},
    "list": [1, 2, None],
    "age": 40,
    "<i>town": "Ulm",
    "steps": [[1, 2], [3, 4]],
    "said": "some words",
    "picture": png(),
    "sound": wav(),
}
