"""The demo's own page, on its own port, so that it works while the hub does not."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from demo.board import Board, Part
from demo.hands import Hands
from demo.picture import PAGE, WEB_STATIC, render_unknown

LOOPBACK = ["127.0.0.1", "localhost"]
MESSAGE_MOST = 500


class DemoPage:
    """The demo's page. `pins`: the pins that may be pressed, by node. `pressed(node)`: told of each press by a viewer.

    `scan(code)` scans a code from the page. `restart(name)` restarts a part that has stopped.
    """

    def __init__(
        self,
        board: Board,
        hands: Hands,
        *,
        page: Callable[[str], str],
        frame: Path,
        papers: Path,
        pins: dict[str, frozenset[int]],
        pressed: Callable[[str], None],
        scan: Callable[[str], None],
        restart: Callable[[str], None],
    ) -> None:
        self._board = board
        self._hands = hands
        self._page = page
        self._frame = frame
        self._papers = papers
        self._pins = pins
        self._pressed = pressed
        self._scan = scan
        self._restart = restart

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._show),
                Route("/frame.png", self._show_frame),
                Route("/paper/{name}", self._show_paper),
                WebSocketRoute("/live", self._live),
                Mount("/static", StaticFiles(directory=PAGE / "static")),
                Mount("/vendor", StaticFiles(directory=WEB_STATIC / "vendor")),
            ],
            exception_handlers={404: _show_unknown},
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK)],
        )

    async def _show(self, request: Request) -> Response:
        return HTMLResponse(self._page(_language(request)))

    async def _show_frame(self, _request: Request) -> Response:
        return _picture(self._frame)

    async def _show_paper(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._board.part("dispenser").get("papers", ()):
            raise HTTPException(404)
        return _picture(self._papers / name)

    async def _live(self, browser: WebSocket) -> None:
        # Any page in the browser can try to open this socket; only our own may.
        if urlsplit(browser.headers.get("origin", "")).netloc != browser.headers.get("host"):
            await browser.close(1008)
            return
        await browser.accept()
        listener = self._board.listen()
        telling = asyncio.create_task(_tell(browser, listener))
        try:
            async for message in browser.iter_text():
                self._obey(browser, message)
        finally:
            telling.cancel()
            self._board.forget(listener)
            self._hands.let_go(browser)

    def _obey(self, holder: object, message: str) -> None:
        wanted = _parsed(message)
        node, pin = wanted.get("node"), wanted.get("pin")
        if "restart" in wanted:
            self._restart(str(wanted["restart"]))
        elif "scan" in wanted:
            if any(wanted["scan"] == booking["code"] for booking in self._board.part("publik").get("bookings", ())):
                self._scan(wanted["scan"])
        elif isinstance(node, str) and isinstance(pin, int) and pin in self._pins.get(node, ()):
            self._move(holder, node, pin, down=wanted.get("pressed") is True)

    def _move(self, holder: object, node: str, pin: int, *, down: bool) -> None:
        if not down:
            self._hands.release(holder, node, pin)
        elif self._hands.press(holder, node, pin):
            self._pressed(node)


def _language(request: Request) -> str:
    return request.query_params.get("lang", "fr")


async def _show_unknown(request: Request, _error: Exception) -> Response:
    return HTMLResponse(render_unknown(_language(request)), status_code=404)


def _parsed(message: str) -> Part:
    if len(message) > MESSAGE_MOST:
        return {}
    with contextlib.suppress(ValueError):
        wanted = json.loads(message)
        if isinstance(wanted, dict):
            return wanted
    return {}


async def _tell(browser: WebSocket, listener: "asyncio.Queue[Part | None]") -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while (part := await listener.get()) is not None:
            await browser.send_json(part)
        await browser.close(1013)


def _picture(file: Path) -> Response:
    # Read as a whole at once: the display may replace the frame at any time.
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise HTTPException(404) from error
    return Response(content, media_type="image/png", headers={"cache-control": "no-store"})


class _Server(uvicorn.Server):
    """A server that leaves signals to the demo, which has processes to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a bound socket within the context."""
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
