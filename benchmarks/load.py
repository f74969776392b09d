"""Load: many connections that ask a server the same, from one process, with as little work a request as can be."""

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Asked:
    """What came of it: seconds of each answer, by status; how many connections ended without one."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    lost: int = 0
    elapsed: float = 0.0

    @property
    def answers(self) -> list[float]:
        """Seconds of the good ones."""
        return self.seconds.get(200, [])

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.answers) / self.elapsed


def request(path: str, body: bytes, kind: str = "application/json") -> bytes:
    """A whole request on a connection that stays open."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Status, whether the connection stays open, and the body; OSError or EOFError where there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, lower = int(head[9:12]), head.lower()
    length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length)) if length else await reader.read()
    return status, b"connection: close" not in lower and bool(length), body


async def one(port: int, sent: bytes, asked: Asked, end: float, pause: float) -> None:
    """One client until `end`: it asks, reads, waits where told, asks again; it comes again where it is turned away."""
    reader = writer = None
    while time.perf_counter() < end:
        begun = time.perf_counter()
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            status, stays, _ = await answer(reader)
        except (OSError, EOFError):
            asked.lost += 1
            writer = None
            await asyncio.sleep(0.05)
            continue
        asked.seconds.setdefault(status, []).append(time.perf_counter() - begun)
        if not stays:
            writer.close()
            writer = None
        if pause or status == 429:
            await asyncio.sleep(max(0.0, begun + pause - time.perf_counter()) if status == 200 else 0.05)
    if writer is not None:
        writer.close()


async def _many(port: int, sent: bytes, connections: int, seconds: float, rate: float) -> Asked:
    asked, begun = Asked(), time.perf_counter()
    pause = connections / rate if rate else 0.0
    await asyncio.gather(*(one(port, sent, asked, begun + seconds, pause) for _ in range(connections)))
    asked.elapsed = time.perf_counter() - begun
    return asked


def many(port: int, sent: bytes, *, connections: int, seconds: float, rate: float = 0.0) -> Asked:
    """So many clients at once for so long. rate: requests a second of all of them; as fast as answers come when 0."""
    return asyncio.run(_many(port, sent, connections, seconds, rate))
