"""What the appointments' thread reads: the bookings known, and the reports that are due."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Executable, bindparam, func, literal_column, select

from hub.appointments.source import Listing, ReportKind
from hub.database.statements import Connection, one_of
from hub.database.tables import BookingRow, CounterRow, ReportRow, TicketEventRow
from hub.queue.bookings import KNOWN_FIELDS, Known

_booking: Any = BookingRow.__table__
_report: Any = ReportRow.__table__
_event: Any = TicketEventRow.__table__
_counter: Any = CounterRow.__table__
_SITE: Any = bindparam("site")

_KNOWN = [_booking.c[name] for name in KNOWN_FIELDS]
_ALL_KNOWN: Executable = select(*_KNOWN).where(_booking.c.site == _SITE)
_KNOWN_BY_ID: Executable = select(*_KNOWN).where(_booking.c.site == _SITE, one_of(_booking.c.id, "ids"))
_KNOWN_BY_REFERENCE: Executable = select(*_KNOWN).where(
    _booking.c.site == _SITE, one_of(_booking.c.reference, "references")
)

_TO_SEND: Any = literal_column("report.state in ('waiting', 'trying')")
_before = _report.alias("before")
# Not told, and no longer forgotten either: what follows of the same booking must wait for it.
_OPEN_BEFORE: Any = (
    select(literal_column("1"))
    .select_from(_before)
    .where(
        _before.c.site == _report.c.site,
        _before.c.booking == _report.c.booking,
        _before.c.id < _report.c.id,
        literal_column("before.state in ('waiting', 'trying', 'failed')"),
    )
    .exists()
)


# Sent perhaps: a crash or a time-out left it open.
TRYING = "trying"


class Due(Struct, frozen=True):
    """A report to be sent. `state`: waiting, or trying, where it is not known whether it was sent before."""

    id: int
    booking: str
    reference: str
    kind: ReportKind
    state: str
    attempts: int
    status_before: str | None


_DUE: Executable = (
    select(*(_report.c[name] for name in Due.__struct_fields__))
    .where(_report.c.site == _SITE, _TO_SEND, _report.c.due_ms <= bindparam("now_ms"), ~_OPEN_BEFORE)
    .order_by(_report.c.due_ms, _report.c.id)
    .limit(1)
)
_FAILED: Executable = (
    select(func.count()).select_from(_report).where(_report.c.site == _SITE, literal_column("state = 'failed'"))
)
_LAST_EVENT: Executable = select(_event.c.id).where(_event.c.site == _SITE).order_by(_event.c.id.desc()).limit(1)
_REPORTED: Executable = select(_counter.c.last).where(
    _counter.c.site == _SITE, literal_column("day = ''"), literal_column("series = 'reported'")
)
_OF_A_BOOKING: Executable = (
    select(_event.c.id)
    .where(
        _event.c.site == _SITE,
        _event.c.id > bindparam("after"),
        _event.c.id <= bindparam("up_to"),
        select(literal_column("1"))
        .select_from(_booking)
        .where(_booking.c.site == _event.c.site, _booking.c.ticket == _event.c.ticket)
        .exists(),
    )
    .limit(1)
)


def known_to(connection: Connection, site: str, listing: Listing) -> list[Known]:
    """All bookings that a listing may be about: of its ids and references; all of the site for a complete one."""
    if listing.complete:
        return _known(connection.rows(_ALL_KNOWN, {"site": site}))
    if not listing.bookings:
        return []
    ids = connection.many([booking.id for booking in listing.bookings])
    references = connection.many([booking.reference for booking in listing.bookings])
    rows = connection.rows(_KNOWN_BY_ID, {"site": site, "ids": ids})
    rows += connection.rows(_KNOWN_BY_REFERENCE, {"site": site, "references": references})
    return list({each.id: each for each in _known(rows)}.values())


def next_due(connection: Connection, site: str, now_ms: int) -> Due | None:
    """The first report that is due and before which nothing of its booking is open."""
    for row in connection.rows(_DUE, {"site": site, "now_ms": now_ms}):
        values = dict(zip(Due.__struct_fields__, row, strict=True))
        return Due(**{**values, "kind": ReportKind(values["kind"])})
    return None


def failed_count(connection: Connection, site: str) -> int:
    """How many reports failed for good."""
    return int(connection.rows(_FAILED, {"site": site})[0][0])


def has_news(connection: Connection, site: str, limit: int) -> bool:
    """Whether the journal has rows of bookings that nobody looked at yet, or `limit` rows of whatever.

    So visitors without an appointment cost a look a second, and a commit in `limit` of their rows.
    """
    last = connection.rows(_LAST_EVENT, {"site": site})
    reported = connection.rows(_REPORTED, {"site": site})
    after = reported[0][0] if reported else 0
    up_to = last[0][0] if last else 0
    if up_to - after >= limit:
        return True
    return up_to > after and bool(connection.rows(_OF_A_BOOKING, {"site": site, "after": after, "up_to": up_to}))


def _known(rows: Iterable[tuple[Any, ...]]) -> list[Known]:
    found = (dict(zip(KNOWN_FIELDS, row, strict=True)) for row in rows)
    return [Known(**{**values, "gone": bool(values["gone"])}) for values in found]
