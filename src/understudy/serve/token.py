"""Token: a secret that every request has to carry. No torch."""

import os
import stat
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

VARIABLE = "UNDERSTUDY_TOKEN"
SHORTEST = 16
"""Characters of a token: fewer could be tried out."""
OPEN = ("/health", "/ready")
"""What an orchestrator asks, which has no token."""


def token_from(file: str | Path, environment: Mapping[str, str] = os.environ) -> str:
    """The first line of a file, else the variable UNDERSTUDY_TOKEN, else "": none is asked for.

    ValueError for a file that others than its owner may read, a token that is short or not plain ASCII, and both at once.
    """
    given = environment.get(VARIABLE, "")
    if not file:
        return checked(given, f"the variable {VARIABLE}") if given else ""
    if given:
        raise ValueError(f"a token file and the variable {VARIABLE} are both given; leave one or the other out")
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"no token file {path}")
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        raise ValueError(f"the token file {path} can be read by others than its owner: chmod 600 it")
    lines = path.read_text(encoding="utf-8").splitlines()
    return checked(lines[0].strip() if lines else "", f"the token file {path}")


def checked(token: str, where: str) -> str:
    """The token, which no message repeats."""
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{where} holds no token of at least {SHORTEST} plain characters without a space")
    return token


class OnlyBearers:
    """Answers 401 to requests without `Authorization: Bearer TOKEN`; a token of "" lets everybody in."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.expected = app, f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http" or not self.expected or scope["path"] in OPEN:
            return await self.app(scope, receive, send)
        found = [value for name, value in scope["headers"] if name == b"authorization"]
        # In the same time wherever the two part.
        if len(found) == 1 and compare_digest(found[0], self.expected):
            return await self.app(scope, receive, send)
        said = {"detail": "this service asks for a token: send the header Authorization: Bearer TOKEN"}
        headers = {"WWW-Authenticate": "Bearer", "Connection": "close"}
        return await JSONResponse(said, status_code=401, headers=headers)(scope, receive, send)
