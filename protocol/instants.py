"""Moments as the whole system counts them: whole milliseconds since 1970-01-01, UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Instant(int):
    """A moment in whole milliseconds since 1970, UTC; on the wire RFC 3339 with milliseconds and `Z`."""

    __slots__ = ()


def to_wire(moment_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, as every message writes a time: `2026-11-24T09:41:07.250Z`."""
    moment = _EPOCH + moment_ms * _MILLISECOND
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment_ms % 1000:03d}Z"


def from_wire(text: str) -> Instant:
    """The moment of an RFC 3339 text. Raises ValueError if it is not a time or has no UTC offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return Instant((moment - _EPOCH) // _MILLISECOND)
