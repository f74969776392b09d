"""Stores that workers fill: the answers of one process, however often one of them is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import understudy as us
from study.small import SIZES, make_corpus
from understudy.process.crew import Crew
from understudy.study.evaluation import store_answers
from understudy.study.run import Run
from understudy.teachers.store import Store


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    corpus = make_corpus(folder / "corpus")
    plan = {"epochs": 1}
    return us.distill(corpus, student=["weak"], split="main", plan=plan, sizes=SIZES, seeds=1, out=folder / "run", report=False)


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> Store:
    return store_answers(run, tmp_path_factory.mktemp("whole") / "store", quiet=True)


def same(store: Store, other: Store, run: Run) -> bool:
    ids = run.corpus().ids.tolist()
    return torch.equal(store.answers(ids).logits, other.answers(ids).logits) and store.fingerprint == other.fingerprint  # pyright: ignore


def test_workers_leave_the_answers_of_one(run, whole, tmp_path):
    made = store_answers(run, tmp_path / "store", crew=Crew(2), quiet=True)
    assert same(made, whole, run)
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_a_worker_that_is_killed_is_named_and_the_same_call_goes_on(run, whole, tmp_path):
    command = [sys.executable, "-m", "understudy", "store", str(run.folder), "--out", str(tmp_path / "store"), "--jobs", "2"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    while not (found := children(job.pid)):
        time.sleep(0.01)
    os.kill(found[-1], signal.SIGKILL)
    _, said = job.communicate()
    assert job.returncode == 2
    assert "of 2: its process died (SIGKILL, so perhaps out of memory); what is finished is kept" in said
    assert len(said.splitlines()) == 1
    assert same(store_answers(run, tmp_path / "store", quiet=True), whole, run)
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def children(process: int) -> list[int]:
    """The workers among the processes that one began."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(each) for each in listed if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_workers_that_share_one_gpu_are_refused(run, tmp_path, capsys):
    from understudy.cli import main

    assert main(["store", str(run.folder), "--out", str(tmp_path / "s"), "--jobs", "2", "--device", "cuda:1"]) == 2
    assert "cuda:1" in capsys.readouterr().err
