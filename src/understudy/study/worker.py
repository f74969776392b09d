"""Worker: a process that plays stages of one run for another process, which talks to it through pipes.

A stage comes as a line of JSON on stdin, and what became of it goes as one to stdout. The end of stdin is the end of the process,
at once: so nobody trains on when who asked is gone, however that ended.
"""

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import torch

from understudy.process.lock import Lock
from understudy.process.stop import CODE, terminable
from understudy.study.run import load
from understudy.study.stage import Stage, Stages


def work(folder: Path, asked: "SimpleQueue[Stage]", answers: Any) -> None:
    """Stage after stage, until the process ends."""
    stages: Stages | None = None
    while True:
        stage = asked.get()
        try:
            stages = stages or Stages.of(load(folder))
            said = {"seconds": stages.play(stage, quiet=True)}
        except (ValueError, OSError) as error:
            said = {"error": "OSError" if isinstance(error, OSError) else "ValueError", "said": str(error)}
        except Exception as error:
            traceback.print_exc()
            said = {"error": "RuntimeError", "said": f"{stage}: {type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)


def listen(asked: "SimpleQueue[Stage]") -> None:
    """What comes through stdin, until it ends; then nothing here is of use to anybody."""
    for line in sys.stdin:
        asked.put(Stage(**json.loads(line)))
    os._exit(0)


def main(folder: str, threads: str, lock: str) -> None:
    """lock: the handle by which the run's folder is held, which then is held until this process has ended, too."""
    held = Lock(int(lock), known=True)
    asked: SimpleQueue[Stage] = SimpleQueue()
    # What others print is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    torch.set_num_threads(int(threads))
    Thread(target=listen, args=(asked,), daemon=True).start()
    try:
        with terminable():
            work(Path(folder), asked, answers)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(CODE)
    finally:
        held.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
