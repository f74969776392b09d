"""A headless Chromium that is told what to do over its debugging pipe: type, press, look."""

import base64
import json
import os
import select
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
QUIET += ["disable-component-update", "disable-sync", "hide-scrollbars", "remote-debugging-pipe"]
PATIENCE = 60.0


class Browser:
    """One page of one browser; close it."""

    def __init__(self, profile):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # The browser reads what it is told from its handle 3 and answers through 4.
        high = [os.dup(to_read), os.dup(to_write)]
        script = f'exec 3<&{high[0]} 4>&{high[1]}; exec "$0" "$@"'
        command = ["bash", "-c", script, CHROMIUM, *(f"--{flag}" for flag in QUIET), f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(command, pass_fds=high, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for handle in (to_read, to_write, *high):
            os.close(handle)
        self._rest, self._number, self.events, self._session = b"", 0, [], {}
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.say(f"{domain}.enable")

    def say(self, method, **parameters):
        """What is answered to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self._rest:
                ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
                assert ready, f"no answer to {method}"
                part = os.read(self._from, 2**20)
                assert part, f"the browser ended before it answered {method}"
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\0")
            found = json.loads(line)
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def open(self, url, width=1000, height=900, dark=False):
        """Load a page in a window of that size, and wait for its scripts."""
        self.say("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.say("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.say("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def ask(self, code):
        """The value of an expression."""
        found = self.say("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, code):
        """Until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.ask(code):
            assert time.monotonic() < end, f"never became true: {code}"
            time.sleep(0.02)

    def press(self, key, modifiers=0):
        """One key, such as Tab or Enter."""
        text = {"Enter": "\r"}.get(key, "")
        code = {"Enter": 13, "Tab": 9}[key]
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.say("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.say("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text):
        """Into what has the focus."""
        self.say("Input.insertText", text=text)

    def shot(self, path):
        """A picture of the whole page."""
        path.write_bytes(base64.b64decode(self.say("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def complaints(self):
        """What it logged: errors of scripts, and what the page's policy forbade."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [each["params"] for each in self.events if each.get("method") in kinds]

    def asked(self):
        """The addresses of all requests."""
        found = [each["params"]["request"]["url"] for each in self.events if each.get("method") == "Network.requestWillBeSent"]
        return [url for url in found if not url.startswith("data:")]

    def close(self):
        """End it."""
        self._session = {}
        try:
            self.say("Browser.close")
        finally:
            self._process.wait(timeout=20)
            os.close(self._to)
            os.close(self._from)


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of requests."""

    def log_message(self, *said):
        pass


@contextmanager
def files_of(folder):
    """The address of a folder's files, while they are served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
