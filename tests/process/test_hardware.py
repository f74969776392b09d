"""Where models train and answer: by name, with a precision, and never where there is no such device."""

import os

import pytest
import torch
from accelerate import PartialState

import understudy as us
from study.small import PLAN, SIZES, make_corpus
from understudy.cli import main
from understudy.process import hardware

ASKED = {"student": ["weak"], "split": "main", "plan": PLAN, "sizes": SIZES, "seeds": 1, "report": False}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> us.Corpus:
    return make_corpus(tmp_path_factory.mktemp("data") / "corpus")


def test_a_device_and_threads_are_chosen_for_a_while():
    usual, threads = os.environ.get(hardware.CPU), torch.get_num_threads()
    with hardware.on("cpu", threads=2):
        assert hardware.device() == torch.device("cpu")
        assert PartialState().device == torch.device("cpu")
        assert torch.get_num_threads() == 2
        assert hardware.cuda() == []
    assert os.environ.get(hardware.CPU) == usual
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "gpu"}, "device is 'gpu'; choose cpu, cuda, cuda:N or mps"),
        ({"name": "cuda:x"}, "device is 'cuda:x'; choose"),
        ({"name": "cuda:64"}, "device is 'cuda:64', which this machine has not; it has cpu"),
        ({"threads": -1}, "threads is -1; give how many"),
    ],
)
def test_what_there_is_not_is_refused(asked, said):
    with pytest.raises(ValueError, match=said), hardware.on(**asked):
        pass


@pytest.mark.parametrize("command", ["distill", "evaluate", "search", "information", "store"])
def test_a_device_that_is_not_here_is_one_sentence(corpus, tmp_path, capsys, monkeypatch, command):
    monkeypatch.setattr("understudy.study.run.load", lambda *_, **__: None)
    rest = {"distill": ["--student", "weak", "--split", "main"], "store": []}.get(command, [])
    out = ["--out", str(tmp_path / "run")] if command in ("distill", "store") else []
    assert main([command, str(corpus.folder), *rest, *out, "--device", "cuda:64"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("understudy: device is 'cuda:64', which this machine has not; it has cpu")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_sixteen_bits_train_otherwise_and_are_part_of_the_run(corpus, tmp_path):
    usual = us.distill(corpus, out=tmp_path / "usual", **ASKED)
    half = us.distill(corpus, out=tmp_path / "half", precision="bf16", **ASKED)
    again = us.distill(corpus, out=tmp_path / "again", device="cpu", threads=1, **ASKED)
    assert half.settings["arguments"]["precision"] == "bf16"
    assert "precision" not in usual.settings["arguments"]
    weights = [run.model(seed=0).state_dict() for run in (usual, half, again)]
    assert all(value.dtype != torch.bfloat16 for value in weights[1].values())
    assert all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    with pytest.raises(ValueError, match=r"another run.*differs in precision"):
        us.distill(corpus, out=half.folder, **ASKED)


def test_a_precision_that_the_device_has_not(corpus, tmp_path):
    with pytest.raises(ValueError, match="precision is fp16, which needs a GPU, and this is cpu; choose bf16 or fp32"):
        us.distill(corpus, out=tmp_path / "run", precision="fp16", device="cpu", **ASKED)
    assert not (tmp_path / "run").exists()
