"""Staff pages: the start page with all desks, and one page for each desk.

They work with plain forms; htmx only saves the reload.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Form, Query, Request
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hub.site import Desk
from hub.site_index import SiteIndex
from hub.web.addresses import DeskName, desk_named
from hub.web.asking import person_of
from hub.web.desk.drawing import draw
from hub.web.desk.panels import (
    Panel,
    SearchPanel,
    ServiceChoice,
    read_reports,
    read_search,
    read_take,
    read_ticket_panel,
    read_transfer,
)
from hub.web.desk.picture import DeskPicture, OtherService
from hub.web.desk.reading import read_agent, read_desk
from hub.web.desk.rights import At, Looker, everything
from hub.web.desk.start import WATCHERS, LocalUse, StartDesk, read_left_waiting, read_local_uses, read_start_desks
from hub.web.desk.view import AsidePanel, DeskView
from hub.web.parts import WebParts
from hub.web.problems import NoSuch

T = TypeVar("T")
# Finds the choice in a panel's content that the panel asks to confirm.
Confirm = Callable[[object], ServiceChoice | None]

# Longer than any name or code; the page's field has the same limit.
SearchText = Annotated[str, Form(max_length=200)]


class Pages:
    def __init__(self, parts: WebParts, view: DeskView) -> None:
        self._parts, self._view = parts, view
        self._index = SiteIndex(parts.site)

    async def start(self, request: Request) -> HTMLResponse:
        """The site's desks, who works at each, and the way to a free one."""
        person, now_ms = person_of(request), self._parts.now_ms()

        def read(connection: Connection) -> tuple[list[StartDesk], list[OtherService], list[LocalUse]]:
            # Without a directory, everybody uses a local account, so their uses are not shown.
            watches = self._parts.site.login.directory is not None and bool(WATCHERS & person.roles)
            uses = read_local_uses(connection, self._index.site.name, now_ms) if watches else []
            return read_start_desks(connection, self._index, person), read_left_waiting(connection, self._index), uses

        desks, left_waiting, uses = await self._parts.read(read)
        return HTMLResponse(self._view.start(desks, left_waiting, uses, Looker(person, None), now_ms))

    async def desk(
        self,
        request: Request,
        desk: DeskName,
        panel: Panel | None = None,
        ticket: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    ) -> HTMLResponse:
        """The page of one desk; if htmx asks for a panel, that panel alone."""
        configured = desk_named(self._index, desk)
        if panel is not None and by_script(request):
            return HTMLResponse(await self.panel_alone(request, configured, panel, ticket))
        return await self.page(request, configured, panel=panel, ticket=ticket)

    async def search(self, request: Request, desk: DeskName, query: SearchText = "") -> HTMLResponse:
        """The bookings that a name or a code finds.

        By POST, because a name must not be in an address: browsers keep addresses in their history, proxies log them.
        """
        configured = desk_named(self._index, desk)
        asked = SearchPanel(query.strip(), self._parts.now_ms(), self._parts.list_state())
        found = await self._parts.read(lambda connection: read_search(connection, self._index, configured, asked))
        if by_script(request):
            return HTMLResponse(self._view.panel(Panel.SEARCH, found, (desk, configured.number), everything))
        return await self.page(request, configured, panel=Panel.SEARCH, content=found)

    async def search_again(self, desk: DeskName) -> Response:
        """Show an empty search if a browser asks for the address of a search again: it does not contain the query."""
        return self.see(f"/desks/{desk_named(self._index, desk).name}?panel=search")

    async def page(
        self,
        request: Request,
        desk: Desk,
        *,
        answer: str = "",
        panel: Panel | None = None,
        ticket: int | None = None,
        content: object = None,
        confirm: Confirm = lambda _content: None,
        status: int = 200,
    ) -> HTMLResponse:
        person = person_of(request)

        def read(connection: Connection) -> tuple[DeskPicture, Looker, object]:
            picture = self.picture(connection, desk)
            looker = Looker(person, picture.agent)
            missing = panel is not None and content is None
            return picture, looker, self._panel(connection, desk, panel, ticket, looker) if missing else content

        picture, looker, content = await self._parts.read(read)
        asked = {"panel": panel, "ticket": ticket}
        request_id = self._parts.new_id()
        html = self._view.page(
            picture,
            looker,
            request_id=request_id,
            answer=answer,
            panel=panel,
            content=content,
            panel_query=urlencode({word: str(value) for word, value in asked.items() if value is not None}),
            confirm=confirm(content),
            screens=self._parts.broker_reached(),
        )
        return HTMLResponse(html, status)

    async def panel_alone(
        self,
        request: Request,
        desk: Desk,
        panel: Panel,
        ticket: int | None = None,
        confirm: Confirm = lambda _content: None,
    ) -> str:
        person = person_of(request)

        def read(connection: Connection) -> tuple[object, Looker]:
            looker = Looker(person, read_agent(connection, self._index, desk))
            return self._panel(connection, desk, panel, ticket, looker), looker

        content, looker = await self._parts.read(read)
        return self._view.panel(panel, content, (desk.name, desk.number), looker.may, confirm(content))

    def picture(self, connection: Connection, desk: Desk) -> DeskPicture:
        rows = read_desk(connection, self._index, desk, self._parts.now_ms())
        return draw(rows, self._index, desk, self._parts.mean_visit_ms, self._parts.list_state())

    def _panel(
        self, connection: Connection, desk: Desk, panel: Panel | None, ticket: int | None, looker: Looker
    ) -> object:
        now_ms = self._parts.now_ms()
        content: object = panel
        match panel:
            case Panel.TRANSFER:
                mine, mean_visit_ms = desk if looker.at is At.HERE else None, self._parts.mean_visit_ms
                content = self._known(read_transfer(connection, self._index, mine, ticket or 0, mean_visit_ms), ticket)
            case Panel.TICKET | Panel.CANCEL:
                content = self._known(read_ticket_panel(connection, self._index, desk, ticket or 0, now_ms), ticket)
            case Panel.SEARCH:
                content = SearchPanel("", now_ms, self._parts.list_state())
            case Panel.REPORTS:
                source = self._parts.list_state().source
                content = read_reports(connection, self._index.site.name, source, now_ms)
            case Panel.QUEUE:
                content = self.picture(connection, desk)
            case Panel.TAKE:
                content = read_take(connection, self._index, desk, looker)
            case Panel.PARKED | Panel.ABSENT:
                content = self._aside(self.picture(connection, desk), parked=panel is Panel.PARKED)
            case _:
                pass
        return content

    @staticmethod
    def _aside(picture: DeskPicture, *, parked: bool) -> AsidePanel:
        tickets = picture.parked if parked else picture.absent
        return AsidePanel(parked, tickets, len(tickets) if parked else picture.absent_total, picture.now_ms)

    @staticmethod
    def _known(content: T | None, ticket: int | None) -> T:
        if content is None:
            raise NoSuch("ticket", str(ticket or ""))
        return content

    def see(self, path: str) -> RedirectResponse:
        return RedirectResponse(f"{self._parts.reached.path}{path}", 303)


def by_script(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"
