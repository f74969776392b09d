"""The contract's round trip, and the seal that a changed, missing or extra file breaks."""

import json
import shutil

import pytest

from understudy.artifact.contract import Contract, GraphInput, ShippedView, read_contract, verify, write_checksums
from understudy.artifact.predict import Artifact
from understudy.prepare.cells import Modality

CONTRACT = Contract(
    name="näme",
    task={"kind": "classification", "classes": ["a", "b"]},
    modalities={"x": Modality("table", columns={"age": "number"}, source=("age",)), "y": Modality("audio", rate=8000)},
    views={"x": ShippedView("Table", {"deep": [1, [2.5, None]]}), "y": ShippedView("LogMel", {}, {"a.json": "y-a.json"})},
    inputs=(GraphInput("x.numbers", "float32", ("batch", 1)), GraphInput("y.mask", "bool", ("batch", "y.steps"))),
    versions={"torch": "2"},
)


@pytest.fixture
def copied(reader, tmp_path):
    return shutil.copytree(reader.artifact, tmp_path / "copy")


def test_a_contract_comes_back_from_json():
    assert Contract.from_json(json.loads(json.dumps(CONTRACT.to_json()))) == CONTRACT
    assert CONTRACT.classes == ("a", "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "this understudy reads format 1: a newer understudy wrote it: update this one"),
        ({"format": "1"}, "this understudy reads format 1: export it again"),
        ({"inputs": [{"name": "x"}]}, r"contract\.json cannot be read: inputs\[0\] lacks 'dtype'"),
        ({"views": {"x": {"state": {}}}}, r"views\.x lacks 'view'"),
        ({"unknown": 1}, "unknown is not known here"),
        ({"versions": {"numpy": 2}}, r"versions\.numpy is 2; expected text"),
        ({"modalities": {"x": {"kind": "smell"}}}, "unknown modality kind"),
        ({"views": {"y": {"view": "Text", "state": {}, "assets": {"a": "../a"}}}}, "outside"),
    ],
)
def test_another_document_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Contract.from_json(CONTRACT.to_json() | change)


def test_an_exported_folder_is_sealed(reader):
    verify(reader.artifact)
    assert read_contract(reader.artifact).name == "reader"


def test_every_changed_byte_is_found(copied):
    for path in sorted(copied.iterdir()):
        before = path.read_bytes()
        path.write_bytes(before[:-2] + bytes([before[-2] ^ 1]) + before[-1:])
        with pytest.raises(ValueError, match=r"changed after export|damaged|lacks|unlisted|not a plain file"):
            Artifact(copied)
        path.write_bytes(before)
    Artifact(copied)


@pytest.mark.parametrize(
    "name", ["student.onnx", "contract.json", "card.md", "parity.json", "said-tokenizer.json", "checksums.json"]
)
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(ValueError, match=name):
        Artifact(copied)


def test_an_extra_file_folder_or_link_is_refused(copied, tmp_path):
    (copied / "extra.txt").write_text("")
    with pytest.raises(ValueError, match=r"unlisted file: extra\.txt"):
        verify(copied)
    (copied / "extra.txt").unlink()
    (copied / "card.md").rename(tmp_path / "card.md")
    (copied / "card.md").symlink_to(tmp_path / "card.md")
    with pytest.raises(ValueError, match="not a plain file"):
        verify(copied)


def test_no_folder_and_no_artifact(tmp_path):
    with pytest.raises(FileNotFoundError, match="no artifact at"):
        Artifact(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no checksums\.json"):
        Artifact(tmp_path)


def test_a_damaged_graph_under_a_new_seal_is_one_clear_error(copied):
    (copied / "student.onnx").write_bytes(b"no graph")
    write_checksums(copied)
    with pytest.raises(ValueError, match=r"student\.onnx"):
        Artifact(copied)
