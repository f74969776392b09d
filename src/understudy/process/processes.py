"""Workers that are processes of this machine, each with its share of a job."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from understudy.process.crew import LOOK, Work, died, how
from understudy.process.share import Share
from understudy.process.stop import terminable

T = TypeVar("T")
GRACE = 30.0
"""Seconds for a worker that is asked to end to write what it has."""


def by_processes(
    work: Work[T],
    parts: list[Share],
    *,
    threads: int,
    device: Callable[[int], Mapping[str, str]],
    look: Callable[[], object],
) -> list[T]:
    """Each part in a process of its own; all end with the first that fails, or with this one."""
    context, workers, found = multiprocessing.get_context("spawn"), dict[Connection, BaseProcess](), dict[Connection, T]()
    try:
        for number, part in enumerate(parts):
            ours, theirs = context.Pipe()
            worker = context.Process(target=play, args=(theirs, work, part), name=f"worker {number + 1} of {len(parts)}")
            counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
            with environment(counts | dict(device(number))):
                worker.start()
            workers[ours] = worker
            theirs.close()
        while len(found) < len(workers):
            for ours in wait([each for each in workers if each not in found], timeout=LOOK):
                assert isinstance(ours, Connection)
                found[ours] = answer_of(ours, workers[ours])
            look()
        return [found[ours] for ours in workers]
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            worker.join(GRACE)
            worker.kill()
            worker.join()


@contextmanager
def environment(more: Mapping[str, str]) -> Iterator[None]:
    """Processes that start inside have these variables, too."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def answer_of(ours: Connection, worker: BaseProcess) -> Any:
    """What a worker says; its error, or ChildProcessError where it died."""
    try:
        well, said = ours.recv()
    except (EOFError, ConnectionResetError):
        worker.join(GRACE)
        raise died(worker.name, how(worker.exitcode)) from None
    if not well:
        raise said
    return said


def play(theirs: Connection, work: Work[Any], part: Share) -> None:
    """What a process does; asked to end, it keeps what it has. Ctrl-C is for who asked, without whom nobody needs it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        with terminable():
            said = True, work(part)
    except KeyboardInterrupt:
        return
    except (ValueError, LookupError, OSError) as error:
        said = False, error
    theirs.send(said)


def end_with_parent() -> None:
    """Nobody works on for one that is gone, however it ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
