"""The answers to requests that the door does not let in: for people, for a page's script and for programs."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from hub.auth.access import API
from hub.auth.roles import Role
from hub.reached import Reached
from hub.web.desk.view import DeskView
from hub.web.guard import deny
from hub.web.problems import problem
from hub.web.words import say

# The close codes of sockets, which a page's script reads.
SESSION_OVER, RIGHTS_CHANGED, DESK_GONE = 4401, 4403, 4404
START = "/"
_DESK = re.compile(r"/desks/[a-z0-9-]{1,64}(?=/|$)")
# The names of roles for people: message ids of the catalogue.
NAME_OF = {
    Role.AGENT: "agent",
    Role.RECEPTION: "reception",
    Role.SUPERVISOR: "supervisor",
    Role.ADMINISTRATOR: "administrator",
}


def is_for_programs(path: str) -> bool:
    return path.startswith(f"{API}/") or path in {"/metrics", "/healthz"}


class TurnedAway:
    """One request or handshake that is turned away."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, path: str, reached: Reached, view: DeskView) -> None:
        self._scope, self._receive, self._send, self._path = scope, receive, send, path
        self._reached, self._view = reached, view
        self._is_script = Headers(scope=scope).get("hx-request") == "true"
        self._is_page = not is_for_programs(path)

    async def unknown(self) -> None:
        """Answer an unknown sender. The answer is the same whether or not the address exists."""
        if not self._is_page:
            detail = "log in, or send a token: Authorization: Bearer TOKEN"
            await self.refuse(401, "not_logged_in", detail, {"www-authenticate": 'Bearer realm="suivant"'})
            return
        if self._scope["type"] == "websocket":
            await self._accept_and_close(SESSION_OVER)
            return
        login = f"{self._reached.path}/login{self._back()}"
        by_script = Response(status_code=401, headers={"hx-redirect": login})
        await self._answer(by_script if self._is_script else RedirectResponse(login, 303))

    async def nowhere(self, methods: list[str]) -> None:
        if methods and self._scope["type"] == "http":
            await self.refuse(
                405,
                "method_not_allowed",
                f"this address takes only {' or '.join(methods)}",
                {"allow": ", ".join(methods)},
            )
            return
        await self.refuse(404, "not_found", "there is nothing at this address")

    async def forbidden(self, allowed: Iterable[Role]) -> None:
        needed = sorted(allowed)
        if not self._is_page:
            one_of = f"one of the roles {', '.join(needed)}" if len(needed) > 1 else f"the role {needed[0]}"
            await self._answer(problem(403, "role_missing", f"this requires {one_of}", {"roles": needed}))
            return
        if self._scope["type"] == "websocket":
            await self._accept_and_close(RIGHTS_CHANGED)
            return
        roles = ", ".join(say(NAME_OF[role]) for role in needed)
        sentence = say("Your account may not do this. It takes one of these roles: %(roles)s.", roles=roles)
        html = self._view.said(sentence) if self._is_script else self._view.forbidden(sentence)
        await self._answer(HTMLResponse(html, 403))

    async def refuse(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        response = problem(status, code, detail)
        response.headers.update(headers or {})
        await self._answer(response)

    async def _answer(self, response: Response) -> None:
        if self._scope["type"] == "http":
            await response(self._scope, self._receive, self._send)
            return
        headers, body = response.raw_headers, bytes(response.body)
        await deny(self._scope, self._receive, self._send, response.status_code, headers, body)

    async def _accept_and_close(self, code: int) -> None:
        """Accept first, since a browser tells a page's script nothing about a refused handshake."""
        await self._receive()
        await self._send({"type": "websocket.accept"})
        await self._send({"type": "websocket.close", "code": code})

    def _back(self) -> str:
        """Return the query that leads on after the login: to the page asked for, or the page whose form was sent."""
        query = self._scope["query_string"].decode("latin-1")
        to = f"{self._path}?{query}" if query else self._path
        if self._scope["method"] not in {"GET", "HEAD"} or self._is_script:
            desk = _DESK.match(self._path)
            to = desk[0] if desk else START
        return "" if to == START else f"?to={quote(to, safe='/')}"
