"""Running: a service on an address of this machine, in one process or several, until it is told to end. No torch."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from understudy.artifact.contract import verify
from understudy.process.stop import terminable
from understudy.serve.app import Manner, create_app
from understudy.serve.connections import Guarded, allowed, file_handles
from understudy.serve.hosts import names_of
from understudy.serve.observe import MULTIPROCESS
from understudy.serve.shelf import named

PARTING = 30
"""Seconds in which requests that were accepted are answered once the service is to end."""


@dataclass(frozen=True)
class Made:
    """The app, made in the process that runs it."""

    artifacts: tuple[str, ...]
    manner: Manner

    def __call__(self) -> FastAPI:
        return create_app(self.artifacts, self.manner)


def serve(
    artifacts: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    manner: Manner | None = None,
) -> None:
    """Serve until interrupted. On any other host than the loopback give a token, and put something that speaks TLS before it.

    artifacts: as `create_app` takes them. workers: processes that answer, each with artifacts and places of its own. On the
    loopback it answers to the names of this machine alone, where `manner` names no hosts.
    ValueError for an address that cannot be listened on, such as a port that another program has.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers given; expected at least 1")
    manner = manner or Manner()
    given = (artifacts,) if isinstance(artifacts, str | Path) else artifacts
    folders = named(given)
    made = Made(tuple(map(str, given)), replace(manner, hosts=manner.hosts or names_of(host)))
    _, backlog = allowed(file_handles())
    config = uvicorn.Config(
        made if workers > 1 else made(),
        factory=workers > 1,
        log_level="warning",
        http=Guarded,
        ws="none",
        backlog=backlog,
        timeout_graceful_shutdown=PARTING,
        workers=workers,
    )
    # uvicorn would log that the port is taken, and exit the whole process with a code of its own.
    with listening(host, port) as taken:
        address, here = f"[{host}]" if ":" in host else host, taken.getsockname()[1]
        print(f"serving {', '.join(folders)} on http://{address}:{here}; Ctrl-C stops it", file=sys.stderr, flush=True)
        if workers == 1:
            with suppress(KeyboardInterrupt), terminable():
                uvicorn.Server(config).run(sockets=[taken])
            return
        for folder in folders.values():
            verify(folder)
        with counting_together():
            Multiprocess(config, sockets=[taken]).run()


@contextmanager
def counting_together() -> Iterator[None]:
    """A folder in which several workers count, while they live."""
    with tempfile.TemporaryDirectory(prefix="understudy-metrics-") as name:
        os.environ[MULTIPROCESS] = name
        try:
            yield
        finally:
            del os.environ[MULTIPROCESS]


def listening(host: str, port: int) -> socket.socket:
    """An open socket on this address; port 0 is any free one."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ValueError(f"cannot listen on {host}, port {port}: {error}; give another --port or --host") from None
