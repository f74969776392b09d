"""An earlier build beside this one: its sources in a worktree of their own, which is gone afterwards."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.record import RESULTS


@contextmanager
def checked_out(folder: Path, commit: str) -> Iterator[Path]:
    """The sources of a commit, as PYTHONPATH names them."""
    git = ["git", "-C", str(RESULTS.parent), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), commit], check=True, capture_output=True)
    try:
        yield folder / "src"
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True, capture_output=True)
