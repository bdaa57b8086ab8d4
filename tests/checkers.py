"""Checks a database for what must never happen, with one checker for each invariant.

Each checker takes what `read` returns and raises AssertionError if its invariant is broken.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, select

from hub.database.tables import BookingRow, CounterRow, DeskRow, ReportRow, RequestRow, TicketEventRow, TicketRow
from hub.queue.commands.tickets import TICKET_IDS
from hub.queue.requests import Source
from hub.queue.states import HELD, OPEN, TRANSITIONS, Event, State
from hub.queue.tickets import FIELDS, number_text
from hub.site import DAY_MS, MINUTE_MS, Desk, Site

# Events that are no transition of a ticket; they still carry every column they change.
NOTES = {
    *("announce_earlier", "printed", "perhaps_printed", "arrived", "rescheduled"),
    *("booking_moved", "booking_cancelled", "booking_restored", "booking_released"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a site, each as a dict by column."""

    tickets: list[dict[str, Any]]
    events: list[dict[str, Any]] = field(default_factory=list)
    desks: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    counters: list[dict[str, Any]] = field(default_factory=list)
    bookings: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)


def read(engine: Engine, site: str) -> Rows:
    """Read all tables in one transaction, so that they show one moment."""
    with engine.connect().execution_options() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("set transaction isolation level repeatable read")

        def rows(row: Any, *order: str) -> list[dict[str, Any]]:
            table = row.__table__
            ordered = select(table).where(table.c.site == site).order_by(*(table.c[name] for name in order))
            return [dict(each) for each in connection.execute(ordered).mappings()]

        return Rows(
            tickets=rows(TicketRow, "id"),
            events=rows(TicketEventRow, "id"),
            desks=rows(DeskRow, "name"),
            requests=rows(RequestRow, "at_ms"),
            counters=rows(CounterRow, "day", "series"),
            bookings=rows(BookingRow, "id"),
            reports=rows(ReportRow, "id"),
        )


def check_all(rows: Rows) -> None:
    """Check everything that holds at any moment."""
    check_numbers(rows)
    check_no_gaps(rows)
    check_holds(rows)
    check_requests(rows)
    check_journal(rows)
    check_bookings(rows)
    check_no_booking_vanished(rows)
    check_clocks(rows)
    check_agents(rows)


def check_numbers(rows: Rows) -> None:
    """I1: no number twice on one day in one series."""
    given = [(each["day"], each["series"], each["number"]) for each in rows.tickets if each["number"] is not None]
    twice = [number for number, count in Counter(given).items() if count > 1]
    assert not twice, f"given twice: {twice}"


def check_no_gaps(rows: Rows) -> None:
    """Each number that a counter has given has its ticket: a counter is raised in the transaction that issues."""
    given: dict[tuple[str, str], list[int]] = {("", TICKET_IDS): [each["id"] for each in rows.tickets]}
    for each in rows.tickets:
        if each["number"] is not None:
            given.setdefault((each["day"], each["series"]), []).append(each["number"])
    counted = {(each["day"], each["series"]): each["last"] for each in rows.counters}
    counted = {name: last for name, last in counted.items() if name[0] or name[1] == TICKET_IDS}
    for name in given.keys() | counted.keys():
        numbers, last = sorted(given.get(name, [])), counted.get(name, 0)
        assert numbers == list(range(1, last + 1)), f"of the {last} numbers of {name}, tickets have {numbers}"


def check_holds(rows: Rows) -> None:
    """I2: a desk holds at most one ticket and is open then, and each held ticket has a desk."""
    held = [each["desk"] for each in rows.tickets if each["state"] in HELD]
    assert None not in held, "a ticket is held by no desk"
    twice = [desk for desk, count in Counter(held).items() if count > 1]
    assert not twice, f"hold two tickets: {twice}"
    away = {each["name"] for each in rows.desks if each["mode"] != "open"}
    assert not away.intersection(held), f"hold a ticket though they are away: {away.intersection(held)}"


def check_requests(rows: Rows) -> None:
    """I3: no request calls twice, and each request that changed anything has its answer."""
    calls = Counter(each["request"] for each in rows.events if each["event"] == Event.CALL and each["request"])
    assert all(count == 1 for count in calls.values()), f"called twice: {calls.most_common(3)}"
    answered = {each["id"] for each in rows.requests}
    lost = {each["request"] for each in rows.events if each["request"]} - answered
    assert not lost, f"done, and their answers are not there: {sorted(lost)[:3]}"
    numbers = {each["id"]: each["number"] and number_text(each["series"], each["number"]) for each in rows.tickets}
    for ticket, number in _numbers_answered(rows.requests):
        assert numbers.get(ticket) == number, f"answered with {number}, and ticket {ticket} has another number or none"


def _numbers_answered(requests: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Ticket and number of each answer that gave a visitor a ticket, also of those to a check-in by code."""
    for each in requests:
        answer = json.loads(each["answer"])
        given = answer if answer.get("type") == "ticket" else answer.get("ticket")
        if isinstance(given, dict):
            yield given["ticket"], given["number"]


def check_journal(rows: Rows) -> None:
    """I7: only listed transitions, each from the state before it; the journal, without gaps, rebuilds the table."""
    assert [each["id"] for each in rows.events] == list(range(1, len(rows.events) + 1)), "the journal has a gap"
    assert rebuilt(rows.events) == {each["id"]: _values(each) for each in rows.tickets}


def rebuilt(events: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Rebuild the tickets table from the journal alone."""
    tickets: dict[int, dict[str, Any]] = {}
    for each in events:
        if each["ticket"] is None:
            continue
        ticket = tickets.setdefault(each["ticket"], {})
        state = ticket.get("state")
        if each["event"] not in NOTES:
            assert each["from_state"] == state, f"event {each['id']} starts from {each['from_state']}, not {state}"
            start = None if state is None else State(state)
            ends = TRANSITIONS.get((start, Event(each["event"])), frozenset())
            assert each["to_state"] in ends, f"{state} does not lead by {each['event']} to {each['to_state']}"
        ticket |= json.loads(each["data"])
    return {number: _values(ticket) for number, ticket in tickets.items()}


def check_agents(rows: Rows) -> None:
    """Nobody is signed on at two desks, and the journal alone tells who is where."""
    here = {each["name"]: each["agent"] for each in rows.desks if each["agent"] is not None}
    assert len(set(here.values())) == len(here), f"signed on twice: {here}"
    told: dict[str, str | None] = {}
    for each in rows.events:
        if each["event"] not in {"sign_on", "sign_off"}:
            continue
        data = json.loads(each["data"])
        assert data["before"] == told.get(each["desk"]), f"event {each['id']} finds another one at {each['desk']}"
        told[each["desk"]] = data["agent"]
        assert data["agent"] in {None, each["actor"]}, f"event {each['id']} signs another one on"
    assert {desk: agent for desk, agent in told.items() if agent is not None} == here


def check_bookings(rows: Rows) -> None:
    """Bookings and their tickets match.

    - No booking has two tickets that are not cancelled.
    - Each booking's ticket points back to it, and is not expected if the booking is gone.
    - No report about a ticket repeats the one before it.
    """
    tickets = {each["id"]: each for each in rows.tickets}
    living = Counter(each["booking"] for each in rows.tickets if each["booking"] and each["state"] != State.CANCELLED)
    twice = [booking for booking, count in living.items() if count > 1]
    assert not twice, f"have two tickets: {twice}"
    for each in rows.bookings:
        ticket = tickets[each["ticket"]]
        assert ticket["booking"] == each["id"], f"{each['id']} stands at a ticket that is not its own"
        assert not each["gone"] or ticket["state"] != State.EXPECTED, f"{each['id']} is gone, and is expected"
    told: dict[int, list[str]] = {}
    for each in rows.reports:
        if each["state"] != "dropped":
            told.setdefault(each["ticket"], []).append(each["kind"])
    for ticket_id, kinds in told.items():
        assert all(one != next_ for one, next_ in pairwise(kinds)), f"of ticket {ticket_id} is told {kinds}"


def check_no_booking_vanished(rows: Rows) -> None:
    """Each booking taken from the source stands on a ticket, or a journal row of that ticket has ended it.

    - A booking detached from its ticket has got another one.
    - Its row is kept as long as its ticket is open.
    - The source's word cancels a ticket only if its booking is gone; one that stands on gets another ticket.
    """
    tickets = {each["id"]: each for each in rows.tickets}
    bookings = {each["id"]: each for each in rows.bookings}
    cancelled_by: dict[int, str] = {}
    stands_on: dict[str, int | None] = {}
    for each in rows.events:
        if each["event"] == Event.BOOK:
            stands_on[json.loads(each["data"])["booking"]] = each["ticket"]
        elif each["event"] == "booking_released":
            stands_on |= {booking: None for booking, ticket in stands_on.items() if ticket == each["ticket"]}
        elif each["to_state"] == State.CANCELLED:
            cancelled_by[each["ticket"]] = each["source"]
    untaken = bookings.keys() - stands_on.keys()
    assert not untaken, f"never got a ticket: {untaken}"
    for booking, ticket in stands_on.items():
        assert ticket in tickets, f"{booking} was detached from its ticket, and has no other"
        row, state = bookings.get(booking), tickets[ticket]["state"]
        if row is None:
            assert state not in OPEN, f"{booking} was forgotten, and its ticket is {state}"
            continue
        assert row["ticket"] == ticket, f"{booking} stands on ticket {ticket}, and its row names {row['ticket']}"
        by_source = cancelled_by.get(ticket) == Source.SYNC
        assert not by_source or row["gone"], f"{booking} is not gone, and the source has cancelled its ticket"


def check_clocks(rows: Rows) -> None:
    """Only expected and called tickets can become absent by themselves; a waiting ticket bound to a desk is open.

    No ticket waits for a closed desk.
    """
    for each in rows.tickets:
        if each["absent_at_ms"] is not None:
            assert each["state"] in {State.EXPECTED, State.CALLED}, each
        if each["bound_desk"] is not None and each["state"] == State.WAITING:
            assert each["kind"] == "open", each
    closed = {each["name"] for each in rows.desks if each["mode"] == "closed"}
    bound = {each["bound_desk"] for each in rows.tickets if each["state"] == State.WAITING}
    assert not closed.intersection(bound), f"wait for a closed desk: {closed.intersection(bound)}"


def check_order(rows: Rows, site: Site) -> None:
    """I8 over a whole journal: unless an agent picked it, each called ticket was the next one by brute force.

    Also I2 at each row: no desk holds two tickets, and no ticket is held by two desks.
    """
    desks = {each.name: each for each in site.desks}
    tickets: dict[int, dict[str, Any]] = {}
    waiting: dict[int, dict[str, Any]] = {}
    holds: dict[str, int] = {}
    for each in rows.events:
        number = each["ticket"]
        if number is None:
            continue
        data = json.loads(each["data"])
        if each["event"] == Event.CALL and not data.get("picked"):
            seen = Rows(list(waiting.values()))
            should = next_by_hand(seen, site, desks[each["desk"]], each["at_ms"])
            assert number == should, f"event {each['id']}: {each['desk']} called {number}, and {should} was next"
        ticket = tickets.setdefault(number, {})
        if ticket.get("state") in HELD:
            assert holds.pop(ticket["desk"]) == number
        ticket |= data
        waiting.pop(number, None)
        if ticket["state"] == State.WAITING:
            waiting[number] = ticket
        if ticket["state"] in HELD:
            assert holds.setdefault(ticket["desk"], number) == number, f"event {each['id']}: {ticket['desk']} holds two"


def next_by_hand(rows: Rows, site: Site, desk: Desk, now_ms: int) -> int | None:
    """The ticket that a desk should call now (I8), by brute force and without the code's own rule."""
    services = {each.name: each for each in site.services}
    delays = dict.fromkeys(desk.serves, 0) | {each.service: each.delay_min * MINUTE_MS for each in desk.helps}
    ready, early = [], []
    for each in rows.tickets:
        if each["state"] != State.WAITING:
            continue
        if each["bound_desk"] is not None:
            if each["bound_desk"] == desk.name:
                ready.append((each["due_ms"], each["id"]))
            continue
        if each["service"] not in delays:
            continue
        service = services[each["service"]]
        strict_ms = DAY_MS if service.strict and each["kind"] == "timed" else 0
        rank = (each["due_ms"] + delays[each["service"]] - strict_ms, each["id"])
        if each["kind"] == "open" or now_ms >= each["due_ms"] - service.early_call_min * MINUTE_MS:
            ready.append(rank)
        elif each["kind"] == "timed":
            early.append(rank)
    best = min(ready or early, default=None)
    return None if best is None else best[1]


def _values(ticket: dict[str, Any]) -> dict[str, Any]:
    """A ticket's columns, in the form that both databases and the journal share."""
    values = {name: ticket[name] for name in FIELDS}
    return values | {"priority": bool(values["priority"]), "end_known": bool(values["end_known"])}
