"""Capacity: how many requests are answered at a time, for how long, and work that ends when its client has left. No torch."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

Answer = TypeVar("Answer")
RETRY = "1"
"""Seconds after which a client that is turned away may come again."""


class Capacity:
    """Places for requests: one a processor computes, the others wait. Used from one event loop. seconds: that one may take."""

    def __init__(self, most: int, seconds: float) -> None:
        if most < 1:
            raise ValueError(f"{most} requests at once given; expected at least 1")
        if not seconds > 0:
            raise ValueError(f"{seconds} seconds for a request given; expected more than 0")
        self.most, self.seconds, self.taken = most, seconds, 0
        self.executor = ThreadPoolExecutor(min(most, os.cpu_count() or 1), "compute")

    def refuse_when_full(self) -> None:
        """HTTPException 429 where every place is taken."""
        if self.taken >= self.most:
            said = f"{self.taken} requests are being answered, as many as may be at once; come again"
            raise HTTPException(429, said, headers={"Retry-After": RETRY, "Connection": "close"})

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place until the request is answered; 429 where there is none."""
        self.refuse_when_full()
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def compute(self, request: Request, work: Callable[["Client"], Answer]) -> Answer:
        """What `work` answers in a thread, where it can ask whether somebody still waits. The request's body was read before.

        ClientDisconnect where nobody does and `work` has asked; 503 when it takes too long.
        """
        client = Client()
        found = asyncio.get_running_loop().run_in_executor(self.executor, work, client)
        gone = asyncio.ensure_future(request.receive())
        gone.add_done_callback(lambda _: client.leave())
        try:
            return await self.in_time(asyncio.shield(found))
        finally:
            # What is left to itself raises nothing that anybody would hear of.
            found.add_done_callback(lambda future: future.cancelled() or future.exception())
            client.leave()
            gone.cancel()

    async def in_time(self, found: "asyncio.Future[Answer]") -> Answer:
        """What a future brings; 503 when it takes too long, and then it is cancelled."""
        try:
            return await asyncio.wait_for(found, self.seconds)
        except TimeoutError:
            raise self.late() from None

    async def each(self, work: Iterator[Answer]) -> AsyncIterator[Answer]:
        """What `work` yields, made in a thread one after the other; 503 beyond the seconds that it may take in all."""
        loop, end = asyncio.get_running_loop(), time.monotonic() + self.seconds
        none = object()
        while True:
            found = await loop.run_in_executor(self.executor, next, work, none)
            if found is none:
                return
            yield found  # pyright: ignore[reportReturnType]
            if time.monotonic() > end:
                raise self.late()

    def late(self) -> HTTPException:
        """What is said to a request that takes too long."""
        said = f"no answer within {self.seconds:g} seconds; send fewer rows at once, or come again"
        return HTTPException(503, said, headers={"Retry-After": RETRY})


class Client:
    """Who asked: still waiting, or not."""

    def __init__(self) -> None:
        self._left = Event()

    def leave(self) -> None:
        """It is gone."""
        self._left.set()

    def check(self) -> None:
        """ClientDisconnect where it is gone: nobody would read the answer."""
        if self._left.is_set():
            raise ClientDisconnect
