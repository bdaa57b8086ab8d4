"""The addresses of the staff pages."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS, Action
from hub.web.addresses import DeskName, TicketId
from hub.web.desk.commands import DeskGesture, DeskWords, Gesture, PageCommands, TicketWords
from hub.web.desk.pages import Pages
from hub.web.desk.view import DeskView
from hub.web.live import Live
from hub.web.parts import WebParts

Handler = Callable[..., Awaitable[Response]]


def add_pages(app: FastAPI, parts: WebParts, view: DeskView, live: Live) -> None:
    router = APIRouter(include_in_schema=False)
    pages = Pages(parts, view)
    router.add_api_route("/", pages.start, response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}", pages.desk, response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}/search", pages.search, methods=["POST"], response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}/search", pages.search_again, methods=["GET"])
    commands = app.state.page_commands = PageCommands(parts, pages, view, live)
    router.add_api_route("/desks/{desk}/reports/{report}/retry", commands.retry_report, methods=["POST"])
    app.router.routes += [*router.routes, *_COMMANDS.routes]


def _desk_command(action: Action) -> Handler:
    async def handle(
        request: Request,
        desk: DeskName,
        words: Annotated[DeskWords, Query()],
        gesture: Annotated[DeskGesture, Form()],
    ) -> Response:
        commands: PageCommands = request.app.state.page_commands
        return await commands.to_desk(request, action, desk, words, gesture)

    return handle


def _ticket_command(action: Action) -> Handler:
    async def handle(
        request: Request,
        desk: DeskName,
        ticket: TicketId,
        words: Annotated[TicketWords, Query()],
        gesture: Annotated[Gesture, Form()],
    ) -> Response:
        commands: PageCommands = request.app.state.page_commands
        return await commands.to_ticket(request, action, desk, ticket, words, gesture)

    return handle


def _commands() -> APIRouter:
    """One route for each action, so that the access table has a row for each."""
    router = APIRouter(include_in_schema=False)
    for word, action in DESK_ACTIONS.items():
        router.add_api_route(f"/desks/{{desk}}/{word}", _desk_command(action), methods=["POST"])
    for word, action in TICKET_ACTIONS.items():
        router.add_api_route(f"/desks/{{desk}}/tickets/{{ticket}}/{word}", _ticket_command(action), methods=["POST"])
    return router


# Once for all applications: FastAPI takes milliseconds to analyse each route, and tests make hundreds of applications.
_COMMANDS = _commands()
