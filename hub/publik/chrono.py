"""Direct access to Chrono, if its host allows it. Written from Chrono's documentation alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hub.publik.answers import document, entries
from hub.publik.client import Client
from hub.publik.paths import text_at


@dataclass(frozen=True, slots=True)
class Agenda:
    """`kind`: events, meetings or virtual."""

    slug: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class MeetingType:
    slug: str
    title: str


class Chrono:
    """A client of Chrono. Each call may raise Fault."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def agendas(self) -> tuple[Agenda, ...]:
        found = entries(self._client.get("/api/agenda/"))
        return tuple(
            Agenda(slug, text_at(each, "text") or slug, text_at(each, "kind") or "") for slug, each in _named(found)
        )

    def meeting_types(self, agenda: str) -> tuple[MeetingType, ...]:
        found = entries(self._client.get(f"/api/agenda/{quote(agenda)}/meetings/"))
        return tuple(MeetingType(slug, text_at(each, "text") or slug) for slug, each in _named(found))

    def has_booking(self, booking: str) -> bool:
        """Whether the booking can be read and stands. Raises Fault if it is cancelled, gone or not visible to us."""
        return bool(document(self._client.get(_booking(booking))).get("data"))

    def mark(self, booking: str, *, present: bool) -> None:
        """Mark presence or absence; safe to repeat. Sends one key only: Chrono stores unknown keys in the booking."""
        document(self._client.send("PATCH", _booking(booking), {"user_was_present": present}))


def _booking(booking: str) -> str:
    return f"/api/booking/{quote(booking, safe='')}/"


def _named(found: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries that have a slug, or else an id."""
    for each in found:
        slug = text_at(each, "slug") or text_at(each, "id")
        if slug:
            yield slug, each
