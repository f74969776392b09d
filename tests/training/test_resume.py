"""Killed at any moment and started again, a fit ends bit-identical. Run as a script, this file is the program that is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from toy import NUMBER, toy_loader, toy_model
from understudy.batches.batch import Batch
from understudy.methods.method import Group, Method, Terms
from understudy.objectives import Supervised
from understudy.objectives.objective import Term
from understudy.process import whole
from understudy.training import checkpoint
from understudy.training.fit import Plan, Scores, fit

PLAN = Plan(epochs=4, rate=1e-2, accumulate=2, patience=3, clip=0.5)


class Everything(Method):
    """A critic with its own optimiser, a bank, an EMA and noise from every global generator."""

    bank: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.student, self.critic = toy_model(NUMBER, "x", "y"), toy_model(NUMBER, "x", seed=1)
        self.average = toy_model(NUMBER, "x", "y").requires_grad_(False)
        self.supervised = Supervised(NUMBER)
        self.register_buffer("bank", torch.zeros(3))

    def parts(self) -> tuple[str, ...]:
        return ("critic", "main")

    def groups(self) -> list[Group]:
        critic, student = list(self.critic.parameters()), list(self.student.parameters())
        return [Group("critic", critic, part="critic"), Group("student", student)]

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        noise = float(np.random.rand()) + random.random() + float(torch.rand(()))
        answer = self.play("student" if part == "main" else "critic", batch)
        pull = Term(answer.need("logits").square().sum() * noise, torch.tensor(float(len(batch))))
        return {"supervised": self.supervised(batch, answer), "noise": pull}

    def after_step(self) -> None:
        self.bank += torch.rand(3)
        for mine, theirs in zip(self.average.parameters(), self.student.parameters(), strict=True):
            mine.lerp_(theirs, 0.1)


def train(out: Path) -> None:
    method = Everything()

    def validate() -> Scores:
        size = sum(float(p.detach().abs().sum()) for p in method.student.parameters())
        score = size + float(torch.rand(())) + float(np.random.rand())
        return Scores(score, True, {"size": score})

    settings = {"plan": PLAN, "seed": 3, "validate": validate, "accelerator": Accelerator(cpu=True)}
    history = fit(method, toy_loader(NUMBER, batches=7), out=out, save_every=0.0, **settings)
    assert history.selection == "best"
    checkpoint.save_weights(method, out / "model.safetensors")


def kill_after(out: Path, seconds: float) -> bool:
    """Whether a child that trains in `out` had to be killed."""
    child = os.fork()
    if not child:
        train(out)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def kill_at_sync(out: Path, calls: int) -> None:
    """A child that kills itself when it has asked `calls` times for something to be on disk: a moment inside a checkpoint."""
    child = os.fork()
    if not child:
        sync, left = whole.sync, [calls]

        def count(path: Path) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            sync(path)

        whole.sync = count
        train(out)
        os._exit(0)
    os.waitpid(child, 0)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    torch.optim.AdamW([nn.Parameter(torch.zeros(1))])  # Imports a second's worth of PyTorch once, here instead of in each child.
    draw = random.Random(0)
    if os.fork() == 0:
        train(folder / "whole")
        os._exit(0)
    began = time.monotonic()
    os.wait()
    took = time.monotonic() - began
    kills = sum(kill_after(folder / "killed", draw.uniform(0, took / 4)) for _ in range(6))
    for calls in range(3, 10):
        kill_at_sync(folder / "torn", calls)
    for name in ("killed", "torn"):
        train(folder / name)
    print(kills)


def log_of(out: Path) -> list[dict]:
    return [{**json.loads(line), "seconds": 0} for line in (out / "log.jsonl").read_text().splitlines()]


def state_of(out: Path) -> dict:
    state = json.loads(next((out / "checkpoint").glob("*/state.json")).read_text())
    return {**state, "place": {**state["place"], "log": [{**line, "seconds": 0} for line in state["place"]["log"]]}}


def test_a_killed_run_ends_bit_identical(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "training.test_resume", str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
    unbroken = tmp_path / "whole"
    for name in ("killed", "torn"):
        assert (tmp_path / name / "model.safetensors").read_bytes() == (unbroken / "model.safetensors").read_bytes()
        assert log_of(tmp_path / name) == log_of(unbroken)
        assert state_of(tmp_path / name) == state_of(unbroken)
        assert [p.name for p in (tmp_path / name / "checkpoint").iterdir()] == [
            p.name for p in (unbroken / "checkpoint").iterdir()
        ]
    assert len(log_of(unbroken)) >= 2


if __name__ == "__main__":
    main(Path(sys.argv[1]))
