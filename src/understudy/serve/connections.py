"""Connections: how many clients may be connected, and how long one may take to say what it wants. No torch."""

import sys
import time
from collections.abc import Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 1000
"""Connections at a time, where the system has file handles enough."""
BACKLOG = 128
"""Connections that the system may hold ready before they are accepted; all of them are accepted at one go."""
OWN = 40
"""File handles that the service itself needs: sockets, the decoder's pipes, media on their way into it."""
WAITING = (h11.IDLE, h11.SEND_BODY)
"""What a client does whose turn it is to send: the head of a request, or its body."""


def allowed(handles: int) -> tuple[int, int]:
    """How many connections may be open, and how many waiting to be accepted, where the process may have so many file handles."""
    spare = max(handles - OWN, 4)
    backlog = min(BACKLOG, spare // 4)
    # asyncio accepts as many again before the first ones are known as connections, and once more before those let go are closed.
    return min(MOST, spare - 3 * backlog), backlog


def file_handles() -> int:
    """How many this process may have open."""
    if sys.platform == "win32":
        return 512
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**20 if soft == resource.RLIM_INFINITY else soft


class Guarded(H11Protocol):
    """One connection, which cannot hold a place for ever.

    A client that does not send on is answered 408 and let go. Where all places are taken the one that has owed something the
    longest is let go, and where every client has said what it wants the new one is told to come again (429).
    """

    head_seconds = 10.0
    """From the start, or the first byte after an answer, to the end of a request's head."""
    body_seconds = 30.0
    """From there to the end of its body."""
    parting_seconds = 2.0
    """The same once the service is to end."""
    most = allowed(file_handles())[0]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._owes: Any = None
        self._since = time.monotonic()
        self._timer: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most:
            make_room(self.connections, self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # uvicorn's own timer runs until the first byte of the next request.
        self._owe(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owe(None)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        if self.conn.their_state is h11.SEND_BODY:
            self._owe(h11.SEND_BODY, self.parting_seconds)

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn to send."""
        return self.conn.their_state in WAITING and not self.transport.is_closing()

    @property
    def patience(self) -> tuple[bool, float]:
        """Where one has to go, the smallest goes: who has sent no whole head first, and then who came first."""
        return self.conn.their_state is h11.SEND_BODY, self._since

    def _watch(self) -> None:
        state = self.conn.their_state
        if state is not self._owes:
            self._owe(state if self.waits else None, self.head_seconds if state is h11.IDLE else self.body_seconds)

    def _owe(self, what: Any, seconds: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owes, self._since = what, time.monotonic()
        late = "the rest of the request did not come in time"
        self._timer = None if what is None else self.loop.call_later(seconds, self.leave, 408, late)

    def leave(self, status: int, reason: str) -> None:
        """Say why, where nothing was answered yet, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = [("content-type", "text/plain; charset=utf-8"), ("connection", "close"), ("retry-after", "1")]
            for event in (h11.Response(status_code=status, headers=head), h11.Data(data=reason.encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def make_room(connections: Iterable[Any], newest: Guarded) -> None:
    """One of them goes: who owes something, or else the newest."""
    owing = [each for each in connections if each is not newest and each.waits]
    if owing:
        min(owing, key=lambda each: each.patience).leave(408, "others wait for this place, and the request is not whole")
    else:
        newest.leave(429, "as many clients are connected as may be; come again")
