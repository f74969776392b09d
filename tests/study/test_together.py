"""One training over two processes: two gloo processes leave what one leaves, and what cannot be done is said once."""

import multiprocessing
import os
import re
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file

import understudy as us
from study.small import make_corpus
from understudy import cli
from understudy.process.hardware import jobs_of, on
from understudy.training.plan import Plan

# Dropout draws anew in every process, so it is off here.
ASKED = {
    "student": ["weak"],
    "split": "main",
    "plan": Plan(epochs=3, batch_size=33, rate=5e-3),
    "sizes": {"width": 16, "dropout": 0.0},
    "seeds": 1,
    "report": False,
}


def together(folder: Path) -> dict[str, object]:
    """What one of the processes is told: by two commands that cannot be carried out, and by a run."""
    said = StringIO()
    with redirect_stderr(said):
        usual = ["distill", str(folder / "corpus"), "--split", "main", "--out", str(folder / "none")]
        codes = [ended(*usual, "--student", "nobody"), ended(*usual, "--student", "weak", "--jobs", "2")]
    run = us.distill(folder / "corpus", out=folder / "run", **ASKED)
    return {"said": said.getvalue(), "codes": codes, "system": run.model("plain", seed=0).state_dict()}


def ended(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as end:
        return int(str(end.code))


def process(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo"}
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    torch.save(together(folder), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What one process left in `alone`, and two in `run`."""
    made = tmp_path_factory.mktemp("together")
    us.distill(make_corpus(made / "corpus"), out=made / "alone", **ASKED)
    multiprocessing.set_forkserver_preload(["torch._dynamo", "understudy.study.distill"])
    mp.start_processes(process, args=(made,), nprocs=2, start_method="forkserver")
    return made


@pytest.fixture(scope="module")
def told(folder) -> list[dict]:
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_two_processes_leave_what_one_leaves(folder):
    def files(name: str) -> list[str]:
        return sorted(str(path.relative_to(folder / name)) for path in (folder / name).rglob("*"))

    assert files("run") == files("alone")
    assert (folder / "run" / "run.json").read_bytes() == (folder / "alone" / "run.json").read_bytes()
    for system in ("teacher", "plain", "distilled"):
        one, two = (load_file(folder / name / system / "seed-0" / "model.safetensors") for name in ("alone", "run"))
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=0, atol=1e-6)


def test_both_come_back_with_the_run(told):
    torch.testing.assert_close(told[0]["system"], told[1]["system"], rtol=0, atol=0)


def test_the_first_says_what_cannot_be_done_in_one_sentence_and_nothing_is_written(folder, told):
    assert told[1]["said"] == ""
    stranger, jobs = told[0]["said"].splitlines()
    assert "nobody" in stranger
    assert re.fullmatch(r"understudy: jobs is 2, but this is one of 2 processes launched together, .* accelerate launch", jobs)
    assert told[0]["codes"] == [2, 2]
    assert not (folder / "none").exists()


@pytest.mark.parametrize(("asked", "found"), [(1, 1), ("auto", 1), ("devices", 1)])
def test_processes_launched_together_train_one_model_at_a_time(monkeypatch, asked, found):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert jobs_of(asked) == found


def test_each_takes_a_device_of_its_own(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match="device is 'cpu', but of processes launched together each takes its own"), on("cpu"):
        pass
