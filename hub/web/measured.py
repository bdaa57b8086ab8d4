"""Counts requests and measures how long they take, by route."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Called with the route's pattern, the status and the seconds.
Done = Callable[[str, int, float], None]

NO_ROUTE = "(none)"


class Measured:
    """Pure ASGI, around everything else. A request that was refused before a route was found counts as `(none)`."""

    def __init__(self, app: ASGIApp, done: Done) -> None:
        self._app, self._done = app, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        status = 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            # Never the path itself: it may hold anything.
            self._done(getattr(scope.get("route"), "path", NO_ROUTE), status, time.perf_counter() - started_s)
