"""An earlier build beside this one: its sources in a worktree of their own, which is gone afterwards."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.record import RESULTS
from understudy.artifact.contract import CONTRACT, write_checksums

LATER = ("confidence", "weights")
"""What a contract has held since the builds that are asked for."""


@contextmanager
def checked_out(folder: Path, commit: str) -> Iterator[Path]:
    """The sources of a commit, as PYTHONPATH names them."""
    git = ["git", "-C", str(RESULTS.parent), "worktree"]
    subprocess.run([*git, "add", "--detach", str(folder), commit], check=True, capture_output=True)
    try:
        yield folder / "src"
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True, capture_output=True)


def earlier(artifact: Path, copy: Path) -> Path:
    """The artifact as those builds would have written it: without what its contract did not hold yet."""
    shutil.copytree(artifact, copy)
    contract = json.loads((copy / CONTRACT).read_text())
    (copy / CONTRACT).write_text(json.dumps({key: value for key, value in contract.items() if key not in LATER}))
    write_checksums(copy)
    return copy
