"""Side by side: the engine that plays the stages of a run in several processes, which share nothing but the run's folder."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType

from understudy.process import hardware
from understudy.process.crew import died, how
from understudy.process.lock import Lock
from understudy.process.progress import say
from understudy.study.estimate import Estimate
from understudy.study.stage import Stage, Stages

GRACE = 60.0
"""Seconds for a training that is asked to end to write its checkpoint."""


class Worker:
    """A process that plays one stage at a time, see `worker.py`; of its own group, so that Ctrl-C is for its parent alone."""

    def __init__(self, folder: Path, number: int, *, threads: int, lock: Lock) -> None:
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "understudy.study.worker", str(folder), str(threads), str(lock.handle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | counts | hardware.one_device(number) | {"PYTHONPATH": path},
            pass_fds=[lock.handle],
            process_group=0,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.asks, self.answers = self.process.stdin, self.process.stdout
        self.stage: Stage | None = None

    def play(self, stage: Stage) -> None:
        self.stage = stage
        # A process that died is found out when its answer is waited for.
        with suppress(BrokenPipeError):
            print(json.dumps(asdict(stage)), file=self.asks, flush=True)

    def answer(self) -> tuple[Stage, float]:
        """The stage that it was asked for and its seconds; ValueError and OSError as the stage raised them, or since it died."""
        assert self.stage
        stage, line, self.stage = self.stage, self.answers.readline(), None
        if not line:
            raise died(str(stage), how(self.process.wait()))
        said = json.loads(line)
        if "error" in said:
            raise {"ValueError": ValueError, "OSError": OSError}.get(said["error"], RuntimeError)(said["said"])
        return stage, said["seconds"]

    def stop(self) -> None:
        """Let it go. What it trains, and was asked to end, it saves first, if there is time."""
        if self.stage:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self.asks.close()
        self.answers.close()


class SideBySide:
    """At most `jobs` stages at once, each in a process of `threads` threads. The first that fails stops the others."""

    def __init__(self, stages: Stages, estimate: Estimate, *, jobs: int, threads: int, lock: Lock) -> None:
        self.stages, self.estimate, self.jobs, self.threads, self.lock = stages, estimate, jobs, threads, lock
        self.waiting: list[Stage] = []
        self.workers: list[Worker] = []

    def __enter__(self) -> "SideBySide":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self.workers:
            if worker.stage:
                worker.process.terminate()
        for worker in self.workers:
            worker.stop()

    def begin(self, stages: Sequence[Stage]) -> None:
        self.waiting += self.stages.to_train(stages, skip=self.estimate.skip)
        self.hand_out()

    def finish(self, stages: Sequence[Stage]) -> None:
        wanted = set(stages)
        while wanted & {*self.waiting, *(worker.stage for worker in self.workers)}:
            busy = {worker.answers.fileno(): worker for worker in self.workers if worker.stage}
            ready = wait([*busy])
            for worker in [busy[handle] for handle in busy if handle in ready]:
                stage, seconds = worker.answer()
                say(f"{stage}: {self.estimate.after(stage.system, seconds)}")
            self.hand_out()

    def hand_out(self) -> None:
        """To each process that has nothing to do a stage that waits; of processes there are only as many as have had one."""
        while self.waiting:
            idle = next((worker for worker in self.workers if not worker.stage), None)
            if idle is None and len(self.workers) == self.jobs:
                return
            if idle is None:
                idle = Worker(self.stages.run.folder, len(self.workers), threads=self.threads, lock=self.lock)
                self.workers.append(idle)
            idle.play(self.waiting.pop(0))
