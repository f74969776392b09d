"""Stop: a request from outside to end (SIGTERM) as an exception, so that nothing half-written is left. Standard library only."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CODE = 128 + signal.SIGTERM
"""What a shell calls the exit of a program that SIGTERM ended."""


class Terminated(KeyboardInterrupt):
    """SLURM, Kubernetes, `docker stop` or `kill` asks this process to end: whatever cleans up after Ctrl-C does so here, too."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside, the first SIGTERM raises Terminated in the main thread, and the second ends the process at once.

    A handler that is set inside, such as that of a fit, which writes a checkpoint first, wins for as long as it stands. In a
    thread, where Python sets no handlers, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
