"""Checks a database for what must never happen, with one checker for each invariant.

Each checker takes what `read` returns and raises AssertionError if its invariant is broken.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, select

from hub.database.tables import BookingRow, DeskRow, ReportRow, RequestRow, TicketEventRow, TicketRow
from hub.queue.states import HELD, TRANSITIONS, Event, State
from hub.queue.tickets import FIELDS
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
    events: list[dict[str, Any]]
    desks: list[dict[str, Any]]
    requests: list[dict[str, Any]]


def read(engine: Engine, site: str) -> Rows:
    """Read all four tables in one transaction, so that they show one moment."""
    with engine.connect().execution_options() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("set transaction isolation level repeatable read")

        def rows(table: Any, *order: Any) -> list[dict[str, Any]]:
            found = connection.execute(select(table).where(table.c.site == site).order_by(*order)).mappings()
            return [dict(row) for row in found]

        ticket, event = TicketRow.__table__, TicketEventRow.__table__
        desk, request = DeskRow.__table__, RequestRow.__table__
        return Rows(
            rows(ticket, ticket.c.id), rows(event, event.c.id), rows(desk, desk.c.name), rows(request, request.c.at_ms)
        )


@dataclass(frozen=True, slots=True)
class BookingRows:
    """A site's bookings, and the reports to their source."""

    bookings: list[dict[str, Any]]
    reports: list[dict[str, Any]]


def read_bookings(engine: Engine, site: str) -> BookingRows:
    booking, report = BookingRow.__table__, ReportRow.__table__
    with engine.connect() as connection:
        found = [
            [
                dict(row)
                for row in connection.execute(select(table).where(table.c.site == site).order_by(table.c.id)).mappings()
            ]
            for table in (booking, report)
        ]
    return BookingRows(*found)


def check_all(rows: Rows) -> None:
    """Check everything that holds at any moment."""
    check_numbers(rows)
    check_holds(rows)
    check_requests(rows)
    check_journal(rows)
    check_clocks(rows)
    check_agents(rows)


def check_numbers(rows: Rows) -> None:
    """I1: no number twice on one day in one series."""
    given = [(each["day"], each["series"], each["number"]) for each in rows.tickets if each["number"] is not None]
    twice = [number for number, count in Counter(given).items() if count > 1]
    assert not twice, f"given twice: {twice}"


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


def check_bookings(rows: Rows, bookings: BookingRows) -> None:
    """Bookings and their tickets match.

    - No booking has two tickets that are not cancelled.
    - Each booking's ticket points back to it, and is not expected if the booking is gone.
    - No report about a ticket repeats the one before it.
    """
    tickets = {each["id"]: each for each in rows.tickets}
    living = Counter(each["booking"] for each in rows.tickets if each["booking"] and each["state"] != State.CANCELLED)
    twice = [booking for booking, count in living.items() if count > 1]
    assert not twice, f"have two tickets: {twice}"
    for each in bookings.bookings:
        ticket = tickets[each["ticket"]]
        assert ticket["booking"] == each["id"], f"{each['id']} stands at a ticket that is not its own"
        assert not each["gone"] or ticket["state"] != State.EXPECTED, f"{each['id']} is gone, and is expected"
    told: dict[int, list[str]] = {}
    for each in bookings.reports:
        if each["state"] != "dropped":
            told.setdefault(each["ticket"], []).append(each["kind"])
    for ticket_id, kinds in told.items():
        assert all(one != next_ for one, next_ in pairwise(kinds)), f"of ticket {ticket_id} is told {kinds}"


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
            seen = Rows(list(waiting.values()), [], [], [])
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
