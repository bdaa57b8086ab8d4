"""Reads what a desk's page is drawn from, in one short transaction. Nothing is cached."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, func, literal_column, select

from hub.database.tables import AgentRow, BookingRow, DeskRow, DeskServiceRow, SiteRow, TicketEventRow, TicketRow
from hub.queue.bookings import Known
from hub.queue.hours import local_day, next_day_ms
from hub.queue.order import Kind
from hub.queue.states import Event
from hub.queue.store import HOLDS, IS_BOUND, IS_FREE, IS_HELD, IS_WAITING, WAITING_BY_SERVICE
from hub.queue.tickets import FIELDS, Ticket, from_row, number_text
from hub.site import Desk
from hub.site_index import SiteIndex, served_by
from hub.web.desk.booking_reading import SHOWN, read_bookings, read_failed_count, read_names
from hub.web.desk.picture import SignedOn
from protocol.messages import DeskMode

# How many bookings whose visitor did not come are shown: the latest ones.
SHOWN_MISSED = 10
# How many of a desk's last journal rows are read: enough to tell a finish and call from a call.
LAST_EVENTS = 8

_ticket: Any = TicketRow.__table__
_booking: Any = BookingRow.__table__
_event: Any = TicketEventRow.__table__
_desk: Any = DeskRow.__table__
_agent: Any = AgentRow.__table__
_desk_service: Any = DeskServiceRow.__table__
_COLUMNS = [_ticket.c[name] for name in FIELDS]

# Literals: with bound parameters, the partial indexes are not used.
_PARKED: Any = literal_column("ticket.state = 'parked'")
_ABSENT: Any = literal_column("ticket.state = 'absent'")
_EXPECTED: Any = literal_column("ticket.state = 'expected'")
# The source cancelled the ticket's booking. If the source moved it, another ticket has the booking.
_GONE: Any = (
    select(literal_column("1"))
    .where(_booking.c.site == _ticket.c.site, _booking.c.id == _ticket.c.booking, _booking.c.gone)
    .correlate(_ticket)
    .exists()
)
_PARKED_MS: Any = (
    select(func.max(_event.c.at_ms))
    .where(_event.c.site == _ticket.c.site, _event.c.ticket == _ticket.c.id, _event.c.event == Event.PARK)
    .correlate(_ticket)
    .scalar_subquery()
)
_FINISH: Any = literal_column("ticket_event.event = 'finish'")
_SIGN_ON: Any = literal_column("ticket_event.event = 'sign_on'")
# Not sign-ons and sign-offs: they must not push the actions on tickets out of sight.
_DONE: Any = literal_column("ticket_event.event not in ('sign_on', 'sign_off')")


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting ticket as this desk sees it.

    `handicap_ms`: added to its due time. `early_ms`: how long before its due time the desk may take it.
    """

    ticket: Ticket
    handicap_ms: int
    early_ms: int


@dataclass(frozen=True, slots=True)
class DeskNow:
    name: str
    mode: DeskMode
    pausing: bool
    closing: bool
    since_ms: int
    last_call_ms: int
    agent: str | None = None

    @property
    def goes_on_calling(self) -> bool:
        """Whether it is open and neither pauses nor closes after its visitor."""
        return self.mode is DeskMode.OPEN and not (self.pausing or self.closing)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """`label`: the ticket's number; empty if it has none, then `appointment_ms` names it.

    `who`: the display name of the person who did it; None for a node or a job.
    """

    id: int
    event: str
    ticket: int | None
    label: str
    at_ms: int
    source: str
    who: str | None
    request: str | None
    appointment_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DeskRows:
    """The rows of one desk's page.

    - `agent`: who is signed on.
    - `waiting`: the first tickets of each service and kind, and those bound to a desk.
    - `counts`: how many wait, by service.
    - `parked_ms`: when each ticket was set aside.
    - `expected`: today's bookings whose visitors are not here; `more_expected`: there are more.
    - `bookings`, `names`: those of the expected tickets and of the held one, by ticket.
    - `events`: the desk's last journal rows, newest first.
    - `holds`: its last rows that took a ticket, let one go or finished one.
    - `failed_reports`: how many reports the source of bookings refused.
    """

    revision: tuple[int, int]
    now_ms: int
    desk: DeskNow
    agent: SignedOn | None
    desks: dict[str, DeskNow]
    held: Ticket | None
    waiting: tuple[Place, ...]
    counts: dict[str, int]
    parked: tuple[Ticket, ...]
    parked_ms: dict[int, int]
    absent: tuple[Ticket, ...]
    absent_total: int
    expected: tuple[Ticket, ...]
    more_expected: bool
    bookings: dict[int, Known]
    names: dict[int, str]
    events: tuple[JournalRow, ...]
    holds: tuple[JournalRow, ...]
    failed_reports: int


def read_revision(connection: Connection, site: str) -> tuple[int, int]:
    """Return the pair [generation, n] that every state carries: n is the id of the last journal row."""
    generation = connection.scalar(select(SiteRow.generation_ms).where(SiteRow.site == site))
    last = connection.scalar(select(_event.c.id).where(_event.c.site == site).order_by(_event.c.id.desc()).limit(1))
    return int(generation or 0), int(last or 0)


def read_desks(connection: Connection, index: SiteIndex) -> dict[str, DeskNow]:
    """Every desk of the site by name; one that has no row yet is closed."""
    rows = connection.execute(select(*_desk.c).where(_desk.c.site == index.site.name)).mappings()
    known = {row["name"]: _desk_now(row) for row in rows}
    return {
        desk.name: known.get(desk.name) or DeskNow(desk.name, DeskMode.CLOSED, False, False, 0, 0)
        for desk in index.site.desks
    }


def read_counts(connection: Connection, site: str) -> dict[str, int]:
    """Count the tickets that wait by service, those bound to a desk included."""
    counts: Counter[str] = Counter()
    for statement in WAITING_BY_SERVICE:
        for service, count in connection.execute(statement, {"site": site}):
            counts[service] += count
    return counts


def read_held(connection: Connection, site: str) -> dict[str, Ticket]:
    """The tickets held, by desk."""
    return {
        str(ticket.desk): ticket
        for ticket in _tickets(connection, select(*_COLUMNS).where(_ticket.c.site == site, IS_HELD))
    }


def read_desk(connection: Connection, index: SiteIndex, desk: Desk, now_ms: int) -> DeskRows:
    """Read all that the page of one desk shows. The caller's transaction makes it consistent."""
    site = index.site.name
    desks = read_desks(connection, index)
    mine = sorted(served_by(desk))
    away = [name for name, each in desks.items() if name != desk.name and each.mode is not DeskMode.OPEN]
    held = next(
        iter(
            _tickets(connection, select(*_COLUMNS).where(_ticket.c.site == site, _ticket.c.desk == desk.name, IS_HELD))
        ),
        None,
    )
    today = local_day(now_ms, index.site.zone)
    absent = select(*_COLUMNS).where(
        _ticket.c.site == site, _ticket.c.desk == desk.name, _ABSENT, _ticket.c.day == today
    )
    at_work = [name for name, each in desks.items() if name != desk.name and each.mode is DeskMode.OPEN]
    known = [service.name for service in index.site.services]
    parked = _read_parked(connection, site, desk.name, at_work, mine, known)
    expected, more_expected = _read_expected(connection, site, mine, today, next_day_ms(today, index.site.zone))
    named = [ticket.id for ticket in (*expected, *([held] if held else ())) if ticket.booking]
    counts = read_counts(connection, site)
    absent_total = connection.scalar(select(func.count()).select_from(absent.subquery())) or 0
    return DeskRows(
        revision=read_revision(connection, site),
        now_ms=now_ms,
        desk=desks[desk.name],
        agent=read_signed_on(connection, site, desk.name, desks[desk.name].agent),
        desks=desks,
        held=held,
        waiting=(
            *_read_free(connection, site, desk.name),
            *_read_bound(connection, site, desk.name, away, mine),
            *_read_lost(connection, site, [name for name in counts if index.find_service(name) is None]),
        ),
        counts=counts,
        parked=tuple(ticket for ticket, _ in parked),
        parked_ms={ticket.id: parked_ms for ticket, parked_ms in parked},
        absent=tuple(
            _tickets(
                connection, absent.order_by(func.coalesce(_ticket.c.ended_ms, _ticket.c.called_ms).desc()).limit(SHOWN)
            )
        ),
        absent_total=absent_total,
        expected=tuple(expected),
        more_expected=more_expected,
        bookings=read_bookings(connection, site, named),
        names=read_names(connection, site, named, now_ms),
        events=tuple(_read_events(connection, site, desk.name, _DONE)),
        holds=tuple(_read_events(connection, site, desk.name, HOLDS | _FINISH)),
        failed_reports=read_failed_count(connection, site),
    )


def read_waiting(connection: Connection, site: str, service: str) -> list[Ticket]:
    """Return the first waiting tickets of a service by due time, bound ones too."""
    first = (
        select(*_COLUMNS)
        .where(_ticket.c.site == site, _ticket.c.service == service, IS_WAITING, _ticket.c.kind == kind, IS_FREE)
        .order_by(_ticket.c.due_ms, _ticket.c.id)
        .limit(SHOWN)
        for kind in Kind
    )
    bound = (
        select(*_COLUMNS)
        .where(_ticket.c.site == site, _ticket.c.service == service, IS_WAITING, IS_BOUND)
        .order_by(_ticket.c.due_ms, _ticket.c.id)
        .limit(SHOWN)
    )
    found = [ticket for query in (*first, bound) for ticket in _tickets(connection, query)]
    return sorted(found, key=lambda ticket: (ticket.due_ms, ticket.id))[:SHOWN]


def read_agent_name(connection: Connection, site: str, account: str) -> str | None:
    """Return the display name of an account; None if it never logged in, such as a node or a job."""
    name: str | None = connection.scalar(
        select(_agent.c.name).where(_agent.c.site == site, _agent.c.account == account)
    )
    return name


def read_agent(connection: Connection, index: SiteIndex, desk: Desk) -> SignedOn | None:
    """Who is signed on at the desk."""
    site = index.site.name
    account = connection.scalar(select(_desk.c.agent).where(_desk.c.site == site, _desk.c.name == desk.name))
    return read_signed_on(connection, site, desk.name, account)


def read_signed_on(connection: Connection, site: str, desk: str, account: str | None) -> SignedOn | None:
    """Return who is signed on at a desk. `account`: theirs, from the desk's row."""
    if account is None:
        return None
    last = select(_event.c.at_ms, _event.c.data).where(_event.c.site == site, _event.c.desk == desk, _SIGN_ON)
    row = connection.execute(last.order_by(_event.c.id.desc()).limit(1)).first()
    at_ms, data = row or (0, "{}")
    name = read_agent_name(connection, site, account) or account
    return SignedOn(account, name, at_ms, msgspec.json.decode(data).get("before"))


def read_ticket(connection: Connection, site: str, ticket_id: int) -> Ticket | None:
    query = select(*_COLUMNS).where(_ticket.c.site == site, _ticket.c.id == ticket_id)
    return next(iter(_tickets(connection, query)), None)


def read_journal(connection: Connection, site: str, ticket_id: int) -> list[dict[str, Any]]:
    """The journal of one ticket, oldest first."""
    query = select(*_event.c).where(_event.c.site == site, _event.c.ticket == ticket_id).order_by(_event.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _read_free(connection: Connection, site: str, desk: str) -> Iterable[Place]:
    looks = select(
        _desk_service.c.service, _desk_service.c.kind, _desk_service.c.handicap_ms, _desk_service.c.early_ms
    ).where(_desk_service.c.site == site, _desk_service.c.desk == desk)
    for service, kind, handicap_ms, early_ms in connection.execute(looks.order_by("service", "kind")).all():
        first = (
            select(*_COLUMNS)
            .where(_ticket.c.site == site, _ticket.c.service == service, _ticket.c.kind == kind, IS_WAITING, IS_FREE)
            .order_by(_ticket.c.due_ms, _ticket.c.id)
            .limit(SHOWN)
        )
        for ticket in _tickets(connection, first):
            yield Place(ticket, handicap_ms, early_ms)


def _read_bound(connection: Connection, site: str, desk: str, away: list[str], services: list[str]) -> Iterable[Place]:
    """Yield the tickets bound to this desk, and those bound to a desk that is away, which others may pick."""
    for_me = (_ticket.c.bound_desk == desk) | (_ticket.c.bound_desk.in_(away) & _ticket.c.service.in_(services))
    query = select(*_COLUMNS).where(_ticket.c.site == site, IS_WAITING, IS_BOUND, for_me)
    for ticket in _tickets(connection, query.order_by(_ticket.c.due_ms, _ticket.c.id).limit(SHOWN)):
        yield Place(ticket, 0, 0)


def _read_lost(connection: Connection, site: str, services: list[str]) -> Iterable[Place]:
    """Yield the tickets of services that the site no longer has: no desk calls them, any desk can transfer them."""
    for service in services:
        for ticket in read_waiting(connection, site, service):
            if ticket.bound_desk is None:
                yield Place(ticket, 0, 0)


def _read_parked(
    connection: Connection, site: str, desk: str, at_work: list[str], services: list[str], known: list[str]
) -> list[tuple[Ticket, int]]:
    """Return the tickets set aside here, or by a desk not at work (paused, closed, or no longer of the site), and when.

    From a desk not at work, tickets of a service not in `known` are included: no page would show them otherwise. The
    first ticket is the one that the agent resumes with one key: the latest of their own desk.
    """
    for_me = _ticket.c.service.in_(services) | _ticket.c.service.not_in(known)
    mine = (_ticket.c.desk == desk) | (_ticket.c.desk.not_in(at_work) & for_me)
    order = (_ticket.c.desk != desk, _PARKED_MS.desc(), _ticket.c.id.desc())
    query = select(_PARKED_MS, *_COLUMNS).where(_ticket.c.site == site, _PARKED, mine).order_by(*order).limit(SHOWN)
    return [(from_row(row), parked_ms) for parked_ms, *row in connection.execute(query)]


def _read_expected(
    connection: Connection, site: str, services: list[str], today: str, tomorrow_ms: int
) -> tuple[list[Ticket], bool]:
    """Return today's bookings whose visitors are not here, by time, and whether there are more.

    They are the latest that did not come, and the next to come.
    """
    mine = (_ticket.c.site == site) & _ticket.c.service.in_(services) & (_ticket.c.day == today)
    # Without this bound, the query would read every booking of later days to find that no more is of today.
    to_come = _EXPECTED & (_ticket.c.appointment_ms < tomorrow_ms)
    coming = select(*_COLUMNS).where(mine, to_come).order_by(_ticket.c.appointment_ms, _ticket.c.id)
    missed = (
        select(*_COLUMNS)
        .where(mine, _ABSENT, _ticket.c.call.is_(None), _ticket.c.booking.is_not(None), ~_GONE)
        .order_by(_ticket.c.appointment_ms.desc(), _ticket.c.id)
    )
    late = _tickets(connection, missed.limit(SHOWN_MISSED + 1))
    next_ = _tickets(connection, coming.limit(SHOWN - SHOWN_MISSED + 1))
    shown = [*late[:SHOWN_MISSED], *next_[: SHOWN - SHOWN_MISSED]]
    is_more = len(shown) < len(late) + len(next_)
    return sorted(shown, key=lambda ticket: (ticket.appointment_ms or 0, ticket.id)), is_more


def _read_events(connection: Connection, site: str, desk: str, which: Any) -> Iterable[JournalRow]:
    query = (
        select(
            *(_event.c.id, _event.c.event, _event.c.ticket, _event.c.at_ms, _event.c.source, _agent.c.name),
            *(_event.c.request, _ticket.c.series, _ticket.c.number, _ticket.c.appointment_ms),
        )
        .select_from(
            _event.outerjoin(_ticket, (_ticket.c.site == _event.c.site) & (_ticket.c.id == _event.c.ticket)).outerjoin(
                _agent, (_agent.c.site == _event.c.site) & (_agent.c.account == _event.c.actor)
            )
        )
        .where(_event.c.site == site, _event.c.desk == desk, which)
        .order_by(_event.c.id.desc())
        .limit(LAST_EVENTS)
    )
    for id_, event, ticket, at_ms, source, who, request, series, number, appointment_ms in connection.execute(query):
        label = number_text(series, number) if series and number else ""
        yield JournalRow(id_, event, ticket, label, at_ms, source, who, request, appointment_ms)


def _tickets(connection: Connection, query: Select[Any]) -> list[Ticket]:
    return [from_row(row) for row in connection.execute(query).all()]


def _desk_now(row: Any) -> DeskNow:
    return DeskNow(
        row["name"],
        DeskMode(row["mode"]),
        bool(row["pausing"]),
        bool(row["closing"]),
        row["since_ms"],
        row["last_call_ms"],
        row["agent"],
    )
