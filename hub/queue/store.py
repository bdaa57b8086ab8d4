"""The SQL of the queue.

States are written as literals: with a bound parameter, some plans on both databases do not use the partial indexes.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Executable,
    Select,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    select,
    union,
    union_all,
    update,
)
from sqlalchemy import delete as sql_delete

from hub.database.statements import one_of
from hub.database.tables import (
    AnnouncementRow,
    CounterRow,
    DeskRow,
    DeskServiceRow,
    HallRow,
    RequestRow,
    SiteRow,
    TicketEventRow,
    TicketRow,
)
from hub.queue.tickets import FIELDS
from protocol.messages import DeskMode

ticket: Any = TicketRow.__table__
event: Any = TicketEventRow.__table__
desk: Any = DeskRow.__table__
desk_service: Any = DeskServiceRow.__table__
hall: Any = HallRow.__table__
request: Any = RequestRow.__table__
announcement: Any = AnnouncementRow.__table__
counter: Any = CounterRow.__table__
site: Any = SiteRow.__table__

SITE: Any = bindparam("site")
DESK: Any = bindparam("desk")
ID: Any = bindparam("id")

_held = ticket.alias("held")
IS_WAITING: Any = literal_column("ticket.state = 'waiting'")
IS_HELD: Any = literal_column("ticket.state in ('called', 'serving')")
_IS_PARKED: Any = literal_column("ticket.state = 'parked'")
IS_FREE: Any = literal_column("ticket.bound_desk is null")
IS_BOUND: Any = literal_column("ticket.bound_desk is not null")


def _heads() -> Any:
    """The ids (or null) of the first waiting ticket of each service and kind a desk looks at, and of the first bound to
    the desk.
    """
    first = (
        select(ticket.c.id)
        .where(
            ticket.c.site == desk_service.c.site,
            ticket.c.service == desk_service.c.service,
            ticket.c.kind == desk_service.c.kind,
            IS_WAITING,
            IS_FREE,
        )
        .order_by(ticket.c.due_ms, ticket.c.id)
        .limit(1)
        .correlate(desk_service)
        .scalar_subquery()
    )
    last_play = (
        select(hall.c.last_play_ms)
        .where(hall.c.site == desk_service.c.site, hall.c.name == desk_service.c.hall)
        .correlate(desk_service)
        .scalar_subquery()
    )
    free = select(
        first.label("id"),
        desk_service.c.handicap_ms.label("handicap_ms"),
        desk_service.c.early_ms.label("early_ms"),
        last_play.label("last_play_ms"),
    ).where(desk_service.c.site == SITE, desk_service.c.desk == DESK)
    first_bound = (
        select(ticket.c.id)
        .where(ticket.c.site == SITE, ticket.c.bound_desk == DESK, IS_WAITING, IS_BOUND)
        .order_by(ticket.c.due_ms, ticket.c.id)
        .limit(1)
        .scalar_subquery()
    )
    bound = select(first_bound.label("id"), literal_column("0"), literal_column("0"), null())
    return union_all(free, bound).subquery("heads")


def _first_waiting(heads: Any) -> Select[Any]:
    return select(
        ticket.c.id,
        ticket.c.service,
        ticket.c.kind,
        ticket.c.due_ms,
        ticket.c.series,
        ticket.c.number,
        heads.c.handicap_ms,
        heads.c.early_ms,
        heads.c.last_play_ms,
    ).select_from(heads.join(ticket, (ticket.c.site == SITE) & (ticket.c.id == heads.c.id)))


def _held_id() -> Any:
    # Not a join: SQLite does not use the partial index through an outer join and would read the whole table.
    return select(ticket.c.id).where(ticket.c.site == SITE, ticket.c.desk == DESK, IS_HELD).scalar_subquery()


def _last_event() -> Any:
    return select(event.c.id).where(event.c.site == SITE).order_by(event.c.id.desc()).limit(1).scalar_subquery()


def _first_answer() -> Any:
    return (
        select(request.c.answer).where(request.c.site == SITE, request.c.id == bindparam("request")).scalar_subquery()
    )


HELD_FIELDS = ("id", "service", "series", "number", "state", "call", "said_ms")

# All that a desk's command needs, in one round trip: the desk, the first answer to this request, the last journal row,
# the ticket held, and the tickets that could be called.
_candidates = _first_waiting(_heads()).subquery("candidates")
DESK_VIEW: Executable = (
    select(
        desk.c.mode,
        desk.c.pausing,
        desk.c.closing,
        desk.c.last_call_ms,
        desk.c.agent,
        _first_answer().label("answer"),
        _last_event().label("last_event"),
        *(_held.c[name].label(f"held_{name}") for name in HELD_FIELDS),
        *_candidates.c,
    )
    .select_from(
        desk.outerjoin(_held, (_held.c.site == SITE) & (_held.c.id == _held_id())).outerjoin(
            _candidates, literal_column("1") == literal_column("1")
        )
    )
    .where(desk.c.site == SITE, desk.c.name == DESK)
)

# Only the tickets that could be called, for `callable` and for pages.
CANDIDATES: Executable = _first_waiting(_heads())

FIRST_ANSWER: Executable = select(_first_answer().label("answer"), _last_event().label("last_event"))

_TICKET_COLUMNS = [ticket.c[name] for name in FIELDS]
TICKET_BY_ID: Executable = select(*_TICKET_COLUMNS).where(ticket.c.site == SITE, ticket.c.id == ID)
TICKET_BY_REQUEST: Executable = select(*_TICKET_COLUMNS).where(
    ticket.c.site == SITE, ticket.c.request == bindparam("of")
)
REQUEST_BY_ID: Executable = select(request.c.id).where(request.c.site == SITE, request.c.id == ID)
ANSWERED_REQUESTS: Executable = select(request.c.id).where(request.c.site == SITE, one_of(request.c.id, "ids"))
# At the end of a day, the halls' lists lose the calls whose ticket is no longer held, if the call was made before
# `before_ms` or the ticket is of `day` or before. The ticket is looked up as a scalar: for an EXISTS, PostgreSQL may
# read all tickets.
_DAY_UNLESS_HELD: Any = (
    select(ticket.c.day)
    .where(ticket.c.site == announcement.c.site, ticket.c.id == announcement.c.ticket, ~IS_HELD)
    .correlate(announcement)
    .scalar_subquery()
)
_LEAVES_LISTS: Any = ((announcement.c.at_ms < bindparam("before_ms")) & _DAY_UNLESS_HELD.is_not(None)) | (
    bindparam("day") >= _DAY_UNLESS_HELD
)
ANY_ANNOUNCEMENT_TO_DELETE: Executable = (
    select(announcement.c.id).where(announcement.c.site == SITE, _LEAVES_LISTS).limit(1)
)
BOUND_TO_DESK: Executable = (
    select(*_TICKET_COLUMNS)
    .where(ticket.c.site == SITE, ticket.c.bound_desk == DESK, IS_WAITING, IS_BOUND)
    .order_by(ticket.c.due_ms, ticket.c.id)
)
# Services of the tickets that are bound to this desk or were parked by it. The desk need not serve these services.
SERVICES_KEPT_BY_DESK: Executable = union(
    select(ticket.c.service).where(ticket.c.site == SITE, ticket.c.bound_desk == DESK, IS_WAITING, IS_BOUND),
    select(ticket.c.service).where(ticket.c.site == SITE, ticket.c.desk == DESK, _IS_PARKED),
)
# The end of a day leaves tickets with an appointment at or after `before_ms`: expected, waiting, or at a desk.
_BEFORE: Any = ticket.c.appointment_ms < bindparam("before_ms")
_BEFORE_OR_NONE: Any = ticket.c.appointment_ms.is_(None) | _BEFORE
# Each select uses the partial index of its state, so it reads neither ended tickets nor those expected later. SQLite
# would prefer an index on the day or the id, and read them all. These two expressions prevent that.
_DAY: Any = literal_column("ticket.day || ''")
_ORDER: Any = literal_column("ticket.id + 0")
_OPEN: tuple[Any, ...] = (
    literal_column("ticket.state = 'expected'") & _BEFORE,
    IS_WAITING & IS_FREE & (ticket.c.service >= literal_column("''")) & _BEFORE_OR_NONE,
    IS_WAITING & IS_BOUND & _BEFORE_OR_NONE,
    IS_HELD & _BEFORE_OR_NONE,
    _IS_PARKED & _BEFORE_OR_NONE,
)
OPEN_UP_TO_DAY: tuple[Executable, ...] = tuple(
    select(*_TICKET_COLUMNS)
    .where(ticket.c.site == SITE, is_open, bindparam("day") >= _DAY)
    .order_by(_ORDER)
    .limit(bindparam("limit"))
    for is_open in _OPEN
)


def _ahead(is_free_or_bound: Any) -> Any:
    """The number of waiting tickets of a service with an earlier (due_ms, id)."""
    return (
        select(func.count())
        .select_from(ticket)
        .where(
            ticket.c.site == SITE,
            ticket.c.service == bindparam("service"),
            IS_WAITING,
            is_free_or_bound,
            (ticket.c.due_ms < bindparam("due_ms"))
            | ((ticket.c.due_ms == bindparam("due_ms")) & (ticket.c.id < bindparam("id"))),
        )
        .scalar_subquery()
    )


# Each term uses its own partial index.
PEOPLE_AHEAD: Executable = select(_ahead(IS_FREE) + _ahead(IS_BOUND))
WAITING_BY_SERVICE: tuple[Executable, ...] = tuple(
    select(ticket.c.service, func.count())
    .where(ticket.c.site == SITE, ticket.c.service >= literal_column("''"), IS_WAITING, is_free_or_bound)
    .group_by(ticket.c.service)
    for is_free_or_bound in (IS_FREE, IS_BOUND)
)

# Events by which a desk took or released a ticket. Neither a recall nor an action on a ticket it does not hold counts.
HOLDS: Any = literal_column(
    "(ticket_event.to_state in ('called', 'serving') or ticket_event.from_state in ('called', 'serving'))"
    " and ticket_event.event <> 'recall'"
)
LAST_HOLD_AT_DESK: Executable = (
    select(event.c.event, event.c.ticket, event.c.source, event.c.actor, event.c.at_ms)
    .where(event.c.site == SITE, event.c.desk == DESK, HOLDS)
    .order_by(event.c.id.desc())
    .limit(1)
)
# The journal row of a call and the row before it. A finish-and-call writes both in one request.
CALL_AND_BEFORE: Executable = (
    select(event.c.event, event.c.ticket, event.c.request, event.c.desk, event.c.at_ms)
    .where(event.c.site == SITE, event.c.id <= bindparam("call"))
    .order_by(event.c.id.desc())
    .limit(2)
)

DESK_MODES: Executable = select(desk.c.name, desk.c.mode).where(desk.c.site == SITE)
# The open desks that go on calling: not those that pause or close after their visitor.
CALLING_DESKS: Executable = select(desk.c.name).where(
    desk.c.site == SITE, desk.c.mode == DeskMode.OPEN, ~desk.c.pausing, ~desk.c.closing
)
# For each desk: its mode and when that was set, its last call, the number of tickets it holds, the agent signed on.
DESKS_AT_WORK: Executable = select(
    desk.c.name,
    desk.c.mode,
    desk.c.since_ms,
    desk.c.last_call_ms,
    select(func.count())
    .select_from(ticket)
    .where(ticket.c.site == desk.c.site, ticket.c.desk == desk.c.name, IS_HELD)
    .correlate(desk)
    .scalar_subquery(),
    desk.c.agent,
).where(desk.c.site == SITE)

HALL_LAST_PLAY: Executable = select(hall.c.last_play_ms).where(hall.c.site == SITE, hall.c.name == bindparam("hall"))

# The announcements of a hall that start after this moment, in playing order.
BEHIND: Executable = (
    select(announcement.c.id, announcement.c.call, announcement.c.ticket, announcement.c.play_ms)
    .where(
        announcement.c.site == SITE,
        announcement.c.hall == bindparam("hall"),
        announcement.c.play_ms > bindparam("after_ms"),
        announcement.c.length_ms > 0,
    )
    .order_by(announcement.c.play_ms, announcement.c.id)
    .limit(bindparam("limit"))
)
ANNOUNCEMENTS_OF_CALL: Executable = (
    select(
        announcement.c.id, announcement.c.hall, announcement.c.play_ms, announcement.c.length_ms, announcement.c.number
    )
    .where(announcement.c.site == SITE, announcement.c.call == bindparam("call"))
    .order_by(announcement.c.id)
)

DUE_ABSENCES: Executable = (
    select(ticket.c.id, ticket.c.state, ticket.c.call)
    .where(ticket.c.site == SITE, ticket.c.absent_at_ms <= bindparam("now_ms"), ticket.c.absent_at_ms.is_not(None))
    .order_by(ticket.c.absent_at_ms, ticket.c.id)
    .limit(bindparam("limit"))
)
# Held by any desk, even one that the site no longer has.
HELD: Executable = select(*_TICKET_COLUMNS).where(ticket.c.site == SITE, IS_HELD)
# Expected tickets of services without check-in; the index `admission_due` has the same condition.
_IS_TO_ADMIT: Any = literal_column("ticket.state = 'expected' and ticket.absent_at_ms is null")
DUE_ADMISSIONS: Executable = (
    select(ticket.c.id)
    .where(
        ticket.c.site == SITE,
        ticket.c.service == bindparam("service"),
        _IS_TO_ADMIT,
        ticket.c.appointment_ms >= bindparam("after_ms"),
        ticket.c.appointment_ms <= bindparam("until_ms"),
    )
    .order_by(ticket.c.appointment_ms, ticket.c.id)
    .limit(bindparam("limit"))
)
# Expected tickets of a service that were booked under other settings. One statement is for a service with check-in, the
# other for a service without.
_IS_EXPECTED: Any = literal_column("ticket.state = 'expected'")
_EXPECTED_OF = (
    select(*_TICKET_COLUMNS)
    .where(ticket.c.site == SITE, ticket.c.service == bindparam("service"), _IS_EXPECTED)
    .order_by(ticket.c.appointment_ms, ticket.c.id)
    .limit(bindparam("limit"))
)
OUT_OF_STEP: Executable = _EXPECTED_OF.where(
    ticket.c.absent_at_ms.is_(None) | (ticket.c.absent_at_ms != ticket.c.appointment_ms + bindparam("delay_ms"))
)
OUT_OF_STEP_WITHOUT_CHECK_IN: Executable = _EXPECTED_OF.where(ticket.c.absent_at_ms.is_not(None))

LAST_EVENT: Any = select(func.max(event.c.id)).where(event.c.site == SITE)
COUNTER: Any = select(counter.c.last).where(
    counter.c.site == SITE, counter.c.day == bindparam("day"), counter.c.series == bindparam("series")
)

# --- writes -------------------------------------------------------------------------------------------------------

INSERT_TICKET: Executable = insert(ticket).values({name: bindparam(name) for name in ("site", *FIELDS)}).inline()
INSERT_EVENT: Executable = insert(event).values({column.name: bindparam(column.name) for column in event.c}).inline()
INSERT_REQUEST: Executable = (
    insert(request).values({column.name: bindparam(column.name) for column in request.c}).inline()
)
INSERT_ANNOUNCEMENT: Executable = (
    insert(announcement).values({column.name: bindparam(column.name) for column in announcement.c}).inline()
)
INSERT_COUNTER: Executable = insert(counter).values({c.name: bindparam(c.name) for c in counter.c}).inline()

RAISE_COUNTER: Executable = (
    update(counter)
    .where(counter.c.site == SITE, counter.c.day == bindparam("of_day"), counter.c.series == bindparam("of_series"))
    .values(last=bindparam("last"))
)
SET_LAST_PLAY: Executable = (
    update(hall).where(hall.c.site == SITE, hall.c.name == bindparam("hall")).values(last_play_ms=bindparam("play_ms"))
)
MOVE_ANNOUNCEMENT: Executable = (
    update(announcement)
    .where(announcement.c.site == SITE, announcement.c.id == bindparam("of_id"))
    .values(play_ms=bindparam("to_ms"))
)
# Takes the announcements out of the queue; the call stays listed.
SILENCE_ANNOUNCEMENTS: Executable = (
    update(announcement)
    .where(
        announcement.c.site == SITE,
        announcement.c.call == bindparam("of_call"),
        announcement.c.play_ms > bindparam("gone_ms"),
    )
    .values(length_ms=0)
)
DELETE_CALL: Executable = sql_delete(announcement).where(
    announcement.c.site == SITE, announcement.c.call == bindparam("of_call")
)
DELETE_ANNOUNCEMENTS: Executable = sql_delete(announcement).where(announcement.c.site == SITE, _LEAVES_LISTS)
# DELETE_REQUESTS deletes up to the last of these times: a few rows more than `limit` if several requests share it.
OLDEST_REQUESTS: Executable = (
    select(request.c.at_ms)
    .where(request.c.site == SITE, request.c.at_ms < bindparam("before_ms"))
    .order_by(request.c.at_ms)
    .limit(bindparam("limit"))
)
DELETE_REQUESTS: Executable = sql_delete(request).where(request.c.site == SITE, request.c.at_ms <= bindparam("last_ms"))


@lru_cache(maxsize=64)
def update_ticket(columns: tuple[str, ...]) -> Executable:
    """An update that sets these columns of the ticket `of_id`, if it is still in state `was`."""
    return (
        update(ticket)
        .where(ticket.c.site == SITE, ticket.c.id == bindparam("of_id"), ticket.c.state == bindparam("was"))
        .values({name: bindparam(f"to_{name}") for name in columns})
    )


@lru_cache(maxsize=16)
def update_desk(columns: tuple[str, ...]) -> Executable:
    """An update that sets these columns of the desk `of_desk`."""
    return (
        update(desk)
        .where(desk.c.site == SITE, desk.c.name == bindparam("of_desk"))
        .values({name: bindparam(f"to_{name}") for name in columns})
    )


def prefixed(changes: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The new values, as parameters of `update_ticket` and `update_desk`."""
    return {f"to_{name}": value for name, value in changes}
