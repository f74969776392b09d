"""Checkpoints and weights: whole or not at all, exact, and refused when they belong to another run."""

import errno
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from understudy.process import whole
from understudy.training import checkpoint

FILES = ("checksums.json", "state.json", "tensors.safetensors")
STATE = {"identity": {"seed": 1}, "place": {"loss": 0.1 + 0.2, "tiny": 5e-324}}


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_every_kind_of_tensor_and_float_comes_back_bit_for_bit(tmp_path: Path):
    kept = torch.randn(4, 3)
    tensors = {
        "float": kept,
        "tied": kept,
        "turned": kept.t(),
        "part": kept[1:],
        "half": torch.randn(3).bfloat16(),
        "bits": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 2),
    }
    checkpoint.save(tmp_path, "000001", state=STATE, tensors=tensors)
    found = checkpoint.load(tmp_path, identity={"seed": 1})
    assert found is not None
    state, back = found
    assert state == STATE
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)


def test_the_newest_stands_alone_and_can_be_removed(tmp_path: Path):
    for name in ("000001-00000002", "000001-00000010"):
        checkpoint.save(tmp_path, name, state=STATE | {"name": name}, tensors={"x": torch.zeros(1)})
    assert names(tmp_path / "checkpoint") == {f"000001-00000010/{file}" for file in FILES}
    checkpoint.remove(tmp_path)
    checkpoint.remove(tmp_path)
    assert checkpoint.load(tmp_path, identity={}) is None
    assert names(tmp_path) == set()


def test_what_a_kill_leaves_behind_is_passed_over(tmp_path: Path):
    checkpoint.save(tmp_path, "000002", state=STATE, tensors={"x": torch.ones(1)})
    for rest in (".000003.partial-0a1b2c3d", "000001"):
        (tmp_path / "checkpoint" / rest).mkdir()
        (tmp_path / "checkpoint" / rest / "state.json").write_text("{")
    found = checkpoint.load(tmp_path, identity={"seed": 1})
    assert found
    assert found[1]["x"] == 1
    checkpoint.save(tmp_path, "000003", state=STATE, tensors={"x": torch.ones(1)})
    assert {name.split("/")[0] for name in names(tmp_path / "checkpoint")} == {"000003"}


@pytest.mark.parametrize(
    ("then", "now"), [({"seed": 1}, {"seed": 2}), ({"seed": 1, "w": "3"}, {"seed": 1}), ({}, {"seed": None, "w": 1})]
)
def test_another_run_is_refused_by_name(tmp_path: Path, then: dict, now: dict):
    checkpoint.save(tmp_path, "000001", state={"identity": then}, tensors={})
    with pytest.raises(ValueError, match=r"checkpoint of another run: its (seed|w) was .*, now it is .*remove"):
        checkpoint.load(tmp_path, identity=now)


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


@pytest.mark.parametrize("file", ["state.json", "tensors.safetensors"])
@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"\x80\x04}." + raw, lambda raw: b"", flipped])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, file: str, damage):
    checkpoint.save(tmp_path, "000001", state=STATE, tensors={"x": torch.randn(50)})
    path = tmp_path / "checkpoint" / "000001" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"cannot be read .* to train from the start"):
        checkpoint.load(tmp_path, identity={"seed": 1})


@pytest.mark.parametrize("call", range(1, 16))
def test_a_full_disk_leaves_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int):
    checkpoint.save(tmp_path, "000001", state=STATE, tensors={"x": torch.zeros(1)})
    left, sync = [call], whole.sync

    def full(path: Path) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    monkeypatch.setattr(whole, "sync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, "000002", state=STATE, tensors={"x": torch.ones(1)})
    found = checkpoint.load(tmp_path, identity={"seed": 1})
    assert found
    assert len(list((tmp_path / "checkpoint").iterdir())) == (1 if call < 15 else 2)
    assert found[1]["x"] == (0 if call < 15 else 1)


def test_a_full_disk_under_safetensors_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    model = nn.Linear(2, 2)
    checkpoint.save_weights(model, tmp_path / "model.safetensors")
    before = (tmp_path / "model.safetensors").read_bytes()
    monkeypatch.setattr(checkpoint, "save_file", full)
    monkeypatch.setattr(checkpoint, "save_model", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, "000001", state=STATE, tensors={})
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_weights(model, tmp_path / "model.safetensors")
    assert names(tmp_path) == {"model.safetensors", "checksums.json"}
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_weights_with_tied_parameters_come_back(tmp_path: Path):
    def tied() -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        model[1].weight = model[0].weight
        return model

    one, two = tied(), tied()
    checkpoint.save_weights(one, tmp_path / "deep" / "model.safetensors")
    checkpoint.load_weights(two, tmp_path / "deep" / "model.safetensors")
    assert two[1].weight is two[0].weight
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value)


def test_weights_of_another_model_are_refused(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match="no weights at"):
        checkpoint.load_weights(nn.Linear(2, 2), path)
    checkpoint.save_weights(nn.Linear(2, 2), path)
    for other in (nn.Linear(2, 3), nn.Linear(2, 2, bias=False), nn.Sequential(nn.Linear(2, 2))):
        with pytest.raises(ValueError, match="does not hold the weights of this model"):
            checkpoint.load_weights(other, path)


def test_weights_that_were_changed_or_are_another_model_s_are_refused(tmp_path: Path):
    one, two = tmp_path / "plain/seed-0/model.safetensors", tmp_path / "distilled/seed-0/model.safetensors"
    models = {path: nn.Linear(2, 2) for path in (one, two)}
    for path, model in models.items():
        checkpoint.save_weights(model, path)
    kept = two.read_bytes()
    for content in (one.read_bytes(), flipped(kept), kept[:40]):
        two.write_bytes(content)
        with pytest.raises(ValueError, match=r"distilled/seed-0/model.safetensors is not the file that was written here"):
            checkpoint.load_weights(nn.Linear(2, 2), two)
    two.write_bytes(kept[:40])
    (two.parent / "checksums.json").unlink()
    with pytest.raises(ValueError, match="does not hold"):
        checkpoint.load_weights(nn.Linear(2, 2), two)
    two.write_bytes(kept)
    checkpoint.load_weights(nn.Linear(2, 2), two)


def test_random_states_come_back_through_json():
    def draw() -> list[float]:
        return [float(torch.rand(())), float(np.random.randn()), random.gauss(0, 1), float(torch.randn(1))]

    draw()  # Leaves half of a pair of normal numbers in NumPy's and Python's generators.
    state = json.loads(json.dumps(checkpoint.random_state()))
    first = [draw() for _ in range(3)]
    checkpoint.set_random_state(state)
    assert [draw() for _ in range(3)] == first


def test_text_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole.write_text(tmp_path / "a.json", "old")
    monkeypatch.setattr(whole, "sync", lambda path: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        whole.write_text(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "old"
    assert names(tmp_path) == {"a.json"}
