"""Question: what a client asks, as JSON or as a form whose files are media, read whole and within limits. No torch."""

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from understudy.artifact.confidence import NOTHING, Wish
from understudy.process.document import Shape, refuse_misfit

# What it logs of a damaged form is no business of this service's log, which has nothing of what was sent.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
LARGEST_BODY = 10 * 2**20
"""Bytes of one request."""
MOST_PARTS = 100
"""Files of one form."""
REQUEST = "request"
"""The part of a form that holds the question itself."""
LINES = "application/x-ndjson"
Row = dict[str, Any]
SHAPE: Shape = {
    "rows": [{...: ()}],
    "model?": str,
    "modalities?": (None, [str]),
    "coverage?": float,
    "min_confidence?": float,
}


@dataclass(frozen=True, eq=False)
class Question:
    """Rows for a model, "" is the only one that is served. only: modalities to read, None for all that a row has.

    files: of a form, by the name of their part; a row's cell names one: {"part": NAME}.
    """

    rows: list[Row]
    model: str = ""
    only: tuple[str, ...] | None = None
    wish: Wish = NOTHING
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def manner(self) -> tuple[Any, ...]:
        """Questions of the same manner may be answered together."""
        return (self.only, self.wish)


def parsed(content: bytes, files: Mapping[str, bytes] | None = None) -> Question:
    """The question in a body; ValueError that says what is wrong with it."""
    try:
        document = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError('expected a JSON object with the rows: {"rows": [{"column": value, ...}, ...]}')
    known = [name.removesuffix("?") for name in SHAPE]
    unknown = [name for name in document if name not in known]
    if unknown:
        raise ValueError(f"unknown entry {unknown[0]!r:.60} of the request; known: {', '.join(known)}")
    if isinstance(rows := document.get("rows"), list):
        bad = next((place for place, row in enumerate(rows, start=1) if not isinstance(row, dict)), 0)
        if bad:
            raise ValueError(f'row {bad} is no object; expected {{"column": value, ...}}')
        refuse_misfit(document | {"rows": []}, SHAPE, "the request")
    else:
        refuse_misfit(document, SHAPE, "the request")
    only = document.get("modalities")
    wish = Wish(document.get("coverage", 0.0), document.get("min_confidence", 0.0))
    return Question(rows or [], document.get("model", ""), None if only is None else tuple(only), wish, files or {})


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number; use null for a missing one")


async def read_question(request: Request) -> Question:
    """What a request asks. HTTPException: 415 for another type of content, 413 for too much of it; ValueError as `parsed`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        # Any web page may send other types to a local port; JSON makes the browser ask first.
        raise HTTPException(415, f"content type {kind or 'not given'}: send application/json or multipart/form-data")
    content = await read_body(request)
    return parsed(content) if kind == "application/json" else await read_form(request.headers, content)


async def read_body(request: Request) -> bytes:
    """The whole body, given up as soon as it is larger than allowed, whatever its headers say."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            said = f"the request is larger than {LARGEST_BODY // 2**20} MB; send fewer rows at once"
            raise HTTPException(413, said, headers={"Connection": "close"})
        parts.append(part)
    return b"".join(parts)


async def read_form(headers: Headers, content: bytes) -> Question:
    """The question of a form: its part `request`, and the files that its rows name."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield content

    parser = MultiPartParser(headers, whole(), max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=LARGEST_BODY)
    # A body of this size stays in memory.
    parser.spool_max_size = LARGEST_BODY
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise ValueError(f"the form cannot be read: {getattr(error, 'message', error)}") from None
    try:
        asked = form.getlist(REQUEST)
        if len(asked) != 1 or not isinstance(asked[0], str):
            raise ValueError(f'expected one part {REQUEST!r} with {{"rows": [...]}}, and the files that they name beside it')
        files: dict[str, bytes] = {}
        for name, part in form.multi_items():
            if name != REQUEST and not isinstance(part, UploadFile):
                raise ValueError(f"part {name!r:.60} is no file; what is none stands in the rows of {REQUEST!r}")
            if name in files:
                raise ValueError(f"two parts are called {name!r:.60}")
            if isinstance(part, UploadFile):
                files[name] = await part.read()
        return parsed(asked[0].encode(), files)
    finally:
        await form.close()
