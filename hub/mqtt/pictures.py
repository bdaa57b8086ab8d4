"""Makes the pictures of desks and halls: their whole published state, from committed rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, bindparam, func, select

from hub.database.statements import Connection
from hub.database.tables import AnnouncementRow, DeskRow, DeskServiceRow, TicketRow
from hub.queue import store
from hub.queue.announcements import FULL_MS
from hub.queue.hours import is_open, next_opening
from hub.queue.order import Candidate, Kind, takeable
from hub.queue.tickets import number_text
from hub.site import Desk
from hub.site_index import SiteIndex, served_by
from protocol.instants import Instant
from protocol.messages import Call, DeskMode, DeskState, HallState, Revision, Waiting

# With nine desks, these cover about the five minutes in which a visitor may still come.
CALLS_SHOWN = 4
# The latest announcements may hold a call several times: each recall adds one.
_SAYINGS_READ = 24
# With so many, a hall's picture fits into a message whatever its texts are. Announcing more would take four minutes.
_CALLS_MOST = 60
# Up to so many desks, one or two statements for each are less work than reading the whole site.
_FEW_DESKS = 4

_ticket: Any = TicketRow.__table__
_desk: Any = DeskRow.__table__
_announcement: Any = AnnouncementRow.__table__

_DESK: Executable = (
    select(_desk.c.mode, _desk.c.pausing, _desk.c.closing, _ticket.c.series, _ticket.c.number)
    .select_from(
        _desk.outerjoin(
            _ticket,
            (_ticket.c.site == _desk.c.site) & (_ticket.c.desk == _desk.c.name) & store.IS_HELD,
        )
    )
    .where(_desk.c.site == store.SITE, _desk.c.name == store.DESK)
)
# The same for every desk of the site at once, in a few statements: with 200 desks, a call may change many pictures.
_DESKS: Executable = select(*(_desk.c[name] for name in ("name", "mode", "pausing", "closing"))).where(
    _desk.c.site == store.SITE
)
_HELD: Executable = select(_ticket.c.desk, _ticket.c.series, _ticket.c.number).where(
    _ticket.c.site == store.SITE, store.IS_HELD
)
_kinds: Any = DeskServiceRow.__table__
_looked_at: Any = (
    select(_kinds.c.site, _kinds.c.service, _kinds.c.kind)
    .where(_kinds.c.site == store.SITE)
    .distinct()
    .subquery("looked_at")
)
_first: Any = (
    select(_ticket.c.id)
    .where(
        _ticket.c.site == _looked_at.c.site,
        _ticket.c.service == _looked_at.c.service,
        _ticket.c.kind == _looked_at.c.kind,
        store.IS_WAITING,
        store.IS_FREE,
    )
    .order_by(_ticket.c.due_ms, _ticket.c.id)
    .limit(1)
    .correlate(_looked_at)
    .scalar_subquery()
)
# The first waiting ticket of each service and kind …
_HEADS: Executable = select(_ticket.c.id, _ticket.c.service, _ticket.c.kind, _ticket.c.due_ms).where(
    _ticket.c.site == store.SITE, _ticket.c.id.in_(select(_first).select_from(_looked_at))
)
# … and for each desk one ticket bound to it, which may always be taken.
_BOUND: Executable = (
    select(_ticket.c.bound_desk, *(func.min(_ticket.c[name]) for name in ("id", "service", "due_ms")))
    .where(_ticket.c.site == store.SITE, store.IS_WAITING, store.IS_BOUND)
    .group_by(_ticket.c.bound_desk)
)
_SAYINGS: Executable = (
    select(*(_announcement.c[name] for name in ("call", "number", "desk", "at_ms", "length_ms", "play_ms")))
    .where(_announcement.c.site == store.SITE, _announcement.c.hall == bindparam("hall"))
    .order_by(_announcement.c.id.desc())
    .limit(bindparam("limit"))
)

# By service and kind: id, service, kind and due time of the first ticket that waits for any desk.
Heads = Mapping[tuple[str, str], tuple[int, str, Kind, int]]


class Pictures:
    """Makes pictures. `waiting`: the number of waiting tickets by service, as of `revision`.

    Each statement reads outside a transaction, so a picture may be newer than its `revision`; a later one then follows.
    """

    def __init__(self, connection: Connection, index: SiteIndex, now_ms: Callable[[], int]) -> None:
        self._connection = connection
        self._index = index
        self._now_ms = now_ms

    def desk(self, name: str, revision: Revision, waiting: Mapping[str, int]) -> DeskState:
        desk = self._index.desk(name)
        mode, pausing, closing, series, number = self._rows(_DESK, desk=name)[0]
        number = number_text(series, number) if number is not None else None
        found = self.candidates(desk)
        return self._desk_state(desk, revision, waiting, (mode, pausing, closing), number, found)

    def desks(self, names: Sequence[str], revision: Revision, waiting: Mapping[str, int]) -> list[DeskState]:
        """The pictures of several desks; beyond a few, the number of statements does not grow with the desks."""
        if len(names) <= _FEW_DESKS:
            return [self.desk(name, revision, waiting) for name in names]
        modes = {name: settings for name, *settings in self._rows(_DESKS)}
        held = {desk: number_text(series, number) for desk, series, number in self._rows(_HELD)}
        heads = {(row[1], row[2]): (row[0], row[1], Kind(row[2]), row[3]) for row in self._rows(_HEADS)}
        bound = {
            desk: Candidate(ticket_id, service, Kind.OPEN, due_ms, handicap_ms=0, early_ms=0)
            for desk, ticket_id, service, due_ms in self._rows(_BOUND)
        }
        return [
            self._desk_state(
                desk, revision, waiting, modes[desk.name], held.get(desk.name), self._seen_by(desk, heads, bound)
            )
            for desk in map(self._index.desk, names)
        ]

    def _desk_state(
        self,
        desk: Desk,
        revision: Revision,
        waiting: Mapping[str, int],
        settings: Sequence[Any],
        number: str | None,
        candidates: Sequence[Candidate],
    ) -> DeskState:
        mode, pausing, closing = settings
        settled = mode == DeskMode.OPEN and not pausing and not closing
        return DeskState(
            revision=revision,
            desk=desk.name,
            mode=DeskMode(mode),
            pausing=bool(pausing),
            closing=bool(closing),
            number=number,
            waiting=sum(waiting.get(service, 0) for service in served_by(desk)),
            callable=settled and bool(takeable(candidates, self._now_ms())),
        )

    def _seen_by(self, desk: Desk, heads: Heads, bound: Mapping[str, Candidate]) -> list[Candidate]:
        """The same as `candidates`, from heads that were read for all desks at once."""
        found = [
            Candidate(*heads[service, kind], handicap_ms=look["handicap_ms"], early_ms=look["early_ms"])
            for look in self._index.look_ups(desk.name)
            if (service := look["service"], kind := look["kind"]) in heads
        ]
        return found + ([bound[desk.name]] if desk.name in bound else [])

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
        opening = None if opened else next_opening(services, now_ms, site.zone)
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
            opens=opening.opens if opening else None,
            opens_on=opening.day if opening else None,
        )

    def _calls(self, hall: str, now_ms: int) -> tuple[Call, ...]:
        """The latest calls, and all whose announcement has not ended: a call that is not listed counts as withdrawn."""
        calls: dict[int, Call] = {}
        for call, number, desk_name, at_ms, length_ms, play_ms in self._sayings(hall, now_ms):
            if call in calls or (len(calls) >= CALLS_SHOWN and play_ms + length_ms <= now_ms):
                continue
            desk, place = shown_desk(self._index, desk_name, hall)
            calls[call] = Call(id=str(call), number=number, desk=desk, at=Instant(at_ms), place=place)
        listed = tuple(calls.values())
        # Keeps the newest few and those that are announced next, which have waited longest.
        return listed if len(listed) <= _CALLS_MOST else listed[:CALLS_SHOWN] + listed[CALLS_SHOWN - _CALLS_MOST :]

    def _sayings(self, hall: str, now_ms: int) -> Sequence[tuple[Any, ...]]:
        """The hall's latest announcements; if many desks called at once, back to the one that is being played."""
        read, limit = self._rows(_SAYINGS, hall=hall, limit=_SAYINGS_READ), _SAYINGS_READ
        # A withdrawn announcement has length 0, so FULL_MS is used: the one before it may still be playing.
        while len(read) == limit and read[-1][-1] + FULL_MS > now_ms:
            limit *= 4
            read = self._rows(_SAYINGS, hall=hall, limit=limit)
        return read

    def _rows(self, statement: Executable, **params: Any) -> Sequence[tuple[Any, ...]]:
        return self._connection.rows(statement, {"site": self._index.site.name, **params})


def shown_desk(index: SiteIndex, name: str, hall: str) -> tuple[str, str | None]:
    """A desk's number as displays show it, and its place if the desk is in another hall than `hall`."""
    desk = index.find_desk(name)
    if desk is None:
        return name, None
    return desk.number, desk.place if desk.hall != hall else None
