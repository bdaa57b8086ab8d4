"""The outbox's reads: announcements that are due, counts of waiting tickets, the last journal row."""

from collections import Counter
from typing import Any

from sqlalchemy import Executable, bindparam, exists, select

from hub.database.statements import Connection
from hub.database.tables import AnnouncementRow
from hub.queue import store
from hub.queue.announcements import GOES_OUT_MS, Announcement
from protocol.messages import ANNOUNCEMENT_LATE_MS

_announcement: Any = AnnouncementRow.__table__
_later: Any = AnnouncementRow.__table__.alias("later")

_TO_SAY: Executable = (
    select(
        *(_announcement.c[name] for name in ("id", "call", "hall", "ticket", "number", "desk", "play_ms", "length_ms")),
    )
    .where(
        _announcement.c.site == store.SITE,
        _announcement.c.play_ms > bindparam("after_ms"),
        _announcement.c.play_ms <= bindparam("before_ms"),
        _announcement.c.length_ms > 0,
        # A recall replaces the call's earlier announcement, if that was not sent.
        ~exists().where(
            _later.c.site == _announcement.c.site,
            _later.c.call == _announcement.c.call,
            _later.c.id > _announcement.c.id,
        ),
    )
    .order_by(_announcement.c.play_ms, _announcement.c.id)
)


def to_say(connection: Connection, site: str, looked_ms: int, now_ms: int) -> list[Announcement]:
    """The announcements to go out by now that were not too late to play at `looked_ms`, in the order of their start."""
    return _between(connection, site, looked_ms - ANNOUNCEMENT_LATE_MS, now_ms + GOES_OUT_MS)


def unheard(connection: Connection, site: str, told: int, now_ms: int) -> list[Announcement]:
    """The announcements that are too late to play, of all that came after the journal row `told`."""
    return [each for each in _between(connection, site, 0, now_ms - ANNOUNCEMENT_LATE_MS) if each.id > told]


def _between(connection: Connection, site: str, after_ms: int, before_ms: int) -> list[Announcement]:
    span = {"after_ms": after_ms, "before_ms": before_ms}
    return [Announcement(*row) for row in connection.rows(_TO_SAY, {"site": site, **span})]


def waiting(connection: Connection, site: str) -> dict[str, int]:
    """The number of waiting tickets of each service that has any."""
    counts: Counter[str] = Counter()
    for statement in store.WAITING_BY_SERVICE:
        counts.update(dict(connection.rows(statement, {"site": site})))
    return counts


def last_event(connection: Connection, site: str) -> int:
    """The id of the last journal row, or 0."""
    return connection.rows(store.LAST_EVENT, {"site": site})[0][0] or 0
