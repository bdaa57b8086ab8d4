"""What the hub says of a desk and of a hall: the whole picture, made from committed rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, bindparam, literal_column, select

from hub.database.statements import Connection
from hub.database.tables import AnnouncementRow, DeskRow, TicketRow
from hub.queue import store
from hub.queue.hours import is_open, next_opening
from hub.queue.order import Candidate, Kind, takeable
from hub.queue.tickets import number_text
from hub.queue.transaction import SiteIndex, served_by
from hub.site import Desk
from protocol.instants import Instant
from protocol.messages import Call, DeskMode, DeskState, HallState, Revision, Waiting

# About the five minutes in which a visitor may still come, at nine desks.
CALLS_SHOWN = 4
# A call may stand several times among the latest sayings: each recall is one.
_SAYINGS_READ = 24

_ticket: Any = TicketRow.__table__
_desk: Any = DeskRow.__table__
_announcement: Any = AnnouncementRow.__table__

_DESK: Executable = (
    select(_desk.c.mode, _desk.c.pausing, _desk.c.closing, _ticket.c.series, _ticket.c.number)
    .select_from(
        _desk.outerjoin(
            _ticket,
            (_ticket.c.site == _desk.c.site)
            & (_ticket.c.desk == _desk.c.name)
            & literal_column("ticket.state in ('called', 'serving')"),
        )
    )
    .where(_desk.c.site == store.SITE, _desk.c.name == store.DESK)
)
_SAYINGS: Executable = (
    select(
        *(_announcement.c[name] for name in ("call", "number", "desk", "at_ms")),
        (_announcement.c.play_ms + _announcement.c.length_ms).label("ends_ms"),
    )
    .where(_announcement.c.site == store.SITE, _announcement.c.hall == bindparam("hall"))
    .order_by(_announcement.c.id.desc())
    .limit(_SAYINGS_READ)
)


class Pictures:
    """Makes pictures. `waiting`: how many wait, by service, as of `revision`.

    Reads on a connection of its own, each statement by itself: what it reads may be newer than `revision`, and then a
    later revision follows.
    """

    def __init__(self, connection: Connection, index: SiteIndex, now_ms: Callable[[], int]) -> None:
        self._connection = connection
        self._index = index
        self._now_ms = now_ms

    def desk(self, name: str, revision: Revision, waiting: Mapping[str, int]) -> DeskState:
        desk = self._index.desk(name)
        mode, pausing, closing, series, number = self._rows(_DESK, desk=name)[0]
        settled = mode == DeskMode.OPEN and not pausing and not closing
        return DeskState(
            revision=revision,
            desk=name,
            mode=DeskMode(mode),
            pausing=bool(pausing),
            closing=bool(closing),
            number=number_text(series, number) if number is not None else None,
            waiting=sum(waiting.get(service, 0) for service in served_by(desk)),
            callable=settled and bool(takeable(self.candidates(desk), self._now_ms())),
        )

    def candidates(self, desk: Desk) -> list[Candidate]:
        """The first ticket of each service and kind, as this desk sees it."""
        return [
            Candidate(ticket_id, service, Kind(kind), due_ms, handicap_ms, early_ms)
            for ticket_id, service, kind, due_ms, _, _, handicap_ms, early_ms, _ in self._rows(
                store.CANDIDATES, desk=desk.name
            )
        ]

    def hall(self, name: str, revision: Revision, waiting: Mapping[str, int]) -> HallState:
        site, hall, now_ms = self._index.site, self._index.hall(name), self._now_ms()
        services = [service for service in site.services if service.hall == name]
        calls = self._calls(name, now_ms)
        opened = any(is_open(service, now_ms, site.zone) for service in services)
        opened = opened or any(waiting.get(service.name, 0) for service in services)
        return HallState(
            revision=revision,
            hall=name,
            town=site.town,
            zone=site.zone,
            at=Instant(now_ms),
            open=opened,
            calls=calls,
            waiting=tuple(
                Waiting(
                    service=service.name,
                    letter=service.letter,
                    name=service.short,
                    count=max(0, waiting.get(service.name, 0)),
                )
                for service in services
            ),
            messages=hall.messages,
            opens=None if opened else next_opening(services, now_ms, site.zone),
        )

    def _calls(self, hall: str, now_ms: int) -> tuple[Call, ...]:
        """The latest, and each one that is not said to its end: a call that is not listed counts as withdrawn."""
        calls: dict[int, Call] = {}
        for call, number, desk_name, at_ms, ends_ms in self._rows(_SAYINGS, hall=hall):
            if call in calls or (len(calls) >= CALLS_SHOWN and ends_ms <= now_ms):
                continue
            desk, place = shown_desk(self._index, desk_name, hall)
            calls[call] = Call(id=str(call), number=number, desk=desk, at=Instant(at_ms), place=place)
        return tuple(calls.values())

    def _rows(self, statement: Executable, **params: Any) -> Sequence[tuple[Any, ...]]:
        return self._connection.rows(statement, {"site": self._index.site.name, **params})


def shown_desk(index: SiteIndex, name: str, hall: str) -> tuple[str, str | None]:
    """A desk's number as displays show it, and its place where it stands in another hall than the one that waits."""
    desk = index.find_desk(name)
    if desk is None:
        return name, None
    return desk.number, desk.place if desk.hall != hall else None
