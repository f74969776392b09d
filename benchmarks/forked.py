"""Commands in forks of a process that has everything imported: milliseconds to start, and whatever ends one ends nothing else.

The parent computes nothing, so that no thread of a library is lost in a fork.
"""

import atexit
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from understudy.cli import choose

WARM = (
    "understudy.study.distill",
    "understudy.study.evaluation",
    "understudy.artifact.export",
    "understudy.artifact.predict_file",
    "understudy.corpus.importers",
    "understudy.report",
    "h5py",
    "jinja2",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "onnx",
    "onnxscript.optimizer",
    "PIL.Image",
    "pyarrow.parquet",
    "scipy.io",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.svm",
    "torch._dynamo",
    "torch.onnx._internal.exporter._core",
)
"""What commands import when they need it."""
LOOK = 0.02
"""Seconds between two looks at a fork."""


@dataclass(frozen=True)
class Ended:
    """How a fork ended. code: its exit status, or minus the signal. seconds: on the clock; busy: of the processor.

    peak: bytes of memory, of itself or a process of its own.
    """

    code: int
    seconds: float
    busy: float
    peak: int
    out: str
    err: str


def warm(*names: str) -> None:
    """Import what the forks will need, all that commands do or these alone."""
    for name in names or WARM:
        importlib.import_module(name)
    # What is read here costs nothing in a fork: a command line, too.
    choose(["list"], as_json=True)


def run(folder: Path, call: Callable[[], int], *, longest: float = 600.0, largest: int = 2**36, kill: float = 0.0) -> Ended:
    """`call` in a fork that stands in `folder`; its whole process group is ended after `longest` seconds or at `largest` bytes.

    kill: seconds after which the fork alone is killed (SIGKILL), as a machine's owner would; 0 for never.
    """
    notes = [folder / name for name in (".stdout", ".stderr")]
    began = time.perf_counter()
    child = os.fork()
    if not child:
        inside(folder, call, notes)
    peak = 0
    while not (found := os.wait4(child, os.WNOHANG))[0]:
        passed = time.perf_counter() - began
        peak = max(peak, memory(child))
        if kill and passed >= kill:
            os.kill(child, signal.SIGKILL)
        elif passed > longest or peak > largest:
            end_group(child)
        time.sleep(min(LOOK, max(kill - passed, 0.0005)) if kill else LOOK if passed > LOOK else 0.002)
    seconds = time.perf_counter() - began
    _, status, used = found
    end_group(child)
    out, err = (note.read_text(errors="replace") if note.exists() else "" for note in notes)
    for note in notes:
        note.unlink(missing_ok=True)
    return Ended(
        os.waitstatus_to_exitcode(status), seconds, used.ru_utime + used.ru_stime, max(peak, used.ru_maxrss * 1024), out, err
    )


def inside(folder: Path, call: Callable[[], int], notes: Sequence[Path]) -> None:
    """The fork: a process group of its own, what it prints into files; it never returns."""
    code = 1
    try:
        os.setsid()
        for number, note in enumerate(notes, start=1):
            os.dup2(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        code = call()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        # The processes that decode media are ended here, so that their memory is counted.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def memory(child: int) -> int:
    """Bytes that a process has in memory now, or one that it started."""
    try:
        process = psutil.Process(child)
        return max(each.memory_info().rss for each in [process, *process.children(recursive=True)])
    except (psutil.Error, ProcessLookupError, ValueError):
        return 0


def end_group(child: int) -> None:
    """Nothing that the fork started goes on."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
