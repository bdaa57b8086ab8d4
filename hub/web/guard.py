"""Refuses forged and oversized requests before anything checks who sent them.

- Host must name the hub: either loopback with the port that the connection came in by (against DNS rebinding), or the
  public address, and then the request must come from a proxy that the settings name.
- Each unsafe request and each WebSocket must have the Origin of the hub's own pages. An unsafe request without Origin
  is refused too, unless it has `Sec-Fetch-Site: same-origin`. Programs other than browsers send Origin as pages do:
  there is one rule, and no header that gets around it.
- With a public address, loopback still works for programs on this machine that reach the hub without a proxy, for an
  operator's checks. A forwarded header shows that a proxy is in between.
- One address is exempt from the Origin rule: the one where Publik says that a booking changed. Its calls are signed,
  no cookie or session counts there, and at most it makes the hub look a booking up.
"""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.reached import ON_THIS_MACHINE, Reached, address_of, is_loopback
from hub.web.problems import failed, problem

# Ten times the longest form of a page.
MAX_BODY_BYTES = 64 * 1024
MOST_DIGITS = 9
# For the whole body. uvicorn itself would wait for ever.
BODY_LIMIT_S = 10.0
# A request passes a few proxies at most.
MOST_FORWARDED = 16
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The address that Publik calls.
PUSH_PATH = "/api/v1/publik/push"
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}")
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded")

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not no-referrer: browsers would then post forms with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# For a year, a browser asks for pages of this host over TLS only.
ONLY_BY_TLS = {"strict-transport-security": "max-age=31536000"}


class Guard:
    """Pure ASGI, around the door. A request that passes has the browser's own address as its `client`."""

    def __init__(self, app: ASGIApp, reached: Reached = ON_THIS_MACHINE) -> None:
        self._app, self._reached = app, reached
        self._headers = {**SECURITY_HEADERS, **(ONLY_BY_TLS if reached.by_tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = why_foreign(scope, headers, self._reached)
        if refused:
            await self._refuse(scope, receive, send, 403, "foreign_request", refused)
            return
        # The scope is changed in place: `Measured`, around the guard, reads from it which route was found.
        scope.update(placed(scope, headers, self._reached))
        path = path_of(scope)
        if path is None:
            await self._elsewhere(scope, receive, send)
            return
        if has_control_sign(path):
            await self._refuse(
                scope, receive, send, 404, "not_found", "an address must not contain a control character"
            )
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, self._secured(send))
            return
        # Browsers keep static files, but check each time whether they changed. They store nothing else.
        keep = "no-cache" if path.startswith("/static/") else "no-store"
        await self._with_body(scope, receive, self._secured(send, keep), headers)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Read the whole body before anything else: it is short, and a slow sender then holds no other resource."""
        too_much = why_body_refused(headers)
        if too_much:
            status, detail = too_much
            await problem(status, "body_refused", detail)(scope, receive, send)
            return
        if headers.get("content-length", "0") == "0":
            await self._ask(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_LIMIT_S):
                whole = await _read(receive)
        except TimeoutError:
            slow = problem(408, "body_refused", f"the body did not arrive within {BODY_LIMIT_S:g} s")
            slow.headers["connection"] = "close"
            await slow(scope, receive, send)
            return
        if whole is not None:
            await self._ask(scope, _after(whole, receive), send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer an exception: outside the guard, the answer would lack its headers."""
        is_answered = False

        async def send_noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if not is_answered:
                response = failed(scope["path"], error)
                await response(scope, receive, send)
            raise

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path does not begin with that of the public address."""
        reached = self._reached
        if scope["type"] == "http" and scope["path"] == reached.path:
            await RedirectResponse(f"{reached.path}/", 308)(scope, receive, self._secured(send))
            return
        detail = f"the hub's addresses begin with {reached.origin}{reached.path}/"
        await self._refuse(scope, receive, send, 404, "not_found", detail)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str) -> None:
        response = problem(status, code, detail)
        if scope["type"] == "http":
            await response(scope, receive, self._secured(send))
            return
        await deny(
            scope, receive, self._secured(send), response.status_code, response.raw_headers, bytes(response.body)
        )

    def _secured(self, send: Send, keep: str = "no-store") -> Send:
        async def send_secured(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", keep)
            await send(message)

        return send_secured


def why_foreign(scope: Scope, headers: Headers, reached: Reached) -> str | None:
    """Return why a request is not from a page of this hub, in one sentence; None if it is."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return f"the request has {len(hosts)} Host headers instead of one"
    origin, refused = _own_origin(scope, headers, hosts[0], reached)
    if refused:
        return refused
    is_safe = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    if is_safe or (scope["type"] == "http" and scope["path"] == f"{reached.path}{PUSH_PATH}"):
        return None
    origins = headers.getlist("origin")
    if not origins and scope["type"] == "http" and headers.get("sec-fetch-site") == "same-origin":
        return None
    if origins != [origin]:
        return f"Origin {', '.join(origins) or '(none)'} is not {origin}: only the hub's own pages may do that"
    return None


def _own_origin(scope: Scope, headers: Headers, host: str, reached: Reached) -> tuple[str, str | None]:
    """Return the Origin of the hub's own pages at this Host, and why the request is refused, None if it is not."""
    peer = _peer(scope)
    if reached.origin and host.lower() == reached.host:
        is_known = reached.is_proxy(peer)
        return reached.origin, None if is_known else f"{peer} is not one of the proxies in SUIVANT_TRUSTED_PROXIES"
    if names_this_machine(host, scope) and (not reached.origin or _is_direct(peer, headers)):
        return f"{'https' if scope['scheme'] in {'https', 'wss'} else 'http'}://{host}", None
    use = reached.origin or f"http://127.0.0.1:{_port(scope)}"
    return "", f"Host {host or '(none)'} is not this hub: use {use}"


def names_this_machine(host: str, scope: Scope) -> bool:
    """Whether a Host header names loopback, with the port that the connection came in by."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.netloc != host or parts.username is not None or (port or DEFAULT_PORTS[scope["scheme"]]) != _port(scope):
        return False
    return is_loopback(name)


def placed(scope: Scope, headers: Headers, reached: Reached) -> dict[str, Any]:
    """Return the scope's values as they were before the proxy: the browser's address, the scheme, the path prefix."""
    if not reached.origin:
        return {}
    own: dict[str, Any] = {"root_path": reached.path}
    if headers["host"].lower() == reached.host:
        own["client"] = (behind(_peer(scope), headers.getlist("x-forwarded-for"), reached), 0)
        if reached.by_tls:
            own["scheme"] = {"http": "https", "ws": "wss"}.get(scope["scheme"], scope["scheme"])
    return own


def behind(peer: str, forwarded: list[str], reached: Reached) -> str:
    """Return the client's address: the last of the forwarded addresses that is not a known proxy's.

    Addresses before it may be forged. An entry that is not an address ends the search: the last proxy found then
    counts as the client.
    """
    if not reached.is_proxy(peer):
        return peer
    nearest = peer
    for each in [each.strip() for each in ",".join(forwarded).split(",")][: -MOST_FORWARDED - 1 : -1]:
        found = address_of(_without_port(each))
        if found is None:
            return nearest
        nearest = str(found)
        if not reached.is_proxy(nearest):
            return nearest
    return nearest


def _without_port(forwarded: str) -> str:
    """Strip the port that some proxies add: `203.0.113.7:4711`, `[2001:db8::7]:4711`."""
    found = _WITH_PORT.fullmatch(forwarded)
    return (found["v6"] or found["v4"]) if found else forwarded


def path_of(scope: Scope) -> str | None:
    """Return the path as routes know it; None if it does not begin with that of the public address."""
    root, path = scope.get("root_path", ""), str(scope["path"])
    if not root:
        return path
    return path.removeprefix(root) if path.startswith(f"{root}/") else None


def has_control_sign(path: str) -> bool:
    """Whether a path has a control character. A route would match a path with a line feed at its end, too."""
    return any(sign < " " or sign == "\x7f" for sign in path)


def why_body_refused(headers: Headers) -> tuple[int, str] | None:
    """Return status and sentence if a body is too long or states no length. uvicorn enforces the stated length."""
    if "transfer-encoding" in headers:
        return 411, "a body needs a Content-Length"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > MOST_DIGITS or int(length) > MAX_BODY_BYTES:
        return 413, f"a body of {length} bytes is too long: at most {MAX_BODY_BYTES} bytes are allowed"
    return None


async def deny(
    scope: Scope, receive: Receive, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Answer a WebSocket's handshake with an HTTP response."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await receive()
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _read(receive: Receive) -> bytes | None:
    """Read a whole body; None if its sender disconnects."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _after(whole: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body already read, then whatever comes next."""
    given = False

    async def receive_after() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": whole, "more_body": False}

    return receive_after


def _is_direct(peer: str, headers: Headers) -> bool:
    return is_loopback(peer) and not any(name in headers for name in FORWARDED)


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _port(scope: Scope) -> int:
    server = scope.get("server") or ("", 0)
    return int(server[1] or 0)
