"""A corpus behind a URL: copied once, whatever the store does meanwhile, and the same rows as in its folder."""

import shutil
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import understudy as us
from study.small import make_corpus
from understudy.cli import main
from understudy.corpus import Corpus, make_split, remote

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Corpus:
    monkeypatch.setenv("UNDERSTUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    return make_corpus(tmp_path / "corpus")


@pytest.fixture
def memory(corpus):
    files = fsspec.filesystem("memory")
    files.put(f"{corpus.folder}/", "/bucket/clips/", recursive=True)
    yield files
    files.store.clear()


class Handler(BaseHTTPRequestHandler):
    """The files of a folder; what `server.bad` says of a name happens so many times before the file is sent."""

    def do_GET(self) -> None:
        server, name = self.server, Path(self.path).name
        server.asked[name] += 1  # pyright: ignore[reportAttributeAccessIssue]
        how, times = server.bad.get(name, ("", 0))  # pyright: ignore[reportAttributeAccessIssue]
        path = server.folder / self.path.lstrip("/")  # pyright: ignore[reportAttributeAccessIssue]
        if how and server.asked[name] <= times and how != "other":  # pyright: ignore[reportAttributeAccessIssue]
            if how == "late":
                time.sleep(1)
            return self.send_error(503)
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        if how == "other" and server.asked[name] <= times:  # pyright: ignore[reportAttributeAccessIssue]
            content = bytes(len(content))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(corpus):
    pytest.importorskip("aiohttp")
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.folder, found.bad, found.asked = corpus.folder.parent, {}, Counter()  # pyright: ignore[reportAttributeAccessIssue]
    thread = Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def url_of(server) -> str:
    return f"http://127.0.0.1:{server.server_port}/corpus"


def test_the_rows_are_those_of_the_folder(corpus, memory):
    found = Corpus("memory://bucket/clips")
    assert found.fingerprint == corpus.fingerprint
    assert found.splits == corpus.splits
    assert (found.ids == corpus.ids).all()
    np.testing.assert_array_equal(found.split("main").train, corpus.split("main").train)
    np.testing.assert_array_equal(found.cells("weak", [3, 1]).values, corpus.cells("weak", [3, 1]).values)
    assert not us.check(found).errors


def test_what_is_there_is_not_copied_again_and_a_new_split_is(corpus, memory, monkeypatch):
    Corpus("memory://bucket/clips")
    corpus.save_split(make_split(corpus, name="later", seed=5))
    memory.put(str(corpus.folder / "splits.json"), "/bucket/clips/splits.json")
    memory.put(str(corpus.folder / "splits" / "later.arrow"), "/bucket/clips/splits/later.arrow")
    memory.rm("/bucket/clips/rows-0.arrow")
    found = Corpus("memory://bucket/clips/")
    np.testing.assert_array_equal(found.split("later").test, corpus.split("later").test)
    with pytest.raises(ValueError, match="memory://bucket/clips/ is only read: save the split in the folder that lies there"):
        found.save_split(make_split(found, name="own"))


def test_a_run_says_the_url_and_is_opened_from_it(corpus, memory, tmp_path):
    asked = {"student": ["weak"], "split": "main", "plan": {"epochs": 1}, "seeds": 1, "report": False}
    run = us.distill("memory://bucket/clips", out=tmp_path / "run", **asked)
    assert run.settings["arguments"]["corpus"] == "memory://bucket/clips"
    shutil.rmtree(tmp_path / "cache")
    assert us.load(tmp_path / "run").corpus().fingerprint == corpus.fingerprint


def test_the_command_line_reads_urls(memory, capsys):
    assert main(["check", "memory://bucket/clips"]) == 0
    assert "understudy distill memory://bucket/clips --student" in capsys.readouterr().out
    assert main(["split", "memory://bucket/clips"]) == 2
    assert "memory://bucket/clips is only read: save the split in the folder" in capsys.readouterr().err
    assert main(["check", "memory://bucket/none"]) == 2
    assert capsys.readouterr().err == "understudy: there is no memory://bucket/none/corpus.json\n"
    assert main(["check", "gopher://bucket/none"]) == 2
    assert "gopher://bucket/none: Protocol not known: gopher; known are, among others, s3, gs" in capsys.readouterr().err
    memory.pipe("/bucket/clips/corpus.json", b"{")
    assert main(["check", "memory://bucket/clips"]) == 2
    assert capsys.readouterr().err.startswith("understudy: memory://bucket/clips/corpus.json is damaged: ")


@pytest.mark.parametrize("how", ["error", "late", "other"])
def test_a_store_that_fails_is_asked_again(corpus, server, monkeypatch, how):
    monkeypatch.setattr(remote, "PATIENCE", 0.3)
    server.bad["rows-0.arrow"] = (how, 2)
    assert Corpus(url_of(server)).fingerprint == corpus.fingerprint
    assert server.asked["rows-0.arrow"] == 3
    assert Corpus(url_of(server)).split("main").hash == corpus.split("main").hash
    assert server.asked["rows-0.arrow"] == 3


@pytest.mark.parametrize(
    ("how", "said"),
    [("error", "503"), ("late", "not a byte in 0.2 seconds"), ("other", "what came is not what corpus.json says")],
)
def test_a_store_that_goes_on_failing_is_named_and_nothing_is_left(corpus, server, monkeypatch, tmp_path, capsys, how, said):
    monkeypatch.setattr(remote, "PATIENCE", 0.2)
    server.bad["rows-0.arrow"] = (how, 99)
    assert main(["check", url_of(server)]) == 2
    found = capsys.readouterr().err
    assert found.startswith(f"understudy: {url_of(server)}/rows-0.arrow does not come, asked for 4 times: ")
    assert said in found
    assert len(found.splitlines()) == 1
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
