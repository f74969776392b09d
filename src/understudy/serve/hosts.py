"""Hosts: by which names the service answers. No torch."""

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
    """Answers 421 to requests for other names: a page of another site may point a name of its own at this machine."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http" or not self.names or host_of(scope) in self.names:
            return await self.app(scope, receive, send)
        said = f"this service answers as {', '.join(sorted(self.names))}; the request is for {host_of(scope) or 'no host'!r}"
        return await JSONResponse({"detail": said}, status_code=421)(scope, receive, send)


def host_of(scope: Scope) -> str:
    """The Host of a request without its port, in lower case; "" where there is none, or more than one."""
    found = [value.decode("latin-1").strip().lower() for name, value in scope["headers"] if name == b"host"]
    if len(found) != 1:
        return ""
    host, colon, port = found[0].rpartition(":")
    return host if colon and not port.endswith("]") else found[0]
