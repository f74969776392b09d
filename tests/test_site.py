"""The site of the documentation: it builds strictly, has a page of every command, and a reader's browser asks no other host."""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import understudy as us
from serve.browser import CHROMIUM, Browser
from understudy.cli import COMMANDS

ROOT = Path(__file__).parent.parent
pytest.importorskip("mkdocs", reason="needs the extra [docs]")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    told = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_command_and_every_public_name_has_its_place(site):
    wanted = {
        "-".join(filter(None, (name, each)))
        for name, function in COMMANDS.items()
        for each in (function if isinstance(function, dict) else [""])
    }
    assert {path.stem for path in (site / "commands").glob("*.html")} == wanted
    assert "one split a group instead" in (site / "commands" / "split.html").read_text(encoding="utf-8")
    reference = (site / "reference.html").read_text(encoding="utf-8")
    assert [name for name in us.__all__ if f'.{name}"' not in reference] == []


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")
def test_search_finds_a_command_and_nothing_is_asked_elsewhere(site, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_address[1]}/"
        browser = Browser(tmp_path / "profile")
        try:
            browser.open(f"{here}index.html?q=leave-one-group-out")
            browser.wait("document.querySelectorAll('.md-search-result__item a[href*=\"commands/split.html\"]').length > 0")
            browser.open(f"{here}reference.html", width=390)
            assert browser.ask("document.documentElement.scrollWidth <= 390")
            assert [url for url in browser.asked() if not url.startswith(here)] == []
        finally:
            browser.close()
            server.shutdown()
