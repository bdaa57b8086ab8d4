"""The hub of the large town hall, in a process of its own: `python -m benchmarks.hub_process`.

It is `suivant hub` but for two things: the site is made here, for a site file takes 99 desks and this town hall has
200; and its pages have one address more, the floor of an HTTP command.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from fastapi import Body, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

import hub.app
from benchmarks.floor_process import committer
from benchmarks.hall import large_site
from hub.config.site_file import SiteFile
from hub.logs import configure
from hub.settings import read_settings
from hub.web.app import create_web
from hub.web.documents import DeskAsked
from hub.web.parts import WebParts

FLOOR = "/bench/row"


def _made_here(path: Path) -> SiteFile:
    return SiteFile(path, large_site(), ())


def _with_floor(parts: WebParts) -> FastAPI:
    web = create_web(parts)
    commit = committer(os.environ["SUIVANT_DATABASE_URL"], "http")

    async def row(asked: Annotated[DeskAsked, Body()]) -> Response:
        await run_in_threadpool(commit, str(asked.id).encode())
        return JSONResponse({"id": asked.id, "outcome": "called", "number": "A001"})

    web.add_api_route(FLOOR, row, methods=["POST"])
    return web


def main() -> int:
    settings = read_settings(os.environ)
    configure(settings.hub.log, settings.hub.log_level)
    hub.app.read_site = _made_here
    hub.app.create_web = _with_floor
    return hub.app.run(settings)


if __name__ == "__main__":
    sys.exit(main())
