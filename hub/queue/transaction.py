"""One command at work: what it read, what it changes, and what follows once that is committed.

A command is handed a `Work`, reads through it, checks, then says its changes. `Work` turns them into the journal row,
the ticket row and the answer's record that must go together.
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
    """A ticket as far as a press needs it. `said_ms`: planned end of its announcement, where it was called."""

    id: int
    service: str
    label: str
    state: State
    call: int | None = None
    said_ms: int | None = None


class Head(msgspec.Struct, frozen=True):
    """A ticket that could be called; `last_play_ms` of its hall's queue is None where it is bound to the desk."""

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
    """What follows from a committed command."""

    last_event: int = 0
    desks: set[str] = field(default_factory=set)
    halls: set[str] = field(default_factory=set)
    announcements: list[Announcement] = field(default_factory=list)
    # Change of the number of people waiting, by service.
    waiting: dict[str, int] = field(default_factory=dict)
    # Of these, desks show something otherwise now: who waits, is expected or set aside, or who may be called.
    services: set[str] = field(default_factory=set)


class GivesWay(Exception):
    """People wait, and nothing is written yet: the command is to be done from its beginning after theirs."""


class Work:
    """One command in the writer's transaction. `now_ms` is its time, read once.

    `people_wait`: whether somebody in person asks for something meanwhile, behind whom this command may be done.
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
        # Whom the journal names: the origin's actor, or the agent for whom a button acts.
        self.actor = origin.actor
        self.mean_visit_ms = mean_visit_ms
        self.effects = Effects()
        # Whether the request was answered before, so that this run did nothing.
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
        """The counter, None where it was never raised, and the rows: of a statement like `booking_store.KNOWN`."""
        self.flush()
        lines = self.rows(statement, day=day, series=series, **params)
        self._last_event, last = lines[0][0] or 0, lines[0][1]
        return last, [line[2:] for line in lines if any(value is not None for value in line[2:])]

    def first_answer(self) -> Answer | None:
        """The answer this request was given before, if it was. Reads the last journal row with it."""
        answer, last_event = self.rows(store.FIRST_ANSWER, request=self.origin.request)[0]
        self._last_event = last_event or 0
        return _answers.decode(answer) if answer else None

    def many(self, values: Sequence[str] | Sequence[int]) -> Any:
        """The parameter of a `one_of`."""
        return self._connection.many(values)

    def look(self, desk: Desk) -> tuple[DeskView, Answer | None]:
        """The desk, what it holds and whom it could call; and the answer this request was given before."""
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
        """For a command that has looked for a while: raises GivesWay where people wait and it can be begun anew."""
        if not self._touched and self._people_wait():
            raise GivesWay

    # --- changing -------------------------------------------------------------------------------------------------

    def check(self, ticket: Ticket | Brief, event: Event) -> None:
        """Raises TransitionRefused where the ticket's state does not know the event."""
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
        """Writes one journal row; gives its id. The desk it names shows it, as what was done there last at least."""
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
        """One transition: its journal row and its ticket row. `frees_desk`: another ticket may take its desk next.

        `picked`: an agent chose the ticket by hand, which the journal alone keeps.
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
            # The one desk that may take it need not serve its service, so nothing else would tell it.
            self.publish_desks(ticket.bound_desk, changes.get("bound_desk"))
        if frees_desk:
            # The index on one held ticket a desk is checked row by row: the old one must be gone before the new one.
            self.flush()

    def note(self, ticket: Ticket, event: str, **changes: Any) -> None:
        """Changes a ticket without a transition, with its journal row: the journal must rebuild every column."""
        self.journal(event, ticket=ticket.id, from_state=ticket.state, to_state=ticket.state, data=changes)
        self._add(
            store.update_ticket(tuple(sorted(changes))),
            {"of_id": ticket.id, "was": ticket.state, **store.prefixed(changes.items())},
            guarded=True,
        )

    def insert(self, ticket: Ticket, event: Event) -> None:
        """A new ticket: its row and its first journal row."""
        data = asdict(ticket)
        self.journal(event, ticket=ticket.id, to_state=ticket.state, data=data)
        self._add(store.INSERT_TICKET, data)
        self._tell_of_expected(ticket.state, ticket.service, ticket.day)
        if ticket.state is State.WAITING:
            self._add_waiting(ticket.service, 1)

    def set_desk(self, desk: str, **changes: Any) -> None:
        """Changes of a desk's row, written once at the end of the command."""
        self._desk_changes.setdefault(desk, {}).update(changes)

    def publish_desks(self, *desks: str | None) -> None:
        """One that the site no longer has shows nothing."""
        self.effects.desks.update(desk for desk in desks if desk and self.index.find_desk(desk))

    def publish_hall(self, hall: str) -> None:
        self.effects.halls.add(hall)

    def publish_service(self, service: str) -> None:
        """The hall where the service's tickets wait; none where the site no longer has the service."""
        hall = self.index.hall_of(service)
        if hall is not None:
            self.effects.halls.add(hall)

    def tell_pages(self, ticket: Ticket) -> None:
        """A page that lists the ticket shows it otherwise now, though nobody more or less waits."""
        self.effects.services.add(ticket.service)
        self.publish_desks(ticket.desk, ticket.bound_desk)

    def tell_pages_of(self, services: Iterable[str]) -> None:
        """Pages of desks with these services show something otherwise."""
        self.effects.services.update(services)

    def write(self, statement: Any, guarded: bool = False, **params: Any) -> None:
        self._add(statement, params, guarded)

    def counter(self, day: str, series: str, by: int = 1) -> int:
        """Raises the counter, in this transaction; gives the new value."""
        rows = self.rows(store.COUNTER, day=day, series=series)
        last = self.raise_counter(day, series, rows[0][0] if rows else None, by)
        self.flush()
        return last

    def raise_counter(self, day: str, series: str, was: int | None, by: int) -> int:
        """The same for one that was read already: `was` None where it was never raised."""
        last = (was or 0) + by
        if was is None:
            self._add(store.INSERT_COUNTER, {"day": day, "series": series, "last": last})
        else:
            self._add(store.RAISE_COUNTER, {"of_day": day, "of_series": series, "last": last}, guarded=True)
        return last

    def counter_now(self, day: str, series: str) -> int:
        """The counter's value, 0 before it was first raised."""
        rows = self.rows(store.COUNTER, day=day, series=series)
        return rows[0][0] if rows else 0

    def finish(self, answer: Answer) -> None:
        """Writes what is left, with the answer under the request's id."""
        self.write_desks()
        self.record(answer)
        self.flush()

    def write_desks(self) -> None:
        """Says the desks' changes so far now: another desk's are to come after them."""
        for desk, changes in self._desk_changes.items():
            self._add(
                store.update_desk(tuple(sorted(changes))),
                {"of_desk": desk, **store.prefixed(changes.items())},
                guarded=True,
            )
        self._desk_changes.clear()

    def record(self, answer: Answer) -> None:
        """Keeps the first answer to a request; a job has none to keep."""
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
        """Whether something went to the database: a command that is refused must not have."""
        return self._touched

    def forget(self) -> None:
        """Drops what was said but not written: the command is refused."""
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
        """Pages of the service's desks list who is expected today."""
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
