"""Hosts: by which names the service answers, and that no page of another site uses a browser to ask it. No torch."""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def names_of(host: str) -> tuple[str, ...]:
    """The names that a service on `host` goes by where only this machine reaches it; none, that is any, elsewhere."""
    try:
        inside = ip_address(host).is_loopback
    except ValueError:
        inside = host == "localhost"
    return (*LOOPBACK, f"[{host}]" if ":" in host else host) if inside else ()


class OnlyHosts:
    """Answers 421 to requests for other names: a page of another site may point a name of its own at this machine.

    And 403 to what such a page has a browser send, which a form is without asking first.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if self.names and without_port(one_of(scope, b"host")) not in self.names:
            asked = without_port(one_of(scope, b"host")) or "no host"
            said = f"this service answers as {', '.join(sorted(self.names))}; the request is for {asked!r}"
            return await JSONResponse({"detail": said}, status_code=421)(scope, receive, send)
        origin = one_of(scope, b"origin")
        if origin and scope["method"] != "GET" and origin.partition("://")[2] != one_of(scope, b"host"):
            said = "this request comes from a page of another site; ask from a page of this service, or from a program"
            return await JSONResponse({"detail": said}, status_code=403)(scope, receive, send)
        return await self.app(scope, receive, send)


def one_of(scope: Scope, name: bytes) -> str:
    """A header in lower case; "" where there is none, or more than one."""
    found = [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else ""


def without_port(host: str) -> str:
    """The name alone."""
    name, colon, port = host.rpartition(":")
    return name if colon and not port.endswith("]") else host
