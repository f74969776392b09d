"""Crew: a job divided among processes of this machine, or workers of a Ray cluster, each with its share of it. No torch."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeVar, get_args

from understudy.process.cores import cores
from understudy.process.launched import several
from understudy.process.share import Share

T = TypeVar("T")
Work = Callable[[Share], T]
"""What each worker does with its share; it travels by pickle. What is wrong with the input is a ValueError or an OSError."""
EngineName = Literal["local", "ray"]
LOOK = 1.0
"""Seconds between two looks at what the workers have done."""


@dataclass(frozen=True)
class Crew:
    """jobs: workers, each of `threads` cores (0: an equal part of this machine's). engine: "local" or "ray".

    On a cluster the workers are wherever Ray has so many cores free, and share this machine's folders under the same paths.
    """

    jobs: int = 1
    engine: EngineName = "local"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"jobs={self.jobs} given; expected 1 worker or more")
        check_engine(self.engine)

    @property
    def single(self) -> bool:
        """Whether this process does all of it by itself."""
        return self.jobs == 1 and self.engine == "local"

    @property
    def cores(self) -> int:
        """Of each worker."""
        return self.threads or max(1, cores() // self.jobs)

    def divide(
        self,
        work: Work[T],
        share: Share,
        *,
        look: Callable[[], object] = lambda: None,
        gpus: int = 0,
        device: Callable[[int], Mapping[str, str]] = lambda number: {},
    ) -> list[T]:
        """What each worker answers to its part of the share. The first that fails ends the others, and its error is raised.

        look: called every second. gpus: of each worker, where Ray hands them out. device: where processes of this machine share
        its GPUs, what the environment of each says of its own. ChildProcessError where a worker died.
        """
        parts = [share.part(index, self.jobs) for index in range(self.jobs)]
        if self.engine == "ray":
            from understudy.process.on_ray import by_ray

            return by_ray(work, parts, threads=self.cores, gpus=gpus, look=look)
        from understudy.process.processes import by_processes

        return by_processes(work, parts, threads=self.cores, device=device, look=look)


def check_engine(engine: str) -> None:
    """ValueError for one that there is not, or that cannot be used here; ImportError where Ray is not installed."""
    if engine not in get_args(EngineName):
        raise ValueError(f"engine is {engine!r}; choose local or ray")
    if engine == "ray" and several():
        raise ValueError(f"engine is 'ray', but this is one of {several()} processes launched together; start it without that")
    if engine == "ray" and find_spec("ray") is None:
        raise ImportError("engine is 'ray', and Ray is not installed: pip install 'understudy[ray]'")


ALONE = Crew()


def died(who: str, how: str) -> ChildProcessError:
    """What is said of a worker that ended without an answer."""
    return ChildProcessError(f"{who}: its process died ({how}); what is finished is kept, and the same call goes on from there")


def how(code: int | None) -> str:
    """What a return code says of an end."""
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}, so perhaps out of memory" if -code == signal.SIGKILL else name
