"""Live: a page on this machine alone that shows a run while it trains, from the files that it writes, and can stop it."""

import json
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from understudy.process.log import read_log, seeds_of
from understudy.process.progress import say
from understudy.study.run import WEIGHTS

PAGE = Path(__file__).with_name("live.html")
NAMES = ("127.0.0.1", "localhost")


@contextmanager
def live(run: Path, *, metric: str, trainings: Mapping[str, int], port: int = 0) -> Iterator[str]:
    """Inside, the page answers on a port of the loopback, which is said; its address. Its button does what Ctrl-C does.

    metric: the validation score that is drawn. trainings: system -> how many there will be.
    """
    token = secrets.token_urlsafe(16)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.ours():
                return
            if self.path == "/":
                page = PAGE.read_text(encoding="utf-8").replace("{{token}}", token)
                self.give(page, "text/html; charset=utf-8")
            elif self.path == "/state":
                self.give(json.dumps(state_of(run, metric, trainings)), "application/json")
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            if not self.ours():
                return
            if self.path != "/stop" or not secrets.compare_digest(self.headers.get("X-Token", ""), token):
                self.send_error(403)
                return
            self.give("{}", "application/json")
            os.kill(os.getpid(), signal.SIGINT)

        def ours(self) -> bool:
            """A page of another site may point a name of its own at this machine."""
            fine = self.headers.get("Host", "").partition(":")[0] in NAMES
            if not fine:
                self.send_error(421)
            return fine

        def give(self, text: str, kind: str) -> None:
            content = text.encode()
            self.send_response(200)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are no news."""

    server = ThreadingHTTPServer((NAMES[0], port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://{NAMES[0]}:{server.server_address[1]}/"
    say(f"live: {address}")
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def state_of(run: Path, metric: str, trainings: Mapping[str, int]) -> dict[str, Any]:
    """What the page draws: losses and scores of each training by epoch, whether it is done; and seconds left, or null."""
    found, taken, left = [], {}, 0.0
    for system, many in trainings.items():
        done = []
        for folder in seeds_of(run / system):
            lines = read_log(folder)
            finished = (folder / WEIGHTS).is_file()
            seconds = sum(line.get("seconds", 0.0) for line in lines)
            done += [seconds] if finished else []
            scores = [line.get("valid", {}).get(metric) for line in lines]
            name = f"{system}, {folder.name.replace('-', ' ')}"
            found.append({"name": name, "loss": [line.get("loss") for line in lines], "valid": scores, "done": finished})
            left -= 0.0 if finished else seconds
        taken[system] = (sum(done) / len(done) if done else None, many - len(done))
    known = [mean for mean, _ in taken.values() if mean is not None]
    left += sum(rest * (known[-1] if mean is None else mean) for mean, rest in taken.values()) if known else 0.0
    return {
        "run": run.name,
        "metric": metric,
        "trainings": found,
        "done": sum(each["done"] for each in found),
        "of": sum(trainings.values()),
        "left": max(0.0, left) if known else None,
    }
