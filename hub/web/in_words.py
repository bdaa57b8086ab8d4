"""Turns problem documents into pages for people. Programs and a page's script get the document unchanged."""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.desk.view import DeskView
from hub.web.problems import MEDIA_TYPE
from hub.web.turned_away import is_for_programs
from hub.web.words import say

# By the problem's code. Other codes get the sentence that the hub failed.
SENTENCES = {
    "not_found": "There is nothing at this address.",
    "unknown": "There is nothing at this address.",
    "invalid_request": "There is nothing at this address.",
    "method_not_allowed": "There is nothing at this address.",
    "foreign_request": "Suivant can't be opened this way. Tell the IT department.",
    "hub_busy": "The hub could not do that. Nothing was changed; try again.",
    "database_away": "The hub could not do that. Nothing was changed; try again.",
}
# For these, the page does not show the document's `detail`.
PLAIN = frozenset({"not_found", "unknown", "invalid_request", "method_not_allowed"})
# For these, the page has no link to the start page: it cannot be reached either.
UNREACHED = frozenset({"foreign_request"})


class InWords:
    """Pure ASGI, around the guard: people can read the guard's refusals too."""

    def __init__(self, app: ASGIApp, view: DeskView, base: str) -> None:
        self._app, self._view, self._base = app, view, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and wants_page(Headers(scope=scope))
        if is_read and not is_for_programs(scope["path"].removeprefix(self._base)):
            await self._app(scope, receive, self._worded(send))
            return
        await self._app(scope, receive, send)

    def _worded(self, send: Send) -> Send:
        start: Message | None = None
        document = b""

        async def send_worded(message: Message) -> None:
            nonlocal start, document
            if message["type"] == "http.response.start" and Headers(scope=message).get("content-type") == MEDIA_TYPE:
                start = message
                return
            if start is None:
                await send(message)
                return
            document += message.get("body", b"")
            if message.get("more_body", False):
                return
            page = self._page(document).encode()
            headers = MutableHeaders(scope=start)
            headers["content-type"] = "text/html; charset=utf-8"
            headers["content-length"] = str(len(page))
            await send(start)
            await send({"type": "http.response.body", "body": page})

        return send_worded

    def _page(self, document: bytes) -> str:
        told = json.loads(document)
        code = told["code"]
        sentence = say(SENTENCES.get(code, "The hub failed at this. Tell the IT department."))
        return self._view.refused(sentence, "" if code in PLAIN else told["detail"], leads_back=code not in UNREACHED)


def wants_page(headers: Headers) -> bool:
    """Whether a person will read the answer: a browser accepts HTML first, and htmx marks its requests."""
    first = headers.get("accept", "").partition(",")[0].partition(";")[0].strip()
    return first in {"text/html", "application/xhtml+xml"} and headers.get("hx-request") != "true"
