"""Alone: a folder taken by one process, for as long as it works there."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from understudy.process.lock import LOCK, Lock, lock
from understudy.process.partial import sweep_inside
from understudy.process.whole import writing


@contextmanager
def alone(folder: Path) -> Iterator[Lock]:
    """No other process of this kind in the folder, which is made where there is none; ValueError while there is one.

    What killed processes left half-written in it is gone.
    """
    path, made = folder / LOCK, not folder.exists()
    with writing(folder, path):
        folder.mkdir(parents=True, exist_ok=True)
        path.touch()
        held = lock(path)
    if not held:
        raise ValueError(f"another process is at work in {folder}; wait until it ends, end it, or give another folder")
    if not held.known:
        warnings.warn(f"{folder} cannot be locked on this disk; see to it that no other process works in it")
    try:
        sweep_inside(folder)
        yield held
    finally:
        path.unlink(missing_ok=True)
        held.release()
        if made:
            # Whose first file could not be written leaves no folder either; one that holds anything stays.
            with suppress(OSError):
                folder.rmdir()
