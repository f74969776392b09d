"""Observe: what a service says of itself, as metrics for Prometheus and as JSON lines, never of what was sent. No torch."""

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""A variable that names the folder in which several workers count together; it has to be set before this module is imported."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROUTES = ("/", "/health", "/ready", "/metrics", "/openapi.json", "/docs", "/v1/models", "/v1/predict")
KEY = "understudy"


@dataclass
class Seen:
    """What a request was about."""

    model: str = ""
    rows: int = 0


class Metrics:
    """Counted since the start, over all workers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "understudy_requests_total", "Answered requests", ["route", "model", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "understudy_request_seconds", "From head to last byte", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.rows = Counter("understudy_rows_total", "Rows of answered requests", ["model"], registry=self.registry)
        self.reloads = Counter("understudy_reloads_total", "Artifacts read anew", ["model", "result"], registry=self.registry)
        self.places = Gauge(
            "understudy_requests_in_progress", "Computed or waiting for it", registry=self.registry, multiprocess_mode="livesum"
        )

    def text(self) -> bytes:
        """In Prometheus' text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)


def line(event: str, **about: Any) -> None:
    """One JSON line on stderr."""
    print(json.dumps({"time": datetime.now(UTC).isoformat(), "event": event} | about), file=sys.stderr, flush=True)


class Observed:
    """Counts each request, gives it an id (header X-Request-Id), and where asked writes a line of it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log: bool) -> None:
        self.app, self.metrics, self.log = app, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        seen, id, status, begun = Seen(), uuid4().hex, 500, time.perf_counter()
        scope[KEY] = seen

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            # A path is what a client wrote: only those that there are stand in metrics and lines.
            path = scope["path"]
            route = path if path in ROUTES else "/v1/models/NAME" if path.startswith("/v1/models/") else "other"
            took = time.perf_counter() - begun
            self.metrics.requests.labels(route, seen.model, status).inc()
            self.metrics.seconds.labels(route).observe(took)
            if seen.rows and status == 200:
                self.metrics.rows.labels(seen.model).inc(seen.rows)
            if self.log:
                about = {"route": route, "model": seen.model, "rows": seen.rows, "status": status}
                line("request", id=id, **about, ms=round(took * 1e3, 2))
