"""Capacity: how many requests are computed and wait at a time, and work that ends when its client has left. No torch."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

Answer = TypeVar("Answer")
RETRY = "1"
"""Seconds after which a client that is turned away may come again."""


class Capacity:
    """Places for requests: one a processor computes, the others wait. Used from one event loop."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"{most} requests at once given; expected at least 1")
        self.most, self._taken = most, 0
        self._computing = anyio.CapacityLimiter(min(most, os.cpu_count() or 1))

    def refuse_when_full(self) -> None:
        """HTTPException 429 where every place is taken."""
        if self._taken >= self.most:
            said = f"{self._taken} requests are being answered, as many as may be at once; come again"
            raise HTTPException(429, said, headers={"Retry-After": RETRY, "Connection": "close"})

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place until the request is answered; 429 where there is none."""
        self.refuse_when_full()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def compute(self, request: Request, work: Callable[["Client"], Answer]) -> Answer:
        """What `work` answers in a thread; it can ask whether the client is still there. The request's body was read before."""
        client = Client()
        leaves = asyncio.ensure_future(request.receive())
        leaves.add_done_callback(lambda _: client.leave())
        try:
            return await anyio.to_thread.run_sync(work, client, limiter=self._computing)
        finally:
            leaves.cancel()


class Client:
    """Who asked: still there, or not."""

    def __init__(self) -> None:
        self._left = Event()

    def leave(self) -> None:
        """It is gone."""
        self._left.set()

    def check(self) -> None:
        """ClientDisconnect where it is gone: nobody would read the answer."""
        if self._left.is_set():
            raise ClientDisconnect
