"""What stands in place of the list while an agent decides: a transfer, one ticket, closing, keys, longer lists."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from hub.queue.estimate import wait_range_min
from hub.queue.states import Event, State, may
from hub.queue.tickets import Ticket
from hub.site import Desk
from hub.site_index import SiteIndex, served_by
from hub.web.desk_reading import DeskNow, read_counts, read_desks, read_held, read_ticket
from protocol.messages import DeskMode


class Panel(StrEnum):
    TRANSFER = "transfer"
    TICKET = "ticket"
    CLOSE = "close"
    KEYS = "keys"
    QUEUE = "queue"
    PARKED = "parked"
    ABSENT = "absent"


class Doing(StrEnum):
    """What another desk is doing, as a transfer tells it."""

    HERE = "here"
    SERVING = "serving"
    FREE = "free"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """`wait_min`: the range to expect there, None where too little was measured."""

    name: str
    letter: str
    title: str
    waiting: int
    wait_min: tuple[int, int] | None
    has_open_desk: bool


@dataclass(frozen=True, slots=True)
class DeskChoice:
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
        """Digits of the longest desk number: with two, a number is ended by Enter."""
        return max((len(desk.number) for desk in self.desks), default=1)


@dataclass(frozen=True, slots=True)
class TicketPanel:
    """One ticket of a list. `is_mine`: this desk may take it. `service`: its title."""

    ticket: Ticket
    service: str
    desk_holds: bool
    desk_open: bool

    @property
    def state(self) -> State:
        return self.ticket.state


def read_transfer(
    connection: Connection, index: SiteIndex, desk: Desk, ticket_id: int, mean_visit_ms: Callable[[str], int | None]
) -> TransferPanel | None:
    """Where a ticket may go; None where there is no such ticket."""
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
        desks=tuple(
            _desk_choice(index, each, desk, desks[each.name], held.get(each.name)) for each in index.site.desks
        ),
    )


def read_ticket_panel(connection: Connection, index: SiteIndex, desk: Desk, ticket_id: int) -> TicketPanel | None:
    ticket = read_ticket(connection, index.site.name, ticket_id)
    if ticket is None:
        return None
    return TicketPanel(
        ticket=ticket,
        service=index.service(ticket.service).title,
        desk_holds=desk.name in read_held(connection, index.site.name),
        desk_open=read_desks(connection, index)[desk.name].mode is DeskMode.OPEN,
    )


def _service_choice(
    index: SiteIndex, name: str, waiting: int, desks: dict[str, DeskNow], mean_ms: int | None
) -> ServiceChoice:
    service = index.service(name)
    open_desks = sum(desks[each.name].mode is DeskMode.OPEN for each in index.desks_of(name))
    wait = wait_range_min(waiting, mean_ms, open_desks)
    return ServiceChoice(name, service.letter, service.title, waiting, wait, open_desks > 0)


def _desk_choice(index: SiteIndex, desk: Desk, mine: Desk, now: DeskNow, held: Ticket | None) -> DeskChoice:
    main = next(iter([*desk.serves, *sorted(served_by(desk))]), None)
    service = held.service if held else main
    title = index.service(service).title if service else ""
    return DeskChoice(desk.name, desk.number, _doing(desk, mine, now, held), title)


def _doing(desk: Desk, mine: Desk, now: DeskNow, held: Ticket | None) -> Doing:
    if desk.name == mine.name:
        return Doing.HERE
    if held is not None:
        return Doing.SERVING
    return {DeskMode.OPEN: Doing.FREE, DeskMode.PAUSED: Doing.PAUSED, DeskMode.CLOSED: Doing.CLOSED}[now.mode]
