"""Any ONNX file as a frozen encoder: what its view prepares, what it keeps on disk, and what is refused."""

import json
import pickle
from typing import Any

import numpy as np
import pytest

from made_encoders import make_onnx
from understudy.cli import main
from understudy.corpus import Schema, make_split, write_corpus
from understudy.prepare.catalogue import restore
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.graph_file import graphed
from understudy.prepare.kept import Kept, digest
from understudy.tasks import Regression

PICTURES = Modality("image")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_onnx(tmp_path_factory.mktemp("onnx") / "made.onnx")


def cells(rows: int = 5) -> Cells:
    draw = np.random.default_rng(0)
    here = np.arange(rows) != 2
    return Cells("image", [draw.integers(0, 256, (12, 12, 3), np.uint8) if each else None for each in here], here)


def test_vectors_are_the_graphs(made):
    import onnxruntime

    view, given = graphed(f"onnx:{made}", PICTURES), cells()
    fields = view.prepare(given)
    pixels = np.stack([given.values[row] for row in (0, 1, 3, 4)]).astype(np.float32).transpose(0, 3, 1, 2)
    session: Any = onnxruntime.InferenceSession(made)
    vector, tokens = session.run(["embedding", "patches"], {"image": (pixels - 127) / 128})
    np.testing.assert_allclose(fields["vector"][given.present], vector, atol=1e-5)
    np.testing.assert_allclose(fields["tokens"][given.present], tokens, atol=1e-5)
    assert not fields["vector"][2].any()
    back = restore("GraphedPictures", json.loads(json.dumps(view.state())), view.assets())
    assert back.key == view.key
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(back)).prepare(given)["vector"], fields["vector"])


def test_what_was_said_is_asked_once(made, tmp_path, monkeypatch):
    view, given = graphed(f"onnx:{made}", PICTURES).keeping(tmp_path), cells()
    before = view.prepare(given)
    assert [path.name for path in tmp_path.iterdir()] == [f"{view.key}.sqlite"]
    monkeypatch.setattr(type(view), "session", property(lambda _: pytest.fail("the graph was asked again")))
    for name, values in view.prepare(given).items():
        np.testing.assert_array_equal(values, before[name])


def test_kept_numbers_come_back_by_content(tmp_path):
    kept, key = Kept(tmp_path / "a" / "said.sqlite"), digest(np.arange(3))
    assert kept.get([key]) == {}
    kept.put(key, np.array([1.5, 2.5], np.float32))
    kept.close()
    again = Kept(tmp_path / "a" / "said.sqlite").get([key, digest(np.arange(3.0))])
    assert {k: v.tolist() for k, v in again.items()} == {key: [1.5, 2.5]}
    (tmp_path / "broken").write_text("no database at all, but a text that is long enough to be looked at")
    with pytest.raises(OSError, match="remove it, and it is made anew"):
        Kept(tmp_path / "broken")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "no .*made.json, its description"),
        ({"vector": "embedding"}, "says no size"),
        ({"vector": "no", "size": 12}, "names output 'no', and made.onnx has embedding, patches"),
        ({"vector": "embedding", "size": 12, "scale": [1, 2]}, "one number, or three"),
        ({"vector": "embedding", "size": 12, "scale": 0}, "expected numbers above 0"),
        ({"vector": "embedding", "size": 12, "tokens": "embedding"}, r"expected a vector \[2, D\] and tokens"),
        ({"vector": "embedding", "size": 10}, "the encoder's graph cannot be run"),
        ({"vector": 3}, "vector"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(made, tmp_path, told, said):
    path = tmp_path / "made.onnx"
    path.write_bytes(made.read_bytes())
    if told is not None:
        path.with_suffix(".json").write_text(json.dumps(told))
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        graphed(f"onnx:{path}", PICTURES)


def test_no_graph_and_no_picture_are_refused(made, tmp_path):
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"no graph")
    path.with_suffix(".json").write_text('{"vector": "v", "size": 12}')
    with pytest.raises(ValueError, match=r"cannot run .*noise.onnx"):
        graphed(f"onnx:{path}", PICTURES)
    with pytest.raises(ValueError, match="reads pictures and sound, and the modality is a text"):
        graphed(f"onnx:{made}", Modality("text"))


def graph_of(path, operator: str, outputs: list[str]):
    """A graph of one node that says nothing of use."""
    import onnx

    entry = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, 12, 12])
    made = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    nodes = [onnx.helper.make_node(operator, ["image"], [name]) for name in outputs]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", [entry], made), opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    path.write_bytes(model.SerializeToString())
    path.with_suffix(".json").write_text(json.dumps({"vector": outputs[0], "size": 12}))
    return path


@pytest.mark.parametrize(
    ("operator", "outputs", "said"),
    [
        ("Identity", ["v", "v"], r"cannot run .*odd.onnx: .*v"),
        ("Untold", ["v"], r"cannot run .*odd.onnx: .*Untold"),
    ],
)
def test_two_outputs_of_one_name_and_an_operator_that_is_lacking_are_one_sentence(tmp_path, capsys, operator, outputs, said):
    path, random = graph_of(tmp_path / "odd.onnx", operator, outputs), np.random.default_rng(0)
    corpus = write_corpus(
        tmp_path / "corpus",
        Schema(Regression(), {"image": PICTURES, "sum": Modality("vector", width=1)}),
        ids=[f"r{row}" for row in range(20)],
        targets=np.arange(20.0),
        cells={
            "image": Cells("image", list(random.integers(0, 256, (20, 12, 12, 3), np.uint8)), np.ones(20, dtype=bool)),
            "sum": Cells("vector", np.ones((20, 1), np.float32), np.ones(20, dtype=bool)),
        },
        splits=lambda corpus: [make_split(corpus, name="main")],
    )
    with pytest.raises(ValueError, match=said):
        graphed(f"onnx:{path}", PICTURES)
    asked = [
        "distill",
        str(corpus.folder),
        "--student",
        "image",
        "--encoder",
        f"image=onnx:{path}",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(asked) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "odd.onnx" in told
    assert sorted(each.name for each in tmp_path.iterdir()) == ["corpus", "odd.json", "odd.onnx"]
