"""The HTTP service over artifacts: JSON rows in, predictions out, and a page to try it. No torch."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import ClientDisconnect

from understudy.artifact.answers import answered
from understudy.artifact.session import GraphError
from understudy.prepare.faults import Fault
from understudy.prepare.frames import rows_of
from understudy.prepare.reader import OnError
from understudy.serve.capacity import Capacity
from understudy.serve.described import described
from understudy.serve.hosts import OnlyHosts
from understudy.serve.observe import KEY, Metrics, Observed, line
from understudy.serve.page import ASSETS, POLICY, asset, page
from understudy.serve.question import LINES, Question, read_question
from understudy.serve.reference import reference
from understudy.serve.rows import Said, errors_of, modalities_of, pieces, predict_rows
from understudy.serve.shelf import Served, Shelf, Unserved, details, named, told
from understudy.serve.together import Together
from understudy.serve.token import OnlyBearers

MOST_ROWS = 1000
"""Rows of one request."""
MOST_STREAMED = 100_000
"""The same where the answer is a stream of lines."""
MOST_REQUESTS = 64
"""Requests that are computed or wait for it."""


@dataclass(frozen=True)
class Manner:
    """How a service answers.

    requests: how many are computed or wait; more are told to come again (429). seconds: that one may take (503). batch_ms:
    milliseconds that requests of few rows may wait for others, to be answered in one run; 0 answers each by itself. on_error:
    whether a cell that cannot be read fails its request, or is absent and named beside the answers. hosts: the only names it
    answers by, any where none is given. token: what every request but those for /health and /ready has to carry, where one is
    given. log: whether each request is a JSON line on stderr, without what was sent or answered. watch: seconds between two looks
    at whether an artifact was replaced.
    """

    requests: int = MOST_REQUESTS
    seconds: float = 30.0
    batch_ms: float = 2.0
    on_error: OnError = "fail"
    hosts: tuple[str, ...] = ()
    token: str = ""
    log: bool = False
    watch: float = 1.0


class Service:
    """What the routes share: the artifacts, the places, and the counters. Used from one event loop."""

    def __init__(self, folders: Mapping[str, Path], manner: Manner) -> None:
        if not 0 <= manner.batch_ms <= 1000:
            raise ValueError(f"batch_ms={manner.batch_ms} given; expected milliseconds from 0 to 1000")
        self.manner, self.metrics = manner, Metrics()
        self.capacity = Capacity(manner.requests, manner.seconds)
        make = partial(Together, executor=self.capacity.executor, wait=manner.batch_ms / 1e3, on_error=manner.on_error)
        self.shelf = Shelf(folders, make)

    async def watch(self) -> None:
        """Swap in what is replaced on disk, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.manner.watch)
            for name in await loop.run_in_executor(None, self.shelf.stale):
                refused = await loop.run_in_executor(None, self.shelf.renew, name)
                self.metrics.reloads.labels(name, "refused" if refused else "swapped").inc()
                line("reload", model=name, refused=refused, revision=self.shelf.one(name).revision)

    async def answer(self, request: Request) -> Response:
        """To the rows of one request, as soon as it is its turn."""
        self.capacity.refuse_when_full()
        with refusing():
            question = await read_question(request)
            served = self.shelf.one(question.model)
            streamed = LINES in request.headers.get("accept", "")
            most = MOST_STREAMED if streamed else MOST_ROWS
            if not 1 <= len(question.rows) <= most:
                raise ValueError(f"{len(question.rows)} rows given; 1 to {most} are allowed in one request")
            request.scope[KEY].model, request.scope[KEY].rows = served.name, len(question.rows)
        with self.metrics.places.track_inprogress():
            return await (self.stream(served, question) if streamed else self.whole(request, served, question))

    async def whole(self, request: Request, served: Served, question: Question) -> Response:
        """All answers as one document."""
        with self.capacity.place(), refusing():
            if served.together.takes(question):
                said = await self.capacity.in_time(served.together.ask(question))
            else:
                said = await self.capacity.compute(
                    request,
                    lambda client: predict_rows(served.artifact, question, on_error=self.manner.on_error, check=client.check),
                )
        return Response(encoded(about(served) | said), media_type="application/json")

    async def stream(self, served: Served, question: Question) -> Response:
        """One line of JSON a row, as they are computed; the last one sums up, or says what ended it."""
        lines = self.lines(served, question)
        with refusing():
            # What is wrong with the rows is found before the first answer, and has a status of its own.
            first = await anext(lines)

        async def rest() -> AsyncIterator[bytes]:
            yield first
            try:
                async for each in lines:
                    yield each
            except (ValueError, HTTPException) as error:
                yield encoded({"detail": getattr(error, "detail", str(error))}) + b"\n"

        return StreamingResponse(rest(), media_type=LINES)

    async def lines(self, served: Served, question: Question) -> AsyncIterator[bytes]:
        """The lines of a stream, some at a time."""
        faults: list[Fault] | None = [] if self.manner.on_error == "skip" else None
        count = 0
        with self.capacity.place():
            async for answers in self.capacity.each(pieces(served.artifact, question, faults=faults)):
                count += answered(answers)
                yield b"".join(encoded(row) + b"\n" for row in rows_of(answers))
        said: Said = {"answered": count, "modalities": modalities_of(served.artifact, question)}
        yield encoded(about(served) | said | errors_of(faults)) + b"\n"


@contextmanager
def refusing() -> Iterator[None]:
    """What is wrong with a request as a status and a sentence."""
    try:
        yield
    except Unserved as error:
        raise HTTPException(404, str(error)) from None
    except GraphError as error:
        raise HTTPException(500, str(error)) from None
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def about(served: Served) -> Said:
    """Who answers."""
    return {"model": served.name, "revision": served.revision}


def encoded(document: Any) -> bytes:
    """As JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def create_app(artifacts: str | Path | Sequence[str | Path], manner: Manner = Manner()) -> FastAPI:
    """The service for artifacts, each a folder or NAME=FOLDER; raises like `Artifact` where one is damaged.

    POST /v1/predict takes {"rows": [...], "model": NAME}: rows are objects with the source columns of at least one modality;
    pictures and sound are the file's bytes in base64, or files of a form, never a path. GET /v1/models says what is served and
    read, / is a page to try it, /docs describes all of it, /openapi.json for programs; /health says ok, /ready whether a request
    would be taken, /metrics what was done.
    """
    given = [artifacts] if isinstance(artifacts, str | Path) else artifacts
    service = Service(named(given), manner)
    shelf, capacity = service.shelf, service.capacity

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()

    # FastAPI's own description would know nothing of the contracts, and its pages are fetched from another host.
    app = FastAPI(title="understudy", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(OnlyBearers, token=manner.token)
    app.add_middleware(OnlyHosts, names=manner.hosts)
    app.add_middleware(Observed, metrics=service.metrics, log=manner.log)

    # A plain route, first of all: what FastAPI does around one took as long as the answer.
    app.router.add_route("/v1/predict", service.answer, methods=["POST"])

    @app.exception_handler(ClientDisconnect)
    async def nobody(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)

    @app.get("/health")
    async def health() -> dict[str, str]:
        # Not in a thread: it says that the service is alive when all threads compute.
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        capacity.refuse_when_full()
        return {"status": "ready"}

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"models": [told(each) | {"refused": shelf.refused.get(each.name)} for each in shelf]}

    @app.get("/v1/models/{name:path}")
    def model(name: str) -> dict[str, Any]:
        with refusing():
            return details(shelf.one(name))

    add_pages(app, shelf)
    app.state.shelf = shelf
    return app


def add_pages(app: FastAPI, shelf: Shelf) -> None:
    """What people look at: the page to try it, and the description."""

    def shown(text: str) -> HTMLResponse:
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})

    @app.get("/")
    def home(model: str = "") -> HTMLResponse:
        with refusing():
            return shown(page([*shelf], shelf.one(model) if model else next(iter(shelf))))

    @app.get("/docs")
    def docs() -> HTMLResponse:
        return shown(reference(described([*shelf])))

    @app.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        return described([*shelf])

    @app.get("/assets/{name}")
    def assets(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404, f"no asset {name!r:.60}")
        return Response(asset(name), media_type=ASSETS[name], headers={"X-Content-Type-Options": "nosniff"})
