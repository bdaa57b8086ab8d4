"""The hub of the large town hall, in its own process: `python -m benchmarks.hub_process`.

It is `suivant hub` except for two things. The site is made here, since a site file may have at most 99 desks and this
town hall has 200. Its pages have more addresses, which bypass the door: the floor of an HTTP command, and all of the
hub's addresses once more without a check of the agent's permissions.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import Body, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import hub.serve
from benchmarks.floor_process import committer
from benchmarks.hall import large_site
from hub.auth.sessions import Session, SessionBook
from hub.config.site_file import SiteFile
from hub.logs import configure
from hub.settings import read_settings
from hub.site import LdapDirectory, Login
from hub.web.app import create_web
from hub.web.documents import DeskAsked
from hub.web.door import Door, cookie_name
from hub.web.parts import WebParts

FLOOR = "/bench/row"
NO_DOOR = "/bench/no-door"
# The setting with the municipal directory as JSON; without it the site has no directory.
DIRECTORY = "BENCH_DIRECTORY"


def _made_here(path: Path) -> SiteFile:
    site = large_site()
    if DIRECTORY in os.environ:
        directory = msgspec.json.decode(os.environ[DIRECTORY], type=LdapDirectory)
        site = msgspec.structs.replace(site, login=Login(directory=directory))
    return SiteFile(path, site, ())


class PastTheDoor:
    """Middleware between the guard and the door, which it bypasses for some paths. It looks each session up once."""

    def __init__(self, door: ASGIApp, floor: ASGIApp, book: SessionBook, cookie: str) -> None:
        assert isinstance(door, Door)
        self._door, self._behind, self._floor = door, door._app, floor  # noqa: SLF001
        self._book, self._cookie = book, cookie
        self._known: dict[str, Session | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == FLOOR:
            await self._floor(scope, receive, send)
        elif path.startswith(NO_DOOR):
            token = HTTPConnection(scope).cookies[self._cookie]
            if token not in self._known:
                self._known[token] = self._book.find(token, 0)
            scope["path"] = path.removeprefix(NO_DOOR)
            scope["state"] = {**scope.get("state", {}), "session": self._known[token], "machine": None}
            await self._behind(scope, receive, send)
        else:
            await self._door(scope, receive, send)


def _with_floor(parts: WebParts) -> FastAPI:
    web, floor = create_web(parts), FastAPI(openapi_url=None)
    commit = committer(os.environ["SUIVANT_DATABASE_URL"], "http")

    async def row(asked: Annotated[DeskAsked, Body()]) -> Response:
        await run_in_threadpool(commit, str(asked.id).encode())
        return JSONResponse({"id": asked.id, "outcome": "called", "number": "A001"})

    floor.add_api_route(FLOOR, row, methods=["POST"])
    place = [each.cls for each in web.user_middleware].index(Door)
    past = Middleware(PastTheDoor, floor=floor, book=parts.gate.book, cookie=cookie_name(parts.reached))
    web.user_middleware.insert(place, past)
    return web


def main() -> int:
    settings = read_settings(os.environ)
    configure(settings.hub.log, settings.hub.log_level)
    hub.serve.read_site = _made_here
    hub.serve.create_web = _with_floor
    return hub.serve.run(settings)


if __name__ == "__main__":
    sys.exit(main())
