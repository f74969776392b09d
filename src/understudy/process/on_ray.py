"""Workers of a Ray cluster, the one that is there or else a local one, each with its share of a job.

They share folders with whoever asked, and nothing but the share and a small answer goes through Ray: what they write is ours.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import ray  # pyright: ignore[reportMissingImports]
from ray.exceptions import RayError, RayTaskError  # pyright: ignore[reportMissingImports]

from understudy.process.crew import LOOK, died
from understudy.process.share import Share

T = TypeVar("T")


@contextmanager
def joined(cores: int) -> Iterator[None]:
    """Inside there is the cluster that this process or this machine is in, else one of its own with so many cores.

    Nobody else finds that one: whoever took it for one that stays would end with it, as would the same command after a kill.
    """
    if ray.is_initialized():
        yield
        return
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    told = {"log_to_driver": False, "logging_level": "error", "runtime_env": {"env_vars": {"PYTHONPATH": path}}}
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        try:
            ray.init(address="auto", **told)
        except ConnectionError:
            ray.init(num_cpus=cores, include_dashboard=False, _temp_dir=folder, **told)
        try:
            yield
        finally:
            ray.shutdown()


def answer_of(task: Any, who: str) -> Any:
    """What a task says; what it raised, as in one process; ChildProcessError where it died."""
    try:
        return ray.get(task)
    except RayTaskError as error:
        if isinstance(error.cause, ValueError | LookupError | OSError):
            raise error.cause from None
        raise RuntimeError(f"{who}: {type(error.cause).__name__}: {error.cause}") from None
    except RayError as error:
        raise died(who, str(error).splitlines()[0]) from None


def by_ray(work: Callable[[Share], T], parts: list[Share], *, threads: int, gpus: int, look: Callable[[], object]) -> list[T]:
    """Each part a task of so many cores and GPUs, begun once they are free; the first that fails ends the others."""
    task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(work_of)
    with joined(len(parts) * threads):
        asked = [task.remote(work, part) for part in parts]
        found: dict[Any, T] = {}
        try:
            while len(found) < len(asked):
                done, _ = ray.wait([each for each in asked if each not in found], timeout=LOOK)
                for each in done:
                    found[each] = answer_of(each, f"worker {asked.index(each) + 1} of {len(parts)}")
                look()
            return [found[each] for each in asked]
        finally:
            stop([each for each in asked if each not in found])


def stop(tasks: Sequence[Any]) -> None:
    """End those that still run; those that are done are left alone (Ray 2.60.0 would not bear more)."""
    if tasks:
        _, running = ray.wait(list(tasks), num_returns=len(tasks), timeout=0)
        for each in running:
            ray.cancel(each, force=True)


def work_of(work: Callable[[Share], T], part: Share) -> T:
    """The task."""
    return work(part)
