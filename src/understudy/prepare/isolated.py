"""Decoding files of strangers in a process of its own: one that hangs, crashes or grows is ended, and only its file is lost.

This module is both sides: imported, `Isolated` asks; run as a program, it answers requests on its standard input, each a line
of JSON with a clip's bytes behind it where it is in memory, with a line of JSON and the samples or pictures behind it.
"""

import functools
import json
import os
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.clip import pictures_at
from understudy.prepare.limits import LIMITS, Limits
from understudy.prepare.media import read_audio, read_video
from understudy.prepare.picture import Resample, centre_square

READY = b"ready\n"
GRACE = 10.0
"""Seconds beyond a clip's patience after which the process is ended: libav must be in a loop that reads nothing."""
MEMORY = 8 * 2**30
"""Bytes of address space that the process may take, where the system can limit it."""


class Isolated:
    """Decodes in a process that starts with the first file, and again after one that it did not survive.

    Threads take turns. `kept` gives the one that a process keeps warm.
    """

    def __init__(self, limits: Limits, *, grace: float = GRACE) -> None:
        self.limits, self.grace = limits, grace
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def check_video(self, path: Path) -> None:
        """ValueError or FileNotFoundError where `read_video` would raise it, or where decoding did not end well."""
        self._ask(path, {"kind": "video"})

    def audio(self, path: Path, rate: int) -> tuple[NDArray[np.float32], int]:
        """As `read_audio`."""
        said, content = self._ask(path, {"kind": "audio", "rate": rate})
        return np.frombuffer(content, dtype=np.float32), said["broken"]

    def pictures(self, content: bytes, places: NDArray[np.float64], size: int, resample: Resample) -> NDArray[np.uint8]:
        """As `pictures_at` of a clip in memory, `[T size size 3]`, each the centre of a picture."""
        asked = {"kind": "pictures", "places": places.tolist(), "size": size, "resample": resample}
        _, found = self._ask(Path("the clip"), asked, content)
        return np.frombuffer(found, dtype=np.uint8).reshape(len(places), size, size, 3)

    def _ask(self, path: Path, request: dict[str, Any], content: bytes = b"") -> tuple[dict[str, Any], bytes]:
        with self._turn:
            return self._answer(
                path, request | {"path": str(path), "limits": asdict(self.limits), "bytes": len(content)}, content
            )

    def _answer(self, path: Path, request: dict[str, Any], given: bytes) -> tuple[dict[str, Any], bytes]:
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        timer = threading.Timer(self.limits.patience + self.grace, child.kill)
        timer.start()
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n" + given)
            child.stdin.flush()
            line = child.stdout.readline()
            answer = json.loads(line) if line.endswith(b"\n") else {}
            content = child.stdout.read(answer.get("bytes", 0))
        except BrokenPipeError:
            answer, content = {}, b""
        finally:
            timer.cancel()
        if not answer or len(content) < answer.get("bytes", 0):
            raise ValueError(f"{path} is not readable: {self._ended(child)}")
        if "error" in answer:
            raise (FileNotFoundError if answer["missing"] else ValueError)(answer["error"])
        return answer, content

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            # -P: a file called av.py in the folder where somebody stands must not be taken for the library.
            command = [sys.executable, "-P", "-m", "understudy.prepare.isolated"]
            self._child = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
            assert self._child.stdout is not None
            # Starting it may take long on a busy machine, and is not the file's fault.
            if self._child.stdout.readline() != READY:
                raise RuntimeError(f"the process that decodes did not start: {' '.join(command)}")
            weakref.finalize(self, end, self._child)
        return self._child

    def _ended(self, child: "subprocess.Popen[bytes]") -> str:
        """Why the process is gone; the next file gets a new one."""
        self._child = None
        code = child.wait()
        end(child)
        if code == -9:
            return f"decoding it did not end within {self.limits.patience + self.grace:g} seconds, or took all memory"
        return f"the decoder crashed on it (exit status {code})"


@functools.lru_cache(maxsize=8)
def kept(limits: Limits = LIMITS, process: int = 0) -> Isolated:
    """The one that a process keeps warm for such files. process: its own number, since a fork's pipes are its parent's."""
    return Isolated(limits)


def decoder(limits: Limits = LIMITS) -> Isolated:
    """The one that this process keeps warm."""
    return kept(limits, os.getpid())


def end(child: "subprocess.Popen[bytes]") -> None:
    """Nothing is left of it."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:  # What was never read by a process that is gone.
                continue


def answer(request: dict[str, Any], given: bytes, out: IO[bytes]) -> None:
    """One request's. given: a clip's bytes, where they are in memory."""
    path, limits = Path(request["path"]), Limits(**request["limits"])
    content, said = b"", {}
    try:
        if request["kind"] == "video":
            read_video(path, limits=limits)
        elif request["kind"] == "audio":
            samples, broken = read_audio(path, request["rate"], limits=limits)
            content, said = samples.tobytes(), {"broken": broken}
        else:
            size, resample = request["size"], request["resample"]
            places = np.array(request["places"])
            content = np.stack(pictures_at(given, places, lambda p: centre_square(p, size, resample), limits=limits)).tobytes()
        said = said | {"bytes": len(content)}
    except (ValueError, FileNotFoundError) as error:
        said = {"error": str(error), "missing": isinstance(error, FileNotFoundError)}
    except MemoryError:
        said = {"error": f"{path} is not readable: it needs more than {MEMORY / 2**30:g} GiB of memory", "missing": False}
    out.write(json.dumps(said).encode() + b"\n" + content)
    out.flush()


def main() -> None:
    """Answer until there are no more requests."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What a library prints must not stand between answers.
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    out.write(READY)
    out.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer(request, sys.stdin.buffer.read(request["bytes"]), out)


if __name__ == "__main__":
    main()
