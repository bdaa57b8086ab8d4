"""Checks who sends each request or opens each socket, and whether they may, before any route sees it.

A person is known by their browser's session cookie, a program by its bearer token; a request with both is refused. The
table in `hub.auth.access` says which roles each address lets in. A path without a row answers 404, and an unknown
sender is not told which paths exist. A socket is closed when its session ends or gets other roles.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.auth.access import ACCESS, WS, Allowed, Anyone
from hub.auth.people import MachineToken
from hub.auth.roles import Role
from hub.auth.sessions import Session
from hub.database.faults import DatabaseFault
from hub.reached import Reached
from hub.web import problems
from hub.web.desk.view import DeskView
from hub.web.guard import path_of
from hub.web.parts import WebParts
from hub.web.turned_away import RIGHTS_CHANGED, SESSION_OVER, TurnedAway

log = structlog.get_logger()

# How long to wait for a close frame to be sent: the reader may have stopped reading.
CLOSE_LIMIT_S = 2.0
MAX_TOKEN = 200
# The header of requests that a page's script sends without a gesture, to refresh an open panel.
KEPT_NEW = "x-kept-new"

Who = Session | MachineToken


class RouteWithoutAccess(Exception):
    """A route has no row in the access table: the hub does not start."""

    def __init__(self, method: str, template: str) -> None:
        super().__init__(f"{method} {template} has no row in hub.auth.access: say there whom it lets in")


class Unclear(Exception):
    """The request does not say clearly who sends it; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    template: str
    path: re.Pattern[str]
    allowed: Allowed


class Rules:
    """The routes of an application, each with its row of the access table. As in the router, the first match counts."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        """Raises RouteWithoutAccess."""
        self._of: dict[str, list[Rule]] = {}
        for method, template, path in asked_by(routes):
            allowed = ACCESS.get(("GET" if method == "HEAD" else method, template))
            if allowed is None:
                raise RouteWithoutAccess(method, template)
            self._of.setdefault(method, []).append(Rule(template, path, allowed))

    def of(self, method: str, path: str) -> Rule | None:
        return next((rule for rule in self._of.get(method, ()) if rule.path.match(path)), None)

    def methods_of(self, path: str) -> list[str]:
        """Return the HTTP methods that this path answers."""
        return [method for method in self._of if method != WS and self.of(method, path)]


def asked_by(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    """Yield the method (or WS), the template and the path pattern of everything that can be requested."""
    for context in iter_route_contexts(list(routes)):
        template = context.path or ""
        if isinstance(context.original_route, Mount):
            path, methods = compile_path(f"{template}/{{path:path}}")[0], {"GET", "HEAD"}
        else:
            path, methods = compile_path(template)[0], context.methods or {WS}
        for method in sorted(methods):
            yield method, template, path


@dataclass(eq=False, slots=True)
class _Socket:
    session: int
    roles: frozenset[Role]
    over: "asyncio.Future[int]"


class Door:
    """Pure ASGI, behind the guard. A route finds the sender in `request.state`, as `session` or `machine`.

    The other is None. Both are None at an address open to anyone.
    """

    def __init__(self, app: ASGIApp, rules: Rules, parts: WebParts, view: DeskView) -> None:
        self._app, self._rules, self._view = app, rules, view
        self._gate, self._reached, self._now_ms = parts.gate, parts.reached, parts.now_ms
        self._sockets: set[_Socket] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gate.book.on_end(self._ended)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = path_of(scope) or ""
        rule = self._rules.of(scope["method"] if scope["type"] == "http" else WS, path)
        state = scope.setdefault("state", {})
        state["session"] = state["machine"] = None
        if rule is not None and isinstance(rule.allowed, Anyone):
            await self._app(scope, receive, send)
            return
        turned = TurnedAway(scope, receive, send, path, self._reached, self._view)
        try:
            who = await self._who(HTTPConnection(scope))
        except Unclear as unclear:
            await turned.refuse(400, "unclear_who", str(unclear))
            return
        except DatabaseFault as fault:
            # Details of the database are not for an unknown sender.
            log.warning("door.token_not_read", error=str(fault))
            await turned.refuse(503, "database_away", problems.DATABASE_AWAY, {"retry-after": "1"})
            return
        if who is None:
            await turned.unknown()
        elif rule is None:
            await turned.nowhere(self._rules.methods_of(path))
        elif isinstance(rule.allowed, Anyone) or roles_of(who) & rule.allowed:
            state["session" if isinstance(who, Session) else "machine"] = who
            await self._let_in(scope, receive, send, who, rule)
        else:
            log.info("door.role_missing", method=scope.get("method", WS), route=rule.template)
            await turned.forbidden(rule.allowed)

    async def _who(self, connection: HTTPConnection) -> Who | None:
        """Return the sender, None if unknown. Raises Unclear, DatabaseFault."""
        cookie = connection.cookies.get(cookie_name(self._reached))
        given = connection.headers.getlist("authorization")
        if not given:
            by_itself = KEPT_NEW in connection.headers or connection.query_params.get("by") == "itself"
            by_hand = connection.scope["type"] == "http" and not by_itself
            return self._gate.book.find(cookie, self._now_ms(), by_hand=by_hand) if cookie else None
        if cookie:
            raise Unclear("the request has both a session cookie and an Authorization header: send only one of them")
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise Unclear("the Authorization header should be given once, as: Bearer TOKEN")
        if not 0 < len(token) <= MAX_TOKEN:
            return None
        return await run_in_threadpool(self._gate.token, token)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, who: Who, rule: Rule) -> None:
        if scope["type"] == "http" or not isinstance(who, Session) or isinstance(rule.allowed, Anyone):
            await self._app(scope, receive, send)
            return
        # Nothing is awaited between the session's look-up and here, so its end cannot be missed.
        self._loop = asyncio.get_running_loop()
        socket = _Socket(who.id, who.person.roles, self._loop.create_future())
        self._sockets.add(socket)
        serving = asyncio.ensure_future(self._app(scope, receive, send))
        either: set[asyncio.Future[Any]] = {serving, socket.over}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                await _end(serving)
                await _close(send, socket.over.result())
                return
            await serving
        finally:
            self._sockets.discard(socket)
            if not serving.done():
                await _end(serving)

    def _ended(self, sessions: frozenset[int]) -> None:
        """May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._judge, sessions)

    def _judge(self, sessions: frozenset[int]) -> None:
        """Close the sockets of sessions that ended or have other roles: a page offers what its roles may do."""
        for socket in [each for each in self._sockets if each.session in sessions and not each.over.done()]:
            session = self._gate.book.stands(socket.session)
            if session is None:
                socket.over.set_result(SESSION_OVER)
            elif session.person.roles != socket.roles:
                socket.over.set_result(RIGHTS_CHANGED)


def cookie_name(reached: Reached) -> str:
    """Return the session cookie's name. Browsers accept the prefix `__Host-` from this host and over TLS only."""
    return "__Host-suivant" if reached.by_tls else "suivant"


def roles_of(who: Who) -> frozenset[Role]:
    return who.person.roles if isinstance(who, Session) else frozenset({who.role})


async def _end(serving: "asyncio.Future[None]") -> None:
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def _close(send: Send, code: int) -> None:
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await send({"type": "websocket.close", "code": code})
    except TimeoutError:
        log.info("door.socket_cut_off", limit_s=CLOSE_LIMIT_S)
