"""One command in the writer's transaction: what it reads, what it changes, and what follows after the commit.

A command function gets a `Work`. It reads through it, checks, then states its changes. `Work` turns each change into
the rows that must be written together: the journal row, the ticket row and the record of the answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import asdict

from hub.database.statements import Connection, Params, Write
from hub.queue import store
from hub.queue.announcements import Announcement
from hub.queue.answers import Answer
from hub.queue.hours import local_day
from hub.queue.order import Candidate, Kind
from hub.queue.refusals import TransitionRefused, Unknown
from hub.queue.requests import Origin
from hub.queue.states import TRANSITIONS, Event, State
from hub.queue.tickets import Ticket, from_row, number_text
from hub.site import Desk
from hub.site_index import SiteIndex
from protocol.messages import DeskMode

_answers = msgspec.json.Decoder(Answer)
_encoder = msgspec.json.Encoder()
_NO_ARGUMENTS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Brief:
    """The part of a ticket that a press needs. `said_ms`: planned end of its announcement, if it was called."""

    id: int
    service: str
    label: str
    state: State
    call: int | None = None
    said_ms: int | None = None


class Head(msgspec.Struct, frozen=True):
    """A ticket that the desk could call next.

    `last_play_ms`: when the last announcement of its hall starts; None if the ticket is bound to the desk.
    """

    candidate: Candidate
    series: str
    number: int
    last_play_ms: int | None

    @property
    def ticket(self) -> Brief:
        return Brief(self.candidate.id, self.candidate.service, number_text(self.series, self.number), State.WAITING)


@dataclass(frozen=True, slots=True)
class DeskView:
    desk: Desk
    mode: DeskMode
    pausing: bool
    closing: bool
    last_call_ms: int
    agent: str | None
    held: Brief | None
    heads: tuple[Head, ...]


@dataclass(slots=True)
class Effects:
    """What must be published or announced after a command is committed."""

    last_event: int = 0
    desks: set[str] = field(default_factory=set)
    halls: set[str] = field(default_factory=set)
    announcements: list[Announcement] = field(default_factory=list)
    # Change in the number of people waiting, by service.
    waiting: dict[str, int] = field(default_factory=dict)
    # Services whose desks must be published again: tickets that wait, are expected, parked or callable have changed.
    services: set[str] = field(default_factory=set)


class GivesWay(Exception):
    """People's commands wait and nothing is written yet: run this command again from the start, after theirs."""


class Work:
    """One command in the writer's transaction. `now_ms` is its time, read once.

    `people_wait`: tells whether a person's command is waiting; this command may then be run after it.
    """

    def __init__(
        self,
        connection: Connection,
        index: SiteIndex,
        now_ms: int,
        origin: Origin,
        mean_visit_ms: Callable[[str], int | None],
        people_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self.index = index
        self.now_ms = now_ms
        self.origin = origin
        # The actor in the journal: the origin's actor, or the agent for whom a button acts.
        self.actor = origin.actor
        self.mean_visit_ms = mean_visit_ms
        self.effects = Effects()
        # Whether the request was already answered, so that this run did nothing.
        self.repeated = False
        self._people_wait = people_wait
        self._connection = connection
        self._last_event: int | None = None
        self._writes: list[Write] = []
        self._desk_changes: dict[str, dict[str, Any]] = {}
        self._touched = False

    @property
    def today(self) -> str:
        """The site's calendar day at this command's time."""
        return local_day(self.now_ms, self.index.site.zone)

    # --- reading --------------------------------------------------------------------------------------------------

    def rows(self, statement: Any, **params: Any) -> list[tuple[Any, ...]]:
        return self._connection.rows(statement, {"site": self.index.site.name, **params})

    def rows_with_counter(
        self, statement: Any, day: str, series: str, **params: Any
    ) -> tuple[int | None, list[tuple[Any, ...]]]:
        """Run a statement like `booking_store.KNOWN`; return the counter (None if never raised) and the rows."""
        self.flush()
        lines = self.rows(statement, day=day, series=series, **params)
        self._last_event, last = lines[0][0] or 0, lines[0][1]
        return last, [line[2:] for line in lines if any(value is not None for value in line[2:])]

    def first_answer(self) -> Answer | None:
        """The first answer to this request, or None. The same query reads the id of the last journal row."""
        answer, last_event = self.rows(store.FIRST_ANSWER, request=self.origin.request)[0]
        self._last_event = last_event or 0
        return _answers.decode(answer) if answer else None

    def many(self, values: Sequence[str] | Sequence[int]) -> Any:
        """The parameter value for a `one_of`."""
        return self._connection.many(values)

    def look(self, desk: Desk) -> tuple[DeskView, Answer | None]:
        """The desk with the ticket it holds and those it could call, and the first answer to this request, or None.

        Raises Unknown if the database has no such desk.
        """
        rows = self.rows(store.DESK_VIEW, desk=desk.name, request=self.origin.request)
        if not rows:
            raise Unknown("desk", desk.name)
        mode, pausing, closing, last_call_ms, agent, answer, last_event, *rest = rows[0]
        self._last_event = last_event or 0
        held, head_at = rest[: len(store.HELD_FIELDS)], 7 + len(store.HELD_FIELDS)
        view = DeskView(
            desk=desk,
            mode=DeskMode(mode),
            pausing=bool(pausing),
            closing=bool(closing),
            last_call_ms=last_call_ms,
            agent=agent,
            held=None if held[0] is None else _held(held),
            heads=tuple(_head(row[head_at:]) for row in rows if row[head_at] is not None),
        )
        return view, _answers.decode(answer) if answer else None

    def ticket(self, ticket_id: int) -> Ticket:
        rows = self.rows(store.TICKET_BY_ID, id=ticket_id)
        if not rows:
            raise Unknown("ticket", str(ticket_id))
        return from_row(rows[0])

    def reread(self, ticket: Ticket) -> Ticket:
        """The ticket as this command has changed it."""
        self.flush()
        return self.ticket(ticket.id)

    def give_way(self) -> None:
        """Raise GivesWay if people's commands wait and this one has written nothing, so that it can start again."""
        if not self._touched and self._people_wait():
            raise GivesWay

    # --- changing -------------------------------------------------------------------------------------------------

    def check(self, ticket: Ticket | Brief, event: Event) -> None:
        """Raise TransitionRefused if the ticket's state does not allow the event."""
        if (ticket.state, event) not in TRANSITIONS:
            raise TransitionRefused(ticket.label, ticket.state, event)

    def journal(
        self,
        event: str,
        *,
        ticket: int | None = None,
        from_state: State | None = None,
        to_state: State | None = None,
        desk: str | None = None,
        data: Mapping[str, Any] = _NO_ARGUMENTS,
    ) -> int:
        """Write one journal row and return its id.

        Publishes the desk, if one is named: it shows at least that this was the last thing done there.
        """
        self._last_event = self.effects.last_event = self.next_event
        self._add(
            store.INSERT_EVENT,
            {
                "id": self._last_event,
                "ticket": ticket,
                "event": event,
                "from_state": from_state,
                "to_state": to_state,
                "at_ms": self.now_ms,
                "source": self.origin.source,
                "actor": self.actor,
                "desk": desk,
                "request": self.origin.request,
                "data": _encoder.encode(data).decode(),
            },
        )
        self.publish_desks(desk)
        return self._last_event

    @property
    def next_event(self) -> int:
        """The id that the next journal row will have."""
        if self._last_event is None:
            self.first_answer()
        return (self._last_event or 0) + 1

    def change(
        self,
        ticket: Ticket | Brief,
        event: Event,
        to_state: State,
        *,
        at_desk: str | None,
        frees_desk: bool = False,
        picked: bool = False,
        **changes: Any,
    ) -> None:
        """Make one transition: write its journal row and its ticket row.

        `frees_desk`: another ticket may take the desk next. `picked`: an agent chose the ticket by hand; only the
        journal keeps this. Raises TransitionRefused if `states.TRANSITIONS` does not list the transition.
        """
        self.check(ticket, event)
        if to_state not in TRANSITIONS[ticket.state, event]:
            raise TransitionRefused(ticket.label, ticket.state, event)
        if to_state != ticket.state:
            changes["state"] = to_state
        data = {**changes, "picked": True} if picked else changes
        self.journal(event, ticket=ticket.id, from_state=ticket.state, to_state=to_state, desk=at_desk, data=data)
        columns = tuple(sorted(changes))
        self._add(
            store.update_ticket(columns),
            {"of_id": ticket.id, "was": ticket.state, **store.prefixed(changes.items())},
            guarded=True,
        )
        self._count(ticket, to_state, changes.get("service"))
        if isinstance(ticket, Ticket):
            self._tell_of_expected(ticket.state, ticket.service, ticket.day)
            self._tell_of_expected(to_state, changes.get("service", ticket.service), changes.get("day", ticket.day))
            # The desk it is bound to need not serve its service, so nothing else would publish that desk.
            self.publish_desks(ticket.bound_desk, changes.get("bound_desk"))
        if frees_desk:
            # The unique index on a desk's held ticket is checked row by row: this ticket must leave it before the next.
            self.flush()

    def note(self, ticket: Ticket, event: str, **changes: Any) -> None:
        """Change a ticket without a transition. Writes a journal row too: the journal must rebuild every column."""
        self.journal(event, ticket=ticket.id, from_state=ticket.state, to_state=ticket.state, data=changes)
        self._add(
            store.update_ticket(tuple(sorted(changes))),
            {"of_id": ticket.id, "was": ticket.state, **store.prefixed(changes.items())},
            guarded=True,
        )

    def insert(self, ticket: Ticket, event: Event) -> None:
        """Insert a new ticket: its row and its first journal row."""
        data = asdict(ticket)
        self.journal(event, ticket=ticket.id, to_state=ticket.state, data=data)
        self._add(store.INSERT_TICKET, data)
        self._tell_of_expected(ticket.state, ticket.service, ticket.day)
        if ticket.state is State.WAITING:
            self._add_waiting(ticket.service, 1)

    def set_desk(self, desk: str, **changes: Any) -> None:
        """Change a desk's row; all changes are written once, at the end of the command."""
        self._desk_changes.setdefault(desk, {}).update(changes)

    def publish_desks(self, *desks: str | None) -> None:
        """Publish these desks; a desk that the site no longer has is left out."""
        self.effects.desks.update(desk for desk in desks if desk and self.index.find_desk(desk))

    def publish_hall(self, hall: str) -> None:
        self.effects.halls.add(hall)

    def publish_service(self, service: str) -> None:
        """Publish the hall where the service's tickets wait; none if the site no longer has the service."""
        hall = self.index.hall_of(service)
        if hall is not None:
            self.effects.halls.add(hall)

    def tell_pages(self, ticket: Ticket) -> None:
        """Update the pages that list this ticket, although the number of people waiting is unchanged."""
        self.effects.services.add(ticket.service)
        self.publish_desks(ticket.desk, ticket.bound_desk)

    def tell_pages_of(self, services: Iterable[str]) -> None:
        """Update the pages of the desks that serve these services."""
        self.effects.services.update(services)

    def write(self, statement: Any, guarded: bool = False, **params: Any) -> None:
        self._add(statement, params, guarded)

    def counter(self, day: str, series: str, by: int = 1) -> int:
        """Raise the counter in this transaction and return its new value."""
        rows = self.rows(store.COUNTER, day=day, series=series)
        last = self.raise_counter(day, series, rows[0][0] if rows else None, by)
        self.flush()
        return last

    def raise_counter(self, day: str, series: str, was: int | None, by: int) -> int:
        """Raise a counter that was already read as `was` (None if it was never raised) and return its new value."""
        last = (was or 0) + by
        if was is None:
            self._add(store.INSERT_COUNTER, {"day": day, "series": series, "last": last})
        else:
            self._add(store.RAISE_COUNTER, {"of_day": day, "of_series": series, "last": last}, guarded=True)
        return last

    def counter_now(self, day: str, series: str) -> int:
        """The counter's value; 0 if it was never raised."""
        rows = self.rows(store.COUNTER, day=day, series=series)
        return rows[0][0] if rows else 0

    def finish(self, answer: Answer) -> None:
        """Write the remaining changes, and the answer under the request's id."""
        self.write_desks()
        self.record(answer)
        self.flush()

    def write_desks(self) -> None:
        """Add the desk changes so far to the writes, so that another desk's changes come after them."""
        for desk, changes in self._desk_changes.items():
            self._add(
                store.update_desk(tuple(sorted(changes))),
                {"of_desk": desk, **store.prefixed(changes.items())},
                guarded=True,
            )
        self._desk_changes.clear()

    def record(self, answer: Answer) -> None:
        """Store the first answer to a request; a job has no request id, so nothing is stored for it."""
        if self.origin.request is None:
            return
        kept = _encoder.encode(answer).decode()
        self._add(store.INSERT_REQUEST, {"id": self.origin.request, "at_ms": self.now_ms, "answer": kept})

    def flush(self) -> None:
        if not self._writes:
            return
        writes, self._writes = self._writes, []
        self._touched = True
        self._connection.write(writes)

    @property
    def has_written(self) -> bool:
        """Whether anything was sent to the database; a refused command must not have written."""
        return self._touched

    def forget(self) -> None:
        """Drop the pending writes and effects of a refused command."""
        self._writes.clear()
        self._desk_changes.clear()
        self.effects = Effects()

    def _add(self, statement: Any, params: Params, guarded: bool = False) -> None:
        self._writes.append(Write(statement, {"site": self.index.site.name, **params}, guarded))

    def _count(self, ticket: Ticket | Brief, to_state: State, to_service: str | None) -> None:
        if ticket.state is State.WAITING:
            self._add_waiting(ticket.service, -1)
        if to_state is State.WAITING:
            self._add_waiting(to_service or ticket.service, 1)

    def _tell_of_expected(self, state: State, service: str, day: str) -> None:
        """Update the pages of the service's desks, which list the tickets expected today."""
        if state is State.EXPECTED and day == self.today:
            self.effects.services.add(service)

    def _add_waiting(self, service: str, change: int) -> None:
        waiting = self.effects.waiting
        waiting[service] = waiting.get(service, 0) + change
        self.effects.services.add(service)
        self.publish_service(service)


def _held(row: Any) -> Brief:
    ticket_id, service, series, number, state, call, said_ms = row
    return Brief(ticket_id, service, number_text(series, number), State(state), call, said_ms)


def _head(row: Any) -> Head:
    ticket_id, service, kind, due_ms, series, number, handicap_ms, early_ms, last_play_ms = row
    return Head(Candidate(ticket_id, service, Kind(kind), due_ms, handicap_ms, early_ms), series, number, last_play_ms)
