"""On Ray: the engine that plays the stages of a run as Ray tasks, on the cluster that is there, else on a local one.

Its machines share the run's folder and the corpus under the same paths, and nothing else: a task is told a folder and a stage.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import ray  # pyright: ignore[reportMissingImports]
import torch

from understudy.process import hardware
from understudy.process.on_ray import answer_of, joined, stop
from understudy.process.progress import say
from understudy.study.estimate import Estimate
from understudy.study.run import load
from understudy.study.stage import Stage, Stages


def play(folder: Path, stage: Stage, threads: int) -> float:
    """The task: seconds of training."""
    torch.set_num_threads(threads)
    return Stages.of(load(folder)).play(stage, quiet=True)


class OnRay:
    """Each stage a task of `threads` cores, and of a GPU where training runs on GPUs. The first that fails stops the others.

    jobs: how many run at once on a local cluster; on one that is there already Ray decides.
    """

    def __init__(self, stages: Stages, estimate: Estimate, *, jobs: int, threads: int) -> None:
        self.stages, self.estimate, self.threads = stages, estimate, threads
        self.asked: dict[Any, Stage] = {}
        self.cluster = joined(jobs * threads)
        gpus = 1 if hardware.device().type == "cuda" else 0
        self.task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(play)

    def __enter__(self) -> "OnRay":
        self.cluster.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        stop([*self.asked])
        self.cluster.__exit__(kind, error, trace)

    def begin(self, stages: Sequence[Stage]) -> None:
        for stage in self.stages.to_train(stages, skip=self.estimate.skip):
            self.asked[self.task.remote(self.stages.run.folder.resolve(), stage, self.threads)] = stage

    def finish(self, stages: Sequence[Stage]) -> None:
        wanted = set(stages)
        while wanted & {*self.asked.values()}:
            (task, *_), _ = ray.wait([*self.asked])
            stage = self.asked.pop(task)
            say(f"{stage}: {self.estimate.after(stage.system, answer_of(task, str(stage)))}")
