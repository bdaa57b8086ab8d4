"""The addresses of the staff pages."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS
from hub.web.desk.commands import PageCommands
from hub.web.desk.pages import Pages
from hub.web.desk.view import DeskView
from hub.web.live import Live
from hub.web.parts import WebParts


def create_pages(parts: WebParts, view: DeskView, live: Live) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    pages = Pages(parts, view)
    router.add_api_route("/", pages.start, response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}", pages.desk, response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}/search", pages.search, methods=["POST"], response_class=HTMLResponse)
    router.add_api_route("/desks/{desk}/search", pages.search_again, methods=["GET"])
    commands = PageCommands(parts, pages, view, live)
    router.add_api_route("/desks/{desk}/reports/{report}/retry", commands.retry_report, methods=["POST"])
    # One route for each action, so that the access table has a row for each.
    for word, action in DESK_ACTIONS.items():
        router.add_api_route(f"/desks/{{desk}}/{word}", commands.desk_command(action), methods=["POST"])
    for word, action in TICKET_ACTIONS.items():
        path = f"/desks/{{desk}}/tickets/{{ticket}}/{word}"
        router.add_api_route(path, commands.ticket_command(action), methods=["POST"])
    return router
