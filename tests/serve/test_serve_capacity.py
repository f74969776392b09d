"""Requests at once: as many as were allowed, the others are told to come again; who left is computed no further."""

import asyncio
import threading

import pytest
from fastapi import HTTPException, Request
from made_artifact import WHOLE
from starlette.requests import ClientDisconnect

from understudy.artifact.predict import Artifact
from understudy.serve.capacity import Capacity
from understudy.serve.question import Question
from understudy.serve.rows import predict_rows


class Asked(Request):
    """A request whose client leaves when it is told to."""

    def __init__(self):
        super().__init__({"type": "http"}, self.leaving)
        self.left = asyncio.Event()

    async def leaving(self):
        await self.left.wait()
        return {"type": "http.disconnect"}


def test_more_than_may_be_are_told_to_come_again():
    async def run():
        capacity, done = Capacity(2, 30.0), threading.Event()
        with capacity.place():
            work = asyncio.ensure_future(held(capacity, done))
            await asyncio.sleep(0)
            with pytest.raises(HTTPException, match="2 requests are being answered") as refused:
                capacity.refuse_when_full()
            assert refused.value.status_code == 429
            assert (refused.value.headers or {})["Retry-After"] == "1"
            done.set()
            assert await work == "answer"
        capacity.refuse_when_full()

    async def held(capacity, done):
        with capacity.place():
            return await capacity.compute(Asked(), lambda client: done.wait(10) and "answer")

    asyncio.run(run())


def test_who_left_is_computed_no_further():
    async def run():
        asked, rounds, started = Asked(), [], threading.Event()

        def work(client):
            while len(rounds) < 1000:
                rounds.append(1)
                started.set()
                client.check()
                threading.Event().wait(0.01)

        computing = asyncio.ensure_future(Capacity(1, 30.0).compute(asked, work))
        await asyncio.to_thread(started.wait, 10)
        asked.left.set()
        with pytest.raises(ClientDisconnect):
            await computing
        assert len(rounds) < 1000

    asyncio.run(run())


def test_rows_ask_between_batches_whether_somebody_listens(artifact):
    asked = []

    def check():
        asked.append(1)
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        predict_rows(Artifact(artifact), Question([WHOLE] * 100), check=check)
    assert len(asked) == 1
