"""Serving: requests a second with and without runs over requests, waiting times, an hour's worth of load, too much of it, the end.

python -m benchmarks.serving              everything, about a quarter of an hour
python -m benchmarks.serving --minutes 1  with a shorter soak
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from benchmarks.drawn_texts import small_text
from benchmarks.load import Asked, answer, many, request
from benchmarks.record import goal_table, write_result

CONNECTIONS = 64
ROUNDS = 7
GOALS = {
    "micro_batching_rps_over_without": (">=", 2),
    "p99_over_p50_at_half_load": ("<=", 4),
    "soak_errors": ("<=", 0),
    "soak_growth_mb": ("<=", 10),
    "overload_other_than_200_and_429": ("<=", 0),
    "overload_recovered_seconds": ("<=", 2),
    "lost_on_term": ("<=", 0),
}


class Server:
    """A process that serves. more: flags of the command."""

    def __init__(self, artifact: Path, *more: str) -> None:
        command = [sys.executable, "-m", "understudy", "serve", str(artifact), "--port", "0", *more]
        # A file, since a pipe that nobody reads would hold it up.
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(command, stderr=self._log, stdout=subprocess.DEVNULL)
        while "Ctrl-C" not in self.said:
            if self.process.poll() is not None:
                raise RuntimeError(f"it does not serve: {self.said}")
            time.sleep(0.05)
        self.port = int(self.said.partition("http://127.0.0.1:")[2].partition(";")[0])

    @property
    def said(self) -> str:
        """All that it wrote."""
        self._log.seek(0)
        return self._log.read()

    @property
    def megabytes(self) -> float:
        """Of memory that it holds."""
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def end(self) -> None:
        """As an orchestrator does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def served(artifact: Path, *more: str) -> Iterator[Server]:
    """A server, while it is asked."""
    server = Server(artifact, *more)
    try:
        yield server
    finally:
        server.end()


def asking(rows: int) -> bytes:
    """A request of so many rows of ten words."""
    words = "one of the things that people say of others often"
    return request("/v1/predict", json.dumps({"rows": [{"text": f"{words} {row}"} for row in range(rows)]}).encode())


def together(artifact: Path, seconds: float, rounds: int) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The same load on a server that answers requests together and on one that answers each alone, in turn."""
    rows = []
    with served(artifact) as ours, served(artifact, "--batch-ms", "0") as alone:
        for place in range(rounds + 1):
            found = {}
            for name, server in (("together", ours), ("alone", alone)):
                asked = many(server.port, asking(1), connections=CONNECTIONS, seconds=seconds)
                found[name] = asked.rate
                found[f"{name}_p50_ms"] = median(asked.answers) * 1e3
            if place:
                rows.append({"part": "together", "round": place} | found)
        capacity = median(row["together"] for row in rows)
        half = many(ours.port, asking(1), connections=CONNECTIONS, seconds=4 * seconds, rate=capacity / 2)
    cuts = quantiles(half.answers, n=100)
    figures = {
        "requests_per_s": capacity,
        "requests_per_s_alone": median(row["alone"] for row in rows),
        "micro_batching_rps_over_without": median(row["together"] / row["alone"] for row in rows),
        "half_load_p50_ms": cuts[49] * 1e3,
        "half_load_p99_ms": cuts[98] * 1e3,
        "p99_over_p50_at_half_load": cuts[98] / cuts[49],
    }
    return figures, rows


def soak(artifact: Path, minutes: float) -> dict[str, float]:
    """As fast as answers come, for long: what is no answer, and what memory grows after the first tenth."""
    with served(artifact) as server:
        first = many(server.port, asking(1), connections=CONNECTIONS // 2, seconds=6 * minutes)
        before = server.megabytes
        rest = many(server.port, asking(1), connections=CONNECTIONS // 2, seconds=54 * minutes)
        growth = server.megabytes - before
    answers = len(first.answers) + len(rest.answers)
    return {"soak_minutes": minutes, "soak_answers": answers, "soak_errors": bad(first) + bad(rest), "soak_growth_mb": growth}


def bad(asked: Asked, *allowed: int) -> int:
    """Requests without an answer, or with another status."""
    return asked.lost + sum(len(each) for status, each in asked.seconds.items() if status not in (200, *allowed))


def overload(artifact: Path, seconds: float) -> dict[str, float]:
    """Twice as many clients as may wait, each of many rows: what is turned away, and how soon a request is answered as before."""
    sent = asking(64)
    with served(artifact, "--requests", "16") as server:
        usual = median(many(server.port, sent, connections=1, seconds=seconds).answers)
        asked = many(server.port, sent, connections=32, seconds=2 * seconds)
        ended = time.perf_counter()
        while True:
            again = many(server.port, sent, connections=1, seconds=0.0001)
            if again.answers and median(again.answers) <= 2 * usual:
                break
            if time.perf_counter() - ended > 30:
                break
        recovered = time.perf_counter() - ended
    shed = len(asked.seconds.get(429, []))
    return {
        "overload_answers": len(asked.answers),
        "overload_shed": shed,
        "overload_other_than_200_and_429": bad(asked, 429),
        "overload_recovered_seconds": recovered,
    }


def parting(artifact: Path, rounds: int) -> dict[str, float]:
    """Requests that a server has when it is told to end, and those of them that it does not answer."""

    async def lost(server: Server) -> int:
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS // 2)]
        for _, writer in opened:
            writer.write(asking(64))
        await asyncio.sleep(0.1)
        os.kill(server.process.pid, signal.SIGTERM)
        found = await asyncio.gather(*(answer(reader) for reader, _ in opened), return_exceptions=True)
        return sum(isinstance(each, BaseException) or each[0] != 200 for each in found)

    total = 0
    for _ in range(rounds):
        with served(artifact) as server:
            total += asyncio.run(lost(server))
    return {"asked_at_term": rounds * (CONNECTIONS // 2), "lost_on_term": total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second of each; writes nothing")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak")
    asked = parser.parse_args()
    seconds, rounds, minutes = (0.3, 1, 0.01) if asked.quick else (3.0, ROUNDS, asked.minutes)
    with ExitStack() as stack:
        artifact = small_text(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="understudy-serving-"))))
        figures, rows = together(artifact, seconds, rounds)
        figures |= overload(artifact, seconds) | parting(artifact, rounds) | soak(artifact, minutes)
    if asked.quick:
        assert figures["lost_on_term"] == figures["soak_errors"] == figures["overload_other_than_200_and_429"] == 0
        return
    write_result("serving", figures=figures, rows=rows, seeds=[0], text=page(figures))


def page(figures: dict[str, float]) -> str:
    """What was done, and each figure beside its goal."""
    return f"""# A server under load

`understudy serve` in a process of its own, the package's small text student, rows of ten words; the clients, {CONNECTIONS} of them, in
one other process on the same machine. Together and alone (`--batch-ms 0`) in turn, medians of {ROUNDS} rounds. Half load: the
clients pause so that all of them ask half as often as the server can answer. Overload: twice as many clients as `--requests`,
64 rows each. `lost_on_term`: of requests sent a tenth of a second before SIGTERM those without an answer. Soak: half as many
clients as fast as answers come; memory is that after the first tenth and at the end.

{goal_table(GOALS, figures)}
"""


if __name__ == "__main__":
    main()
