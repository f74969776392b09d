"""Shares: the pieces of a file that are this process's, or several processes', answered and put among the parts. No torch."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from understudy.artifact.asked import Asked
from understudy.artifact.parts import Parts
from understudy.artifact.predict import Artifact
from understudy.prepare.pieces import rows_of
from understudy.process.progress import progress
from understudy.process.share import Share

LOOK = 1.0
"""Seconds between two looks at what the processes have done."""


def answer_all(artifact: Artifact, asked: Asked, parts: Parts, share: Share, jobs: int, *, quiet: bool) -> int:
    """Answer each piece of the share that is no part yet; how many pieces the input has. ValueError where one cannot be read."""
    rows = rows_of(asked.path)
    total = None if rows is None else -(-rows // share.of)
    begun, before = time.monotonic(), len(parts.paths()) * asked.rows
    with progress("rows", total=total, quiet=quiet) as tell:

        def told(done: int) -> None:
            rate = (done - before) / (time.monotonic() - begun)
            tell(done if total is None else min(done, total), f"{rate:,.0f} rows/s")

        if jobs == 1:
            return answer_share(artifact, asked, parts, share, share, told)
        return in_processes(artifact.folder, asked, parts, share, jobs, told)


def answer_share(artifact: Artifact, asked: Asked, parts: Parts, share: Share, mine: Share, told: Callable[[int], object]) -> int:
    """mine: what of the share this process answers. `told` hears how many rows are done."""
    there, first_row, count = set(parts.paths()), 1, 0
    done = len(there) * asked.rows
    for count, piece in enumerate(asked.pieces(), start=1):
        if mine.has(count - 1) and count - 1 not in there:
            parts.put(share, count - 1, asked.answer(artifact, piece, first_row))
            told(done := done + len(piece))
        first_row += len(piece)
    return count


def in_processes(folder: Path, asked: Asked, parts: Parts, share: Share, jobs: int, told: Callable[[int], object]) -> int:
    """The same by several processes, which share the machine's cores; all end with the first that fails, or with this one."""
    context, threads = multiprocessing.get_context("spawn"), max(1, (os.cpu_count() or 1) // jobs)
    workers = {}
    try:
        for index in range(jobs):
            ours, theirs = context.Pipe()
            arguments = (theirs, folder, threads, asked, parts, share, share.part(index, jobs))
            workers[ours] = context.Process(target=work, args=arguments, daemon=True)
            workers[ours].start()
            theirs.close()
        waiting, count = list(workers), 0
        while waiting:
            for ours in wait(waiting, timeout=LOOK):
                count = answer_of(ours)  # pyright: ignore[reportArgumentType]
                waiting.remove(ours)  # pyright: ignore[reportArgumentType]
            told(len(parts.paths()) * asked.rows)
        return count
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            worker.join()


def answer_of(ours: Connection) -> int:
    """How many pieces a worker counted; its error, or RuntimeError where it died."""
    try:
        said = ours.recv()
    except EOFError:
        raise RuntimeError(
            "a process that predicts died; it may have run out of memory: with fewer jobs the same command goes on where it was"
        ) from None
    if isinstance(said, Exception):
        raise said
    return said


def work(theirs: Connection, folder: Path, threads: int, asked: Asked, parts: Parts, share: Share, mine: Share) -> None:
    """What a process does; Ctrl-C is for the one that asked, without which nobody needs it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def told(done: int) -> None:
        if parent is not None and not parent.is_alive():
            os._exit(1)

    try:
        theirs.send(answer_share(Artifact(folder, threads=threads), asked, parts, share, mine, told))
    except (ValueError, OSError) as error:
        theirs.send(error if type(error) in (ValueError, FileNotFoundError) else ValueError(str(error)))
