"""Loopback is no login: what a browser on this machine may be tricked into must be refused.

Until agents sign on, the hub binds to loopback alone, and this guard refuses with 403

- each request whose Host is not loopback with the port it came in by (DNS rebinding);
- each unsafe request and each WebSocket whose Origin is not the page's own (any other page in the same browser).

An unsafe request without Origin is refused too, unless the browser says `Sec-Fetch-Site: same-origin`. A program that
is no browser sends `Origin: http://127.0.0.1:PORT` like the pages do: one rule, and no header that opens a door.

One address is outside of the Origin rule: where Publik says that a booking changed. Its calls are signed, no cookie or
session counts there, and the most it does is to look a booking up. Whoever lets Publik in from elsewhere does so by a
proxy on this machine that names loopback as its Host.
"""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.problems import problem

# The longest form of a page is a tenth of it.
MAX_BODY_BYTES = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The door for Publik's calls.
PUSH_PATH = "/api/v1/publik/push"
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not no-referrer: a form would then be posted with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Pure ASGI, around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = why_foreign(scope, headers)
        if refused:
            await _refuse(scope, receive, send, 403, "foreign_request", refused)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        too_much = why_body_refused(headers)
        if too_much:
            status, detail = too_much
            await _refuse(scope, receive, send, status, "body_refused", detail)
            return
        # What rarely changes is asked for anew, but sent only where it is another; all else is of this moment.
        keep = "no-cache" if scope["path"].startswith("/static/") else "no-store"
        await self._app(scope, receive, _secured(send, keep))


def why_foreign(scope: Scope, headers: Headers) -> str | None:
    """Why a request is not from a page of this hub on this machine, in one sentence; None where it is."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_loopback(hosts[0], scope):
        return f"Host {', '.join(hosts) or '(none)'} is not this machine: use http://127.0.0.1:{_port(scope)}"
    if scope["type"] == "http" and (scope["method"] in SAFE_METHODS or scope["path"] == PUSH_PATH):
        return None
    origins = headers.getlist("origin")
    if not origins and scope["type"] == "http" and headers.get("sec-fetch-site") == "same-origin":
        return None
    own = f"{'https' if scope['scheme'] in {'https', 'wss'} else 'http'}://{hosts[0]}"
    if origins != [own]:
        return f"Origin {', '.join(origins) or '(none)'} is not {own}: only this hub's own pages may do that"
    return None


def is_loopback(host: str, scope: Scope) -> bool:
    """Whether a Host header names this machine by loopback, with the port the connection came in by."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.netloc != host or parts.username is not None or (port or DEFAULT_PORTS[scope["scheme"]]) != _port(scope):
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def why_body_refused(headers: Headers) -> tuple[int, str] | None:
    """Status and sentence for a body that is too long or of unsaid length; the server holds it to what it says."""
    if "transfer-encoding" in headers:
        return 411, "a body must say its Content-Length"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        return 413, f"a body of {length} bytes is too long: at most {MAX_BODY_BYTES} bytes are read"
    return None


def _port(scope: Scope) -> int:
    server = scope.get("server") or ("", 0)
    return int(server[1] or 0)


def _secured(send: Send, keep: str = "no-store") -> Send:
    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", keep)
        await send(message)

    return send_secured


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str) -> None:
    response = problem(status, code, detail)
    if scope["type"] == "http":
        await response(scope, receive, _secured(send))
        return
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await receive()
    start: dict[str, Any] = {"status": status, "headers": response.raw_headers}
    await send({"type": "websocket.http.response.start", **start})
    await send({"type": "websocket.http.response.body", "body": response.body})
