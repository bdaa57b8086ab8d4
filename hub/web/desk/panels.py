"""The panels that replace the list while an agent decides: a transfer, one ticket, closing, keys, longer lists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection

from hub.appointments.list_state import ListState
from hub.queue import claims
from hub.queue.arrivals import CHECKS_IN, arrival_of, moment_at
from hub.queue.bookings import Known
from hub.queue.estimate import wait_range_min
from hub.queue.hours import is_over_for
from hub.queue.states import Event, State, may
from hub.queue.tickets import Ticket
from hub.site import MINUTE_MS, Desk, Service
from hub.site_index import SiteIndex, served_by
from hub.web.desk.booking_reading import (
    FailedReport,
    Found,
    read_bookings,
    read_failed_count,
    read_failed_reports,
    read_names,
    search,
)
from hub.web.desk.picture import SignedOn
from hub.web.desk.reading import DeskNow, read_counts, read_desks, read_held, read_ticket
from hub.web.desk.rights import Looker
from protocol.messages import Arrival, DeskMode


class Panel(StrEnum):
    TRANSFER = "transfer"
    TICKET = "ticket"
    CANCEL = "cancel"
    CLOSE = "close"
    TAKE = "take"
    KEYS = "keys"
    QUEUE = "queue"
    PARKED = "parked"
    ABSENT = "absent"
    SEARCH = "search"
    REPORTS = "reports"


class Doing(StrEnum):
    """What a desk is doing, as the transfer panel shows it."""

    HERE = "here"
    SERVING = "serving"
    FREE = "free"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """A service to transfer to. `wait_min`: the range of the wait to expect, None if too little was measured."""

    name: str
    letter: str
    title: str
    waiting: int
    wait_min: tuple[int, int] | None
    has_open_desk: bool


@dataclass(frozen=True, slots=True)
class DeskChoice:
    """A desk to transfer to. `service`: the short name of what it serves now, else of what it serves first."""

    name: str
    number: str
    doing: Doing
    service: str

    @property
    def may_be_chosen(self) -> bool:
        return self.doing not in {Doing.HERE, Doing.CLOSED}


@dataclass(frozen=True, slots=True)
class TransferPanel:
    ticket: Ticket
    services: tuple[ServiceChoice, ...]
    desks: tuple[DeskChoice, ...]

    @property
    def may_transfer(self) -> bool:
        return may(self.ticket.state, Event.TRANSFER)

    @property
    def longest(self) -> int:
        """Number of digits of the longest desk number. If it is above 1, Enter ends a number."""
        return max((len(desk.number) for desk in self.desks), default=1)


@dataclass(frozen=True, slots=True)
class TicketPanel:
    """One ticket of a list.

    - `service`: the title of its service.
    - `may_call`: this desk may call it, from the queue or from aside.
    - `may_decide`: this desk may do what else the ticket's state allows.
    - `number_of_desk`: the number of the ticket's desk.
    - `hall`: the title of the hall it waits in; empty if that is this desk's.
    - `day_over`: its day has ended, or today if it has no number: it cannot come back.
    - `early_ms`: its service's `early_call_min`.
    - `booking`, `arrival`, `name`: for a ticket with an appointment.
    """

    ticket: Ticket
    service: str
    may_call: bool
    may_decide: bool
    desk_holds: bool
    desk_open: bool
    number_of_desk: str
    hall: str
    now_ms: int
    day_over: bool
    early_ms: int = 0
    booking: Known | None = None
    arrival: Arrival | None = None
    name: str | None = None

    @property
    def state(self) -> State:
        return self.ticket.state

    @property
    def may_check_in(self) -> bool:
        return self.arrival in CHECKS_IN

    @property
    def is_moved(self) -> bool:
        """Whether the source moved the booking after people had dealt with the ticket: its time is then the new one."""
        return self.booking is not None and not self.booking.gone and self.ticket.booking_note == "moved"


@dataclass(frozen=True, slots=True)
class SearchRow:
    """A booking found. `letter`, `service`, `desk` (its number): of its ticket. `hall`: as in TicketPanel."""

    found: Found
    letter: str
    service: str
    desk: str
    hall: str


@dataclass(frozen=True, slots=True)
class SearchPanel:
    """`list_state`: how old the searched list is. `rows`: None before a search."""

    query: str
    now_ms: int
    list_state: ListState
    rows: tuple[SearchRow, ...] | None = None
    total: int = 0
    other_days: bool = False

    @property
    def may_lack_some(self) -> bool:
        """Whether somebody may have an appointment that is not in the list."""
        return bool(self.list_state.source) and (self.list_state.late or self.list_state.as_of_ms is None)


@dataclass(frozen=True, slots=True)
class TakePanel:
    """A desk that the looker may take over: who is signed on there, and the ticket it holds.

    `left`: the ticket that they would leave behind at their desk, whose number is `left_desk`.
    """

    agent: SignedOn | None
    held: Ticket | None
    left: Ticket | None
    left_desk: str


@dataclass(frozen=True, slots=True)
class ReportsPanel:
    """The first 50 reports that the source of bookings refused, and how many there are."""

    reports: tuple[FailedReport, ...]
    total: int
    source: str
    now_ms: int


def read_transfer(
    connection: Connection,
    index: SiteIndex,
    mine: Desk | None,
    ticket_id: int,
    mean_visit_ms: Callable[[str], int | None],
) -> TransferPanel | None:
    """Return where a ticket may go; None if there is no such ticket. `mine`: the looker's desk, if signed on there."""
    ticket = read_ticket(connection, index.site.name, ticket_id)
    if ticket is None:
        return None
    counts = read_counts(connection, index.site.name)
    desks = read_desks(connection, index)
    held = read_held(connection, index.site.name)
    return TransferPanel(
        ticket=ticket,
        services=tuple(
            _service_choice(index, name, counts.get(name, 0), desks, mean_visit_ms(name))
            for name in (service.name for service in index.site.services)
            if name != ticket.service
        ),
        # A ticket sent to a desk keeps its service. If the site no longer has it, no desk could call the ticket.
        desks=tuple(
            _desk_choice(index, each, mine, desks[each.name], held.get(each.name))
            for each in index.site.desks
            if index.find_service(ticket.service) is not None
        ),
    )


def read_take(connection: Connection, index: SiteIndex, desk: Desk, looker: Looker) -> TakePanel:
    held = read_held(connection, index.site.name)
    desks = read_desks(connection, index).values()
    mine = next((each.name for each in desks if each.agent == looker.person.account and each.name != desk.name), None)
    left = held.get(mine) if mine else None
    return TakePanel(looker.agent, held.get(desk.name), left, index.number_of(mine))


def read_ticket_panel(
    connection: Connection, index: SiteIndex, desk: Desk, ticket_id: int, now_ms: int
) -> TicketPanel | None:
    site = index.site.name
    ticket = read_ticket(connection, site, ticket_id)
    if ticket is None:
        return None
    service = index.find_service(ticket.service)
    booking = read_bookings(connection, site, [ticket.id]).get(ticket.id)
    desks = read_desks(connection, index)
    may_call, may_decide = _claims(index, desk, ticket, desks)
    moment = moment_at(index.site, now_ms)
    return TicketPanel(
        ticket=ticket,
        service=service.title if service else ticket.service,
        may_call=may_call,
        may_decide=may_decide,
        desk_holds=desk.name in read_held(connection, site),
        desk_open=desks[desk.name].mode is DeskMode.OPEN,
        number_of_desk=index.number_of(ticket.desk),
        hall=_other_hall(index, service, desk),
        now_ms=now_ms,
        day_over=is_over_for(index.site, ticket.day_to_wait_on(moment.today), ticket.appointment_ms or 0, now_ms),
        early_ms=service.early_call_min * MINUTE_MS if service else 0,
        booking=booking,
        arrival=arrival_of(booking, ticket, service, moment) if booking else None,
        name=read_names(connection, site, [ticket.id], now_ms).get(ticket.id),
    )


def _claims(index: SiteIndex, desk: Desk, ticket: Ticket, desks: Mapping[str, DeskNow]) -> tuple[bool, bool]:
    """Return `may_call` and `may_decide` of a panel. No ticket of a service that the site no longer has is called."""

    def is_away(name: str) -> bool:
        return name not in desks or desks[name].mode is not DeskMode.OPEN

    is_known = index.find_service(ticket.service) is not None
    if ticket.state is State.PARKED:
        goes_on = claims.may_go_on_with(index, desk, ticket, is_away)
        return is_known and goes_on, goes_on
    return is_known and claims.may_call(desk, ticket, is_away), claims.may_decide_on(index, desk, ticket)


def read_search(connection: Connection, index: SiteIndex, desk: Desk, asked: SearchPanel) -> SearchPanel:
    """Search the bookings of the whole site by code or name. Returns `asked`, which has no rows yet, with its rows."""
    if not asked.query:
        return asked
    found = search(connection, index.site.name, index.site.zone, asked.query, asked.now_ms)
    rows = tuple(_search_row(index, desk, each) for each in found.rows)
    return replace(asked, rows=rows, total=found.total, other_days=found.other_days)


def read_reports(connection: Connection, site: str, source: str, now_ms: int) -> ReportsPanel:
    return ReportsPanel(read_failed_reports(connection, site), read_failed_count(connection, site), source, now_ms)


def _search_row(index: SiteIndex, desk: Desk, found: Found) -> SearchRow:
    service = index.find_service(found.ticket.service)
    letter, title = (service.letter, service.title) if service else ("", found.ticket.service)
    return SearchRow(found, letter, title, index.number_of(found.ticket.desk), _other_hall(index, service, desk))


def _other_hall(index: SiteIndex, service: Service | None, desk: Desk) -> str:
    if service is None or service.hall == desk.hall:
        return ""
    return next((hall.title for hall in index.site.halls if hall.name == service.hall), service.hall)


def _service_choice(
    index: SiteIndex, name: str, waiting: int, desks: dict[str, DeskNow], mean_ms: int | None
) -> ServiceChoice:
    service = index.service(name)
    open_desks = sum(desks[each.name].goes_on_calling for each in index.desks_of(name))
    wait = wait_range_min(waiting, mean_ms, open_desks)
    return ServiceChoice(name, service.letter, service.title, waiting, wait, open_desks > 0)


def _desk_choice(index: SiteIndex, desk: Desk, mine: Desk | None, now: DeskNow, held: Ticket | None) -> DeskChoice:
    main = next(iter([*desk.serves, *sorted(served_by(desk))]), None)
    service = held.service if held else main
    known = index.find_service(service) if service else None
    short = known.short if known else service or ""
    return DeskChoice(desk.name, desk.number, _doing(desk, mine, now, held), short)


def _doing(desk: Desk, mine: Desk | None, now: DeskNow, held: Ticket | None) -> Doing:
    if desk == mine:
        return Doing.HERE
    if held is not None:
        return Doing.SERVING
    return {DeskMode.OPEN: Doing.FREE, DeskMode.PAUSED: Doing.PAUSED, DeskMode.CLOSED: Doing.CLOSED}[now.mode]
