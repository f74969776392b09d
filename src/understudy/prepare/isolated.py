"""Decoding files of strangers in a process of its own: one that hangs, crashes or grows is ended, and only its file is lost.

This module is both sides: imported, `Isolated` asks; run as a program, it answers requests on its standard input, each a line
of JSON with the file's bytes behind it, with a line of JSON and the samples or pictures behind it.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict
from subprocess import DEVNULL, PIPE
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.clip import pictures_at, probe_video
from understudy.prepare.limits import LIMITS, Limits
from understudy.prepare.picture import Square
from understudy.prepare.sound import decode_audio

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

    def complete(self, video: bytes) -> bool:
        """Whether a video plays as long as it states; ValueError where `probe_video` would raise it, or decoding ended badly."""
        return self._ask(video, {"kind": "video"})[0]["complete"]

    def audio(self, content: bytes, rate: int) -> tuple[NDArray[np.float32], int]:
        """As `decode_audio`."""
        said, samples = self._ask(content, {"kind": "audio", "rate": rate})
        return np.frombuffer(samples, dtype=np.float32), said["broken"]

    def pictures(self, content: bytes, places: NDArray[np.float64], square: Square) -> NDArray[np.uint8]:
        """As `pictures_at`, `[T size size 3]`."""
        asked = {"kind": "pictures", "places": places.tolist(), "square": asdict(square)}
        return np.frombuffer(self._ask(content, asked)[1], dtype=np.uint8).reshape(len(places), square.size, square.size, 3)

    def _ask(self, content: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._turn:
            return self._answer(content, request | {"limits": asdict(self.limits), "bytes": len(content)})

    def _answer(self, content: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        timer = threading.Timer(self.limits.patience + self.grace, child.kill)
        timer.start()
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.write(content)
            child.stdin.flush()
            line = child.stdout.readline()
            answer = json.loads(line) if line.endswith(b"\n") else {}
            found = child.stdout.read(answer.get("bytes", 0))
        except BrokenPipeError:
            answer, found = {}, b""
        finally:
            timer.cancel()
        if not answer or len(found) < answer.get("bytes", 0):
            raise ValueError(self._ended(child))
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer, found

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            # -P: a file called av.py in the folder where somebody stands must not be taken for the library.
            command = [sys.executable, "-P", "-m", "understudy.prepare.isolated"]
            self._child = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
            assert self._child.stdout is not None
            # Starting it may take long on a busy machine, and is not the file's fault.
            if self._child.stdout.readline() != READY:
                raise RuntimeError(f"the process that decodes did not start: {' '.join(command)}")
            weakref.finalize(self, end, self._child, os.getpid())
        return self._child

    def _ended(self, child: "subprocess.Popen[bytes]") -> str:
        """Why the process is gone; the next file gets a new one."""
        self._child = None
        code = child.wait()
        end(child, os.getpid())
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


def end(child: "subprocess.Popen[bytes]", owner: int) -> None:
    """Nothing is left of it. owner: the process that started it; a fork of that one lets it be."""
    if os.getpid() != owner:
        return
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:  # What was never read by a process that is gone.
                continue


def answer(request: dict[str, Any], given: bytes, out: IO[bytes]) -> None:
    """One request's. given: the file's bytes."""
    limits = Limits(**request["limits"])
    content, said = b"", {}
    try:
        if request["kind"] == "video":
            said = {"complete": probe_video(given, limits=limits).complete}
        elif request["kind"] == "audio":
            samples, broken = decode_audio(given, request["rate"], limits=limits)
            content, said = samples.tobytes(), {"broken": broken}
        else:
            keep, places = Square(**request["square"]).of, np.array(request["places"])
            content = np.stack(pictures_at(given, places, keep, limits=limits)).tobytes()
        said |= {"bytes": len(content)}
    except ValueError as error:
        content, said = b"", {"error": str(error)}
    except MemoryError:
        content, said = b"", {"error": f"it needs more than {MEMORY / 2**30:g} GiB of memory"}
    out.write(json.dumps(said).encode() + b"\n" + content)
    out.flush()


def main() -> None:
    """Answer until there are no more requests."""
    # Ctrl-C is for the process that asks; a decoder that it ended would be taken for the file's fault.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
