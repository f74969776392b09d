"""Lock: what a living process holds of a file or folder; the system lets go of it however that process ends."""

import fcntl
import os
from pathlib import Path

LOCK = ".lock"
"""The file by which a folder is held; that it is there says nothing."""
_held: set[int] = set()


class Lock:
    """An open handle. `known` is False where the disk knows no locks, so that nobody can tell who holds what."""

    def __init__(self, handle: int, *, known: bool) -> None:
        self.handle, self.known = handle, known
        _held.add(handle)

    def release(self) -> None:
        """Let go; once more does nothing."""
        if self.handle in _held:
            _held.remove(self.handle)
            os.close(self.handle)


def lock(path: Path) -> Lock | None:
    """Take an existing file or folder, at once or not at all: None where another process holds it, or removes it just now."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except FileNotFoundError:
        return None
    known = True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed it between the two lines above.
        mine = path.exists() and os.path.samestat(path.stat(), os.fstat(handle))
    except BlockingIOError:
        mine = False
    except OSError:
        mine, known = True, False
    if mine:
        return Lock(handle, known=known)
    os.close(handle)
    return None


def _let_go() -> None:
    """A forked child, such as one that prepares batches, would hold on to what its parent holds, even after that is dead."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
