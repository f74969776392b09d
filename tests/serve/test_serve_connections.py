"""On a real port, without torch: clients that never finish, too many of them, a service that is told to end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from understudy.serve.connections import allowed

CODE = """
import resource, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
handles, patience = int(sys.argv[2]), float(sys.argv[3])
if handles:
    resource.setrlimit(resource.RLIMIT_NOFILE, (handles, handles))
from understudy.serve import serve
from understudy.serve.connections import Guarded
if patience:
    Guarded.head_seconds = Guarded.body_seconds = patience
if __name__ == "__main__":
    serve(sys.argv[1], port=0, workers=int(sys.argv[4]))
"""
BODY = json.dumps({"rows": [{"said": "hello"}]}).encode()
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Service:
    """A process that serves; what it says besides its first line is kept."""

    def __init__(self, artifact, handles=0, patience=0.0, workers=1):
        command = [sys.executable, "-c", CODE, *map(str, (artifact, handles, patience, workers))]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        self.said = self.process.stderr.readline()
        assert self.said.startswith("serving count <script>alert(1)</script> on http://127.0.0.1:"), (
            self.said + self.process.stderr.read()
        )
        self.where = self.said.split()[-4].rstrip(";")
        self.port = int(self.where.rpartition(":")[2])

    def connect(self, sent=b""):
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        opened.sendall(sent)
        return opened

    def get(self, path="/health", body=None):
        request = urllib.request.Request(self.where + path, body, {"Content-Type": "application/json"} if body else {})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def end(self, number=signal.SIGTERM):
        """Its exit code, and what it said."""
        os.kill(self.process.pid, number)
        said = self.process.communicate(timeout=20)[1]
        return self.process.returncode, said


@pytest.fixture
def serving(artifact):
    with contextlib.ExitStack() as stack:

        def start(**named):
            service = Service(artifact, **named)
            stack.callback(service.process.wait)
            stack.callback(service.process.kill)
            return service

        yield start


def answer_of(opened):
    with opened:
        return b"".join(iter(lambda: opened.recv(65536), b""))


def test_it_answers_and_neither_half_a_head_nor_half_a_body_holds_up_its_end(serving):
    service = serving()
    assert service.get()["status"] == "ok"
    assert service.get("/v1/predict", BODY)["predictions"] == [{"prediction": 1.0}]
    left = service.connect(HEAD + BODY)
    left.close()
    halves = [service.connect(HEAD[:40]), service.connect(HEAD + BODY[:3]), service.connect()]
    service.get()
    start = time.monotonic()
    assert service.end() == (0, "")
    assert time.monotonic() - start < 10
    assert answer_of(halves[1]).startswith(b"HTTP/1.1 408 ")
    for half in halves:
        half.close()


def test_who_does_not_send_on_is_let_go(serving):
    service = serving(patience=0.3)
    for sent in (HEAD[:40], HEAD + BODY[:3]):
        assert b"the rest of the request did not come in time" in answer_of(service.connect(sent))
    # Byte by byte is no way to stay, and neither is a body that trickles in behind an answer.
    slow = service.connect()
    with contextlib.suppress(OSError):
        for byte in HEAD[:100]:
            slow.sendall(bytes([byte]))
            time.sleep(0.02)
    assert answer_of(slow).startswith(b"HTTP/1.1 408 ")
    assert service.end(signal.SIGINT) == (0, "")


def test_more_half_sent_requests_than_file_handles(serving):
    service = serving(handles=120)
    halves = [service.connect(HEAD[:40] if i % 2 else HEAD + BODY[:3]) for i in range(130)]
    start = time.monotonic()
    assert service.get()["status"] == "ok"
    assert service.get("/v1/predict", BODY)["predictions"] == [{"prediction": 1.0}]
    assert time.monotonic() - start < 5
    for half in halves:
        half.close()
    assert service.end() == (0, "")


@pytest.mark.parametrize(("handles", "found"), [(120, (20, 20)), (1024, (600, 128)), (2**20, (1000, 128)), (10, (1, 1))])
def test_places_by_file_handles(handles, found):
    assert allowed(handles) == found


def test_several_workers_count_together_and_end_together(serving):
    service = serving(workers=2)
    for _ in range(20):
        assert service.get("/v1/predict", BODY)["predictions"] == [{"prediction": 1.0}]
    with urllib.request.urlopen(service.where + "/metrics", timeout=20) as answer:
        assert f'route="/v1/predict",status="200"}} {20.0}' in answer.read().decode()
    assert service.end() == (0, "")


def test_nothing_that_was_accepted_is_lost_at_the_end(serving):
    service = serving()
    rows = json.dumps({"rows": [{"said": "hello"}] * 500}).encode()
    head = HEAD.replace(b"%d" % len(BODY), b"%d" % len(rows))
    asked = [service.connect(head + rows) for _ in range(20)]
    service.get()
    os.kill(service.process.pid, signal.SIGTERM)
    for each in asked:
        assert answer_of(each).startswith(b"HTTP/1.1 200 ")
    assert service.process.wait(timeout=20) == 0
