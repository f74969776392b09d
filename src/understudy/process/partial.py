"""Partial: what is being written lies beside its target under a hidden name of ours, locked as long as its writer lives.

A writer that was killed leaves it behind, unlocked. The next writer of the same target, or whoever takes the folder around it,
sweeps it away.
"""

import re
import shutil
from collections.abc import Callable
from glob import escape
from pathlib import Path
from uuid import uuid4

from understudy.process.lock import LOCK, Lock, lock

PARTIAL = re.compile(r"\..*\.partial-[0-9a-f]{8}(\.[^.]*)?")
"""The hidden names."""


def beside(path: Path) -> Path:
    """A hidden name in the same folder, so that the rename stays on one file system. The ending stays: some writers ask it."""
    return path.with_name(f".{path.stem}.partial-{uuid4().hex[:8]}{path.suffix}")


def begun(path: Path, make: Callable[[Path], object]) -> tuple[Path, Lock]:
    """A new hidden name for `path`, made and locked."""
    while True:
        partial = beside(path)
        make(partial)
        if held := lock(partial):
            return partial, held


def sweep(path: Path) -> bool:
    """Remove what dead processes left of `path`, half-written; whether a living one is at it."""
    pattern = f".{escape(path.stem)}.partial-????????{escape(path.suffix)}"
    left = [each for each in path.parent.glob(pattern) if PARTIAL.fullmatch(each.name)]
    return sum(swept(each) for each in left) < len(left)


def sweep_inside(folder: Path) -> None:
    """Remove what dead processes left anywhere in a folder: half-written files and folders, and locks."""
    for path in list(folder.rglob(".*")):
        if ours(path):
            swept(path)


def swept(path: Path) -> bool:
    """Remove it unless a process holds it, or nobody can tell."""
    held = lock(path)
    if held and held.known:
        discard(path)
    if held:
        held.release()
    return held is not None


def discard(path: Path) -> None:
    """Remove a file or folder, if it is there; of a folder that is killed halfway only a hidden name stays, which is swept."""
    if path.is_dir() and not path.is_symlink():
        gone = path if PARTIAL.fullmatch(path.name) else path.rename(beside(path))
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def ours(path: Path) -> bool:
    """Whether this name in a folder is only a trace of our work on it: a folder that holds no other is as good as empty."""
    return path.name == LOCK or PARTIAL.fullmatch(path.name) is not None
