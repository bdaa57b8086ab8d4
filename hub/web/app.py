"""The web side as one application: the guard, the door, the API, the live sockets, the pages."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from hub.database.engine import of_one_moment
from hub.site import Site
from hub.site_index import SiteIndex
from hub.web import problems
from hub.web.addresses import DeskName
from hub.web.api import add_api, create_watch
from hub.web.appointments_api import create_appointments_api
from hub.web.desk.document import desk_document
from hub.web.desk.drawing import draw
from hub.web.desk.reading import read_desk
from hub.web.desk.routes import add_pages
from hub.web.desk.view import DeskView
from hub.web.documents import ProblemDocument
from hub.web.door import Door, Rules
from hub.web.guard import Guard
from hub.web.in_words import InWords
from hub.web.live import Draw, Frames, Kind, Live
from hub.web.login_pages import create_login_pages
from hub.web.measured import Measured
from hub.web.parts import WebParts
from hub.web.turned_away import DESK_GONE

_STATIC = Path(__file__).parent / "static"
_DESCRIPTION = (
    "Calls, tickets and desks of one site. People are identified by the session of their login, programs by "
    "`Authorization: Bearer TOKEN`. Each address answers 403 to a role that may not use it. Only the person signed on "
    "at a desk may send it commands."
)


def create_web(parts: WebParts) -> FastAPI:
    """Create the application. The hub must call two of its functions, each from any thread:

    - `app.state.changed(desks, services)` after each commit;
    - `app.state.list_changed()` whenever the state of the list of bookings may have changed.
    """
    parts = replace(parts, reads=of_one_moment(parts.reads))
    view = DeskView(parts.site, parts.reached.path)
    live = Live(SiteIndex(parts.site), _drawing(parts, view), lambda: _beat(parts), parts.reader_dropped)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        live.start()
        yield
        live.stop()

    # No docs page: it would load its script from another site. The OpenAPI document itself is served.
    app = FastAPI(
        title="Suivant",
        description=_DESCRIPTION,
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # No redirects between `/x` and `/x/`: the access table knows exact addresses only.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.changed = live.changed
    app.state.list_changed = _list_watch(parts, live)
    app.state.live = live
    problems.install(app)
    # None of them by `include_router`, which would create each route a second time.
    add_api(app, parts)
    for router in (create_appointments_api(parts), create_watch(parts), create_login_pages(parts)):
        app.router.routes += router.routes
    add_pages(app, parts, view, live)
    _answer_head(app.routes)
    _describe_problems(app)
    _add_sockets(app, parts.site, live)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    # The last one added runs first: Measured, InWords, Guard, Door.
    app.add_middleware(Door, rules=Rules(app.routes), parts=parts, view=view)
    app.add_middleware(Guard, reached=parts.reached)
    app.add_middleware(InWords, view=view, base=parts.reached.path)
    app.add_middleware(Measured, done=parts.request_done)
    return app


def _answer_head(routes: Iterable[BaseRoute]) -> None:
    """Let pages answer HEAD too, for programs that check or follow an address: FastAPI does not add it."""
    for route in routes:
        if isinstance(route, APIRoute) and not route.include_in_schema and route.methods == {"GET"}:
            route.methods = {"GET", "HEAD"}


def _describe_problems(app: FastAPI) -> None:
    """Add the problem document to the OpenAPI schemas: every route refers to it, but none has it as its model."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"][ProblemDocument.__name__] = ProblemDocument.model_json_schema()
        return document

    app.openapi = described  # type: ignore[method-assign]


def _list_watch(parts: WebParts, live: Live) -> Callable[[], None]:
    """Return the callback that redraws every page, but only if what pages say about the list of bookings changed.

    Pages show the list's age only when it is late.
    """
    desks = [desk.name for desk in parts.site.desks]
    said: list[object] = [None]

    def list_changed() -> None:
        state = parts.list_state()
        age = state.as_of_ms if state.late else state.as_of_ms is None
        behind = (state.behind, state.doubted) if state.late else ()
        now = (state.source, state.late, age, behind, state.flaws, state.failed)
        if said[0] != now:
            said[0] = now
            live.changed(desks, ())

    return list_changed


def _add_sockets(app: FastAPI, site: Site, live: Live) -> None:
    desks = frozenset(desk.name for desk in site.desks)

    async def page(websocket: WebSocket, desk: DeskName) -> None:
        """Send the HTML of the page's live part to its script."""
        await _serve(websocket, desk, Kind.PAGE)

    async def document(websocket: WebSocket, desk: DeskName) -> None:
        """Send the whole document of the desk at once, then each newer revision."""
        await _serve(websocket, desk, Kind.DOCUMENT)

    async def _serve(websocket: WebSocket, desk: str, kind: Kind) -> None:
        if desk not in desks and kind is Kind.PAGE:
            # Accepted first: to a script, a refused handshake looks the same as a hub that is away.
            await websocket.accept()
            await websocket.close(DESK_GONE)
        elif desk not in desks:
            await websocket.send_denial_response(problems.problem(404, "unknown", f"this site has no desk {desk!r}"))
        else:
            await live.serve(websocket, desk, kind)

    app.add_api_websocket_route("/desks/{desk}/live", page)
    app.add_api_websocket_route("/api/v1/desks/{desk}/live", document)


def _drawing(parts: WebParts, view: DeskView) -> Draw:
    index = SiteIndex(parts.site)

    def read_and_draw(name: str, kinds: frozenset[Kind]) -> Frames:
        desk = index.desk(name)
        now_ms = parts.now_ms()
        with parts.reads.connect() as connection:
            rows = read_desk(connection, index, desk, now_ms)
        picture = draw(rows, index, desk, parts.mean_visit_ms, parts.list_state())
        texts = {}
        if Kind.PAGE in kinds:
            texts[Kind.PAGE] = view.frame(picture, screens=parts.broker_reached())
        if Kind.DOCUMENT in kinds:
            texts[Kind.DOCUMENT] = desk_document(picture, desk).model_dump_json()
        return Frames(picture.revision, picture.redraw_ms - picture.now_ms, texts)

    async def in_thread(name: str, kinds: frozenset[Kind]) -> Frames:
        return await run_in_threadpool(read_and_draw, name, kinds)

    return in_thread


def _beat(parts: WebParts) -> str:
    return msgspec.json.encode({"now_ms": parts.now_ms(), "screens": parts.broker_reached()}).decode()
