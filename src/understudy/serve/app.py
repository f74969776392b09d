"""The HTTP service over one artifact: JSON rows in, predictions out, and a page to try it. No torch."""

import socket
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.requests import ClientDisconnect

from understudy.artifact.predict import Artifact
from understudy.artifact.session import GraphError
from understudy.prepare.reader import OnError
from understudy.process.stop import terminable
from understudy.serve.capacity import Capacity
from understudy.serve.connections import Guarded, allowed, file_handles
from understudy.serve.hosts import OnlyHosts, names_of
from understudy.serve.page import page
from understudy.serve.rows import parse_rows, predict_rows
from understudy.serve.token import OnlyBearers

LARGEST_BODY = 10 * 2**20
"""Bytes of one request."""
MOST_ROWS = 1000
"""Rows of one request."""
MOST_REQUESTS = 64
"""Requests that are computed or wait for it."""
PARTING = 30
"""Seconds in which requests that were accepted are answered once the service is to end."""


def create_app(
    folder: str | Path,
    *,
    requests: int = MOST_REQUESTS,
    on_error: OnError = "fail",
    hosts: Collection[str] = (),
    token: str = "",
) -> FastAPI:
    """The service for the artifact in `folder`; raises like `Artifact` when that is damaged.

    GET / is the page, /health says ok, /ready whether a request would be taken, /contract what is read. POST /predict takes a
    JSON list of rows, each an object with the source columns of at least one modality; pictures and sound as the file's bytes in
    base64, never as a path.
    requests: how many are computed or wait; more are told to come again (429). on_error: whether a cell that cannot be read
    fails its request, or is absent and named beside the answers. hosts: the only names it answers by, any where none is given.
    token: what every request but those for /health and /ready has to carry, where one is given.
    """
    artifact = Artifact(folder)
    # Its own documentation pages would be fetched from another host.
    app = FastAPI(title=artifact.contract.name, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(OnlyBearers, token=token)
    app.add_middleware(OnlyHosts, names=hosts)
    shown = page(artifact.contract)
    capacity = Capacity(requests)

    @app.exception_handler(ClientDisconnect)
    async def nobody(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)

    @app.get("/")
    def home() -> HTMLResponse:
        return HTMLResponse(
            shown,
            headers={
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
                "script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
            },
        )

    @app.get("/health")
    async def health() -> dict[str, str]:
        # Not in a thread: it says that the service is alive when all threads compute.
        return {"status": "ok", "artifact": artifact.contract.name}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        capacity.refuse_when_full()
        return {"status": "ready", "artifact": artifact.contract.name}

    @app.get("/contract")
    def contract() -> dict[str, Any]:
        return artifact.contract.to_json()

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        return await answer_to(request, artifact, capacity, on_error)

    return app


async def answer_to(request: Request, artifact: Artifact, capacity: Capacity, on_error: OnError) -> dict[str, Any]:
    """The answers to the rows of one request, as soon as it is its turn."""
    capacity.refuse_when_full()
    content = await read_body(request)
    with capacity.place():
        try:
            return await capacity.compute(
                request,
                lambda client: predict_rows(artifact, parse_rows(content, most=MOST_ROWS), on_error=on_error, check=client.check),
            )
        except GraphError as error:
            raise HTTPException(500, str(error)) from None
        except ValueError as error:
            raise HTTPException(422, str(error)) from None


async def read_body(request: Request) -> bytes:
    """The whole body, given up as soon as it is larger than allowed, whatever its headers say."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Any web page may send other types to a local port; this one makes the browser ask first.
        raise HTTPException(415, f"content type {kind or 'not given'}: send application/json")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            said = f"the request is larger than {LARGEST_BODY // 2**20} MB; send fewer rows at once"
            raise HTTPException(413, said, headers={"Connection": "close"})
        parts.append(part)
    return b"".join(parts)


def serve(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    requests: int = MOST_REQUESTS,
    on_error: OnError = "fail",
    token: str = "",
) -> None:
    """Serve until interrupted. On any other host than the loopback give a token, and put something that speaks TLS before it.

    requests, on_error, token: as in `create_app`. ValueError for an address that cannot be listened on, such as a port that
    another program has.
    """
    app = create_app(folder, requests=requests, on_error=on_error, hosts=names_of(host), token=token)
    most, backlog = allowed(file_handles())
    http = type("Bounded", (Guarded,), {"most": most})
    config = uvicorn.Config(app, log_level="warning", http=http, ws="none", backlog=backlog, timeout_graceful_shutdown=PARTING)
    # uvicorn would log that the port is taken, and exit the whole process with a code of its own.
    with listening(host, port) as taken, suppress(KeyboardInterrupt), terminable():
        named, here = f"[{host}]" if ":" in host else host, taken.getsockname()[1]
        print(f"serving {folder} on http://{named}:{here}; Ctrl-C stops it", file=sys.stderr, flush=True)
        uvicorn.Server(config).run(sockets=[taken])


def listening(host: str, port: int) -> socket.socket:
    """An open socket on this address; port 0 is any free one."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ValueError(f"cannot listen on {host}, port {port}: {error}; give another --port or --host") from None
