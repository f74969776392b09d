"""The HTTP service over one artifact: JSON rows in, predictions out, and a page to try it. No torch."""

import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from understudy.artifact.predict import Artifact
from understudy.serve.page import page
from understudy.serve.rows import parse_rows, predict_rows

LARGEST_BODY = 10 * 2**20
"""Bytes of one request."""
MOST_ROWS = 1000
"""Rows of one request."""


def create_app(folder: str | Path) -> FastAPI:
    """The service for the artifact in `folder`; raises like `Artifact` when that is damaged.

    GET / is the page, /health says ok, /contract what is read. POST /predict takes a JSON list of rows, each an object with the
    source columns of at least one modality; pictures and sound as the file's bytes in base64, never as a path.
    """
    artifact = Artifact(folder)
    # Its own documentation pages would be fetched from another host.
    app = FastAPI(title=artifact.contract.name, docs_url=None, redoc_url=None, openapi_url=None)
    shown = page(artifact.contract)

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
    def health() -> dict[str, str]:
        return {"status": "ok", "artifact": artifact.contract.name}

    @app.get("/contract")
    def contract() -> dict[str, Any]:
        return artifact.contract.to_json()

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        content = await read_body(request)
        try:
            return await run_in_threadpool(lambda: predict_rows(artifact, parse_rows(content, most=MOST_ROWS)))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    return app


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
            raise HTTPException(413, f"the request is larger than {LARGEST_BODY // 2**20} MB; send fewer rows at once")
        parts.append(part)
    return b"".join(parts)


def serve(folder: str | Path, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted. There is no log-in: on any other host than the loopback, put your own guard before it.

    ValueError for an address that cannot be listened on, such as a port that another program has.
    """
    app = create_app(folder)
    # uvicorn would log that the port is taken, and exit the whole process with a code of its own.
    with listening(host, port) as taken, suppress(KeyboardInterrupt):
        named, here = f"[{host}]" if ":" in host else host, taken.getsockname()[1]
        print(f"serving {folder} on http://{named}:{here}; Ctrl-C stops it", file=sys.stderr, flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[taken])


def listening(host: str, port: int) -> socket.socket:
    """An open socket on this address; port 0 is any free one."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ValueError(f"cannot listen on {host}, port {port}: {error}; give another --port or --host") from None
