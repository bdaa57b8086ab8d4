"""The commands of the desk page's buttons, and what the page says about each answer.

With htmx: the line under the actions, and a panel or none in place of the list. Without: the whole page again.
"""

from typing import Annotated

import structlog
from fastapi import Form, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import HTMLResponse, Response

from hub.database.faults import DatabaseFault
from hub.queue.answers import Answer, DoneAnswer, RefusedAnswer
from hub.queue.requests import Command, Origin, RetryReport, Source
from hub.site import Desk
from hub.site_index import SiteIndex
from hub.tasks import Busy
from hub.web.actions import Action, Asked
from hub.web.addresses import DeskName, ReportId, desk_named
from hub.web.asking import origin_of
from hub.web.desk.booking_sentences import arrival_of_panel, checked_in_sentence
from hub.web.desk.pages import Confirm, Pages, by_script
from hub.web.desk.panels import Panel, ServiceChoice, TicketPanel, TransferPanel, read_ticket_panel
from hub.web.desk.picture import LastAction
from hub.web.desk.reading import read_agent_name
from hub.web.desk.sentences import already_done, closed_sentence, refusal_sentence
from hub.web.desk.view import DeskView
from hub.web.documents import UUID7, SiteName
from hub.web.live import Live
from hub.web.parts import WebParts
from hub.web.problems import status_of
from hub.web.words import say

log = structlog.get_logger()
# Refusals that are better explained by what has become of the appointment meanwhile.
_SAID_BY_ARRIVAL = frozenset({"transition_refused", "day_over", "wrong_day"})
# Empty on a page that is drawn for all readers: its script makes an id for each gesture.
GivenId = Annotated[str, StringConstraints(pattern=f"^$|{UUID7}")]


# Models instead of single parameters: FastAPI analyses every parameter of every route anew.
class Gesture(BaseModel):
    """The form that a button sends."""

    id: GivenId = ""


class DeskGesture(Gesture):
    """`shown`: the id of the ticket that the page showed as held, empty if it showed none."""

    shown: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,16}$")] = ""


class DeskWords(BaseModel):
    """The query parameters of a command at a desk: see `Asked`."""

    only_free: Annotated[bool, Field(alias="free")] = False
    only_own: Annotated[bool, Field(alias="own")] = False
    only_idle: Annotated[bool, Field(alias="idle")] = False


class TicketWords(BaseModel):
    """The query parameters of a command to a ticket: see `Asked`."""

    service: SiteName | None = None
    to_desk: SiteName | None = None
    priority: bool = False
    confirmed: bool = False


class PageCommands:
    def __init__(self, parts: WebParts, pages: Pages, view: DeskView, live: Live) -> None:
        self._parts, self._pages, self._view, self._live = parts, pages, view, live
        self._index = SiteIndex(parts.site)

    async def to_desk(
        self, request: Request, action: Action, desk: str, words: DeskWords, gesture: DeskGesture
    ) -> Response:
        """A command of the desk itself."""
        origin, held = self._origin(request, gesture, action), int(gesture.shown) if gesture.shown else None
        asked = Asked(origin, desk_named(self._index, desk).name, shown=held, **words.model_dump())
        return await self._done(request, asked, action)

    async def to_ticket(
        self, request: Request, action: Action, desk: str, ticket: int, words: TicketWords, gesture: Gesture
    ) -> Response:
        """A command to one ticket of a list or a panel."""
        origin = self._origin(request, gesture, action)
        asked = Asked(origin, desk_named(self._index, desk).name, ticket, **words.model_dump())
        return await self._done(request, asked, action)

    async def retry_report(
        self, request: Request, desk: DeskName, report: ReportId, gesture: Annotated[Gesture, Form()]
    ) -> Response:
        """Send again a report that the source of bookings refused."""
        configured = desk_named(self._index, desk)
        answer = await self._do(RetryReport(origin=self._origin(request, gesture), report=report), desk)
        if answer is None:
            return await self._failed(request, configured)
        self._live.nudge(desk)
        if not (isinstance(answer, DoneAnswer) and answer.count):
            late = self._view.said(say("This was told already, or is being told again."))
            return await self._says(request, configured, answer=late, status=409)
        if not by_script(request):
            return self._pages.see(f"/desks/{desk}?panel=reports")
        panel = await self._pages.panel_alone(request, configured, Panel.REPORTS)
        return HTMLResponse(_fragment(self._view.told(say("It is being told again.")), panel))

    async def _done(self, request: Request, asked: Asked, action: Action) -> Response:
        """Run a command. htmx gets the line under the actions, and closes the panel; others get the page anew."""
        desk = desk_named(self._index, asked.desk)
        before = await self._booked(asked, desk)
        answer = await self._do(action.command(asked), desk.name)
        if answer is None:
            return await self._failed(request, desk)
        self._live.nudge(asked.desk)
        match answer:
            case RefusedAnswer(code="no_open_desk"):
                return await self._ask(request, desk, Panel.TRANSFER, asked.ticket, confirm=_chosen(asked.service))
            case RefusedAnswer(code="leaves_visitor"):
                return await self._ask(request, desk, Panel.TAKE)
            case RefusedAnswer(code="desk_not_open") if asked.to_desk is not None:
                # The desk closed after it was chosen for the transfer.
                closed = self._view.said(closed_sentence(self._index.number_of(asked.to_desk)))
                return await self._ask(request, desk, Panel.TRANSFER, asked.ticket, said=closed)
            case RefusedAnswer():
                said = self._view.said(await self._refusal(asked, desk, answer, before))
                return await self._says(request, desk, answer=said, status=status_of(answer))
        told = checked_in_sentence(before, answer, self._parts.site.zone) if before else ""
        return await self._says(request, desk, answer=self._view.told(told))

    async def _do(self, command: Command, desk: str) -> Answer | None:
        """Run a command; None if the hub failed: the page must then say that nothing happened.

        Raises Busy, DatabaseFault.
        """
        try:
            return await self._parts.do(command)
        except (Busy, DatabaseFault):
            raise
        except Exception:
            log.exception("page.command_failed", desk=desk)
            return None

    async def _failed(self, request: Request, desk: Desk) -> Response:
        failed = self._view.said(say("The hub could not do that. Nothing was changed; try again."))
        return await self._says(request, desk, answer=failed, status=500)

    async def _says(self, request: Request, desk: Desk, *, answer: str, status: int = 200) -> Response:
        """Answer a command. `answer`: the line under the actions, as HTML; empty if the page itself says it all."""
        if by_script(request):
            return HTMLResponse(_fragment(answer), status)
        if answer:
            return await self._pages.page(request, desk, answer=answer, status=status)
        return self._pages.see(f"/desks/{desk.name}")

    async def _booked(self, asked: Asked, desk: Desk) -> TicketPanel | None:
        """Return the current state of a command's ticket, None if it has no appointment."""
        if not asked.ticket:
            return None
        now_ms = self._parts.now_ms()
        found = await self._parts.read(
            lambda connection: read_ticket_panel(connection, self._index, desk, asked.ticket, now_ms)
        )
        return found if found and found.booking else None

    async def _refusal(self, asked: Asked, desk: Desk, answer: RefusedAnswer, before: TicketPanel | None) -> str:
        """Say why a command was refused. For an appointment, say what has become of it.

        Somebody else may have checked it in just now.
        """
        zone = self._parts.site.zone
        if answer.code == "desk_not_open" or (answer.code == "transition_refused" and asked.shown is not None):
            last = (await self._parts.read(lambda connection: self._pages.picture(connection, desk))).last
            if last is not None and _is_reason(last, answer):
                return already_done(last, zone)
        if before is None or answer.code not in _SAID_BY_ARRIVAL:
            who, ticket = await self._who(answer), before.ticket if before else None
            account = asked.origin.actor
            return refusal_sentence(answer, zone, ticket, desk=desk.number, who=who, account=account)
        now = await self._booked(asked, desk) or before
        is_said = now.arrival is not None and not now.may_check_in
        return arrival_of_panel(now, zone) if is_said else refusal_sentence(answer, zone, now.ticket)

    async def _who(self, answer: RefusedAnswer) -> str | None:
        """Return the display name of the account in a refusal: refusals hold no names."""
        account = answer.facts.get("agent") or answer.facts.get("actor")
        if not account:
            return None
        return await self._parts.read(
            lambda connection: read_agent_name(connection, self._parts.site.name, str(account))
        )

    async def _ask(
        self,
        request: Request,
        desk: Desk,
        panel: Panel,
        ticket: int | None = None,
        *,
        said: str = "",
        confirm: Confirm = lambda _content: None,
    ) -> Response:
        """After a command that did nothing, show the panel where the agent decides.

        `said`: why, as HTML; empty if the panel itself says it.
        """
        if by_script(request):
            alone = await self._pages.panel_alone(request, desk, panel, ticket, confirm)
            return HTMLResponse(_fragment(said, alone), 409 if said else 200)
        return await self._pages.page(
            request, desk, answer=said, panel=panel, ticket=ticket, confirm=confirm, status=409
        )

    def _origin(self, request: Request, gesture: Gesture, action: Action | None = None) -> Origin:
        return origin_of(request, Source.PAGE, gesture.id or self._parts.new_id(), action)


def _chosen(service: str | None) -> Confirm:
    """Make the transfer panel ask to confirm this service, which has no open desk."""

    def confirm(panel: object) -> ServiceChoice | None:
        services = panel.services if isinstance(panel, TransferPanel) else ()
        return next((choice for choice in services if choice.name == service), None)

    return confirm


def _is_reason(last: LastAction, refused: RefusedAnswer) -> bool:
    """Whether the last action at the desk explains the refusal. An action on another ticket does not."""
    if refused.code == "desk_not_open":
        return last.event in {"desk_paused", "desk_closed"}
    return last.number == refused.facts.get("ticket")


def _fragment(said: str, panel: str = "") -> str:
    """The HTML of the line under the actions and, out of band, of the panel in place of the list."""
    return f'{said}<div id="panel" hx-swap-oob="innerHTML">{panel}</div>'
