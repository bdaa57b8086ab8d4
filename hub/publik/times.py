"""Publik's times: naive, local to its instance, `2026-11-25 10:00:00` in Chrono and with a T in w.c.s.

Where clocks go forward, a time that does not exist is read as if they had not: 2:30 is the moment an hour after 1:30.
Where they go back, a time that is there twice is its first.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

# What was changed within the minute that the filter names, and while the last listing was made, is asked for again.
OVERLAP_MS = 120_000
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
MILLISECOND = timedelta(milliseconds=1)


class NotATime(ValueError):
    """A text that is no date with a time of day."""


def local_time(text: str) -> datetime:
    """The time as it is written; aware only where an offset stands there. Raises NotATime."""
    # A date alone is no time: whoever read it as midnight would call somebody then.
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise NotATime(text)
    try:
        return datetime.fromisoformat(found[0])
    except ValueError as error:
        raise NotATime(text) from error


def moment_ms(moment: datetime, zone: tzinfo) -> int:
    """The moment of a naive local time, in ms since 1970 UTC; an aware one needs no zone."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=0)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def local_day(moment: int, zone: tzinfo) -> date:
    return _local(moment, zone).date()


def changed_since(since_ms: int, zone: tzinfo) -> str:
    """What w.c.s.'s filter is given so that nothing changed since then is left out: a local minute.

    A minute that is there twice is ambiguous, and whether w.c.s. compares written times or moments is not known: from
    the first of the two hours on, all is asked for again.
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
