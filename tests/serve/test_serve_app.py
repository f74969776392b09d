"""The service: JSON in, predictions out, clear refusals, one page; without torch, on a real port too."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
import wave
from html.parser import HTMLParser

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper
from PIL import Image as Pillow

from understudy.artifact.contract import Contract, GraphInput, ShippedView, write_checksums
from understudy.prepare import Image, LogMel, Sequence, Table, Text, Vector
from understudy.prepare.cells import Cells, Modality
from understudy.serve import app as service
from understudy.serve import create_app
from understudy.serve.page import fields

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


def write_artifact(folder, classes):
    """A graph written by hand, so that these tests need no torch: how many modalities are present, as a number or as classes."""
    views = {
        "vector": Vector(),
        "table": Table(),
        "sequence": Sequence(),
        "text": Text.bpe(vocabulary=300),
        "image": Image((4, 4)),
        "audio": LogMel(1000),
    }
    fitted = {name: views[modality.kind].fit(cells_of(name)) for name, modality in MODALITIES.items()}
    assets = {}
    folder.mkdir()
    for name, view in fitted.items():
        assets[name] = {asset: f"{name}-{asset}" for asset in view.assets()}
        for asset, content in view.assets().items():
            (folder / assets[name][asset]).write_bytes(content)
    inputs = tuple(GraphInput(f"{name}.present", "bool", ("batch",)) for name in MODALITIES)
    nodes = [helper.make_node("Cast", [i.name], [f"f{n}"], to=TensorProto.FLOAT) for n, i in enumerate(inputs)]
    nodes += [helper.make_node("Sum", [f"f{n}" for n in range(len(inputs))], ["total" if classes else "prediction"])]
    shape = ["batch"]
    constants = []
    if classes:
        constants = [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("all", TensorProto.FLOAT, [1], [8.0]),
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
    shipped = {name: ShippedView(type(view).__name__, view.state(), assets[name]) for name, view in fitted.items()}
    contract = Contract("count <script>alert(1)</script>", task, MODALITIES, shipped, inputs)
    (folder / "contract.json").write_text(json.dumps(contract.to_json()))
    write_checksums(folder)
    return folder


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("serve") / "artifact", classes=False)


@pytest.fixture(scope="module")
def client(artifact):
    return TestClient(create_app(artifact))


@pytest.fixture(scope="module")
def chooser(tmp_path_factory):
    return TestClient(create_app(write_artifact(tmp_path_factory.mktemp("chooser") / "artifact", classes=True)))


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


def test_health_and_contract(client):
    assert client.get("/health").json()["status"] == "ok"
    contract = Contract.from_json(client.get("/contract").json())
    assert contract.modalities == MODALITIES
    assert client.get("/docs").status_code == 404


def test_every_kind_and_any_subset(client):
    rows = [
        WHOLE,
        {"said": "hello"},
        {"a": 1, "b": None, "picture": png()},
        {"said": None},
        {"list": [1.0, 2.0, 3.0], "extra": {"x": 1}},
    ]
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 200, answer.text
    assert [row["prediction"] for row in answer.json()["predictions"]] == [8, 1, 2, None, 1]
    assert answer.json()["answered"] == 4
    assert answer.json()["modalities"] == list(MODALITIES)
    assert client.post("/predict", json=[{"said": "x"}]).json()["modalities"] == ["said"]


def test_classes_come_with_probabilities(chooser):
    answer = chooser.post("/predict", json=[WHOLE, {"said": "x"}, {"said": "  "}]).json()["predictions"]
    assert answer == [
        {"prediction": "<b>yes", "probability_no": 0.0, "probability_<b>yes": 1.0},
        {"prediction": "no", "probability_no": 0.875, "probability_<b>yes": 0.125},
        {"prediction": None, "probability_no": None, "probability_<b>yes": None},
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"a": 1}], "row 1: modality 'few' needs the missing column b; the table has: a"),
        ([{"said": "x"}, {"steps": [[1, 2]], "m1": 3}], "row 2: modality 'many' needs the missing columns m0, m2"),
        ([{"typo": 1}], "row 1: modality 'few' needs the missing columns a, b"),
        ([{}], "needs the missing column"),
        ([{"list": [1, 2]}], "column 'list', row 1"),
        ([{"list": "/etc/secret.npy"}], "column 'list', row 1: text given"),
        ([{"steps": "/etc/secret.npy"}], "column 'steps', row 1: text given"),
        ([{"a": 1, "b": "../x.npy"}], "column 'b', row 1: text given"),
        ([{"said": [5]}], "column 'said' holds list<item: int64>; expected text"),
        ([{"said": "x"}, {"said": 5}], "column 'said'"),
        ([{"picture": "/etc/passwd"}], "column 'picture', row 1: expected a file's bytes in base64"),
        ([{"picture": encoded(b"nothing")}], "column 'picture', row 1"),
        ([{"sound": encoded(b"nothing")}], "column 'sound', row 1"),
        ([{"age": 2**70, "<i>town": "x"}], "column 'age'"),
        ([{"a": [1], "b": [2]}], "column 'a'"),
        ([], "0 rows given; 1 to 1000 are allowed"),
        ([{"said": "x"}] * 1001, "1001 rows given"),
        ({"said": "x"}, "expected a JSON list of objects"),
        ([1], "expected a JSON list of objects"),
    ],
)
def test_what_cannot_be_used_is_422_with_the_reason(client, rows, said):
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert "/tmp" not in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b'[{"a": NaN, "b": 1}]', b"\xff\xfe", b"[" * 100_000, b'[{"said": "\\ud800"}]'])
def test_broken_json_is_422(client, body):
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_only_json_is_taken(client):
    answer = client.post("/predict", content=b"[]", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_large_body_is_cut_off(client, monkeypatch):
    monkeypatch.setattr(service, "LARGEST_BODY", 2**20)
    sent = []

    def endless():
        for _ in range(50):
            sent.append(1)
            yield b" " * 2**18

    answer = client.post("/predict", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.json()["detail"]


class Form(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.boxes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "label":
            self.boxes.append((dict(attrs)["data-how"], json.loads(dict(attrs)["data-columns"])))


def test_boxes_of_choices_and_regions():
    boxes = fields(Modality("choices", width=3), ("said",)) + fields(Modality("choices", width=2), ("a", "b"))
    form = Form("".join(boxes + fields(Modality("regions", width=5), ("seen",))))
    assert form.boxes == [("lines", ["said"]), ("text", ["a"]), ("text", ["b"]), ("steps", ["seen"])]


def test_the_page_is_one_form_of_the_contract(client, chooser):
    answer = client.get("/")
    form = Form(answer.text)
    assert form.boxes == [
        ("number", ["a"]),
        ("number", ["b"]),
        ("spread", [f"m{i}" for i in range(20)]),
        ("numbers", ["list"]),
        ("number", ["age"]),
        ("text", ["<i>town"]),
        ("steps", ["steps"]),
        ("text", ["said"]),
        ("file", ["picture"]),
        ("file", ["sound"]),
    ]
    assert form.tags.count("script") == 1
    assert "i" not in form.tags
    assert "a number in pieces" in answer.text
    assert "one of 2 classes" in chooser.get("/").text
    assert "://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


CODE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from understudy.serve import serve
serve(sys.argv[1], port=int(sys.argv[2]))
"""


def test_on_a_real_port_without_torch(artifact):
    server = subprocess.Popen([sys.executable, "-c", CODE, str(artifact), "0"], stderr=subprocess.PIPE, text=True)
    try:
        said = server.stderr.readline()
        assert said.startswith(f"serving {artifact} on http://127.0.0.1:")
        where = said.split()[3].rstrip(";")
        with urllib.request.urlopen(f"{where}/health", timeout=30) as answer:
            assert json.load(answer)["status"] == "ok"
        body = json.dumps([{"said": "hello"}]).encode()
        request = urllib.request.Request(f"{where}/predict", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["predictions"] == [{"prediction": 1.0}]
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.wait()


def test_an_address_that_cannot_be_listened_on(artifact):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"cannot listen on 127.0.0.1, port {port}: .*give another --port"):
            service.serve(artifact, port=port)
    for host, port in (("127.0.0.1", 70_000), ("no such host", 0)):
        with pytest.raises(ValueError, match=f"cannot listen on {host}, port {port}"):
            service.serve(artifact, host=host, port=port)
