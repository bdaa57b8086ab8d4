"""Publik's times: naive, in its local time, `2026-11-25 10:00:00` in Chrono and with a T in w.c.s.

When clocks go forward, a time that does not exist is read as if they had not: 2:30 is an hour after 1:30. When they go
back, a time that occurs twice is read as the first.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

# Changes within the filter's minute, and during the last listing, are asked for again.
OVERLAP_MS = 120_000
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
MILLISECOND = timedelta(milliseconds=1)


class NotATime(ValueError):
    """The text is not a date with a time of day."""


def local_time(text: str) -> datetime:
    """Parse a time; the result is aware only if the text has an offset. Raises NotATime."""
    # A date alone is refused: read as midnight, it would make an appointment at midnight.
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise NotATime(text)
    try:
        return datetime.fromisoformat(found[0])
    except ValueError as error:
        raise NotATime(text) from error


def moment_ms(moment: datetime, zone: tzinfo) -> int:
    """Convert a time to ms since 1970 UTC. A naive one is in `zone`; an aware one does not need it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=0)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def local_day(moment: int, zone: tzinfo) -> date:
    return _local(moment, zone).date()


def changed_since(since_ms: int, zone: tzinfo) -> str:
    """Return the value for w.c.s.'s filter that leaves out nothing changed since then: a local minute.

    When clocks go back, a minute may occur twice, and it is not known whether w.c.s. compares local times or instants.
    The value is then earlier by as much as the clocks go back.
    """
    local = _local(since_ms - OVERLAP_MS, zone)
    gained = _offset(local, fold=0) - _offset(local, fold=1)
    written = local.replace(tzinfo=None, fold=0)
    if gained > timedelta(0):
        written -= gained
    return written.strftime("%Y-%m-%d %H:%M")


def _local(moment: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone(zone)


def _offset(local: datetime, *, fold: int) -> timedelta:
    return local.replace(fold=fold).utcoffset() or timedelta(0)
