"""The two alarms of the order rule, as staff see them."""

import pytest

from hub.queue.order import Kind
from hub.queue.states import State
from hub.queue.tickets import Ticket
from hub.web.desk.drawing import mark_of
from hub.web.desk.picture import Mark
from tests.queue.harness import HOUR, MINUTE, TUESDAY_AT_TEN

AT_MS = TUESDAY_AT_TEN


def waiting(due_ms: int, *, issued_ms: int, kind: Kind = Kind.OPEN, appointment_ms: int | None = None) -> Ticket:
    return Ticket(
        id=1,
        day="2026-11-24",
        service="civil",
        series="A",
        number=1,
        state=State.WAITING,
        kind=kind,
        due_ms=due_ms,
        code="code",
        issued_ms=issued_ms,
        appointment_ms=appointment_ms,
    )


IN_TIME = waiting(AT_MS, issued_ms=AT_MS - HOUR, kind=Kind.TIMED, appointment_ms=AT_MS)
CALLED_BEFORE = waiting(AT_MS, issued_ms=AT_MS - HOUR, appointment_ms=AT_MS)
PUT_OFF = waiting(AT_MS + HOUR, issued_ms=AT_MS - HOUR, kind=Kind.DEFERRED, appointment_ms=AT_MS)


@pytest.mark.parametrize("ticket", [IN_TIME, CALLED_BEFORE, PUT_OFF], ids=["in time", "called before", "put off"])
def test_an_appointment_is_late_from_15_minutes_after_it_is_due(ticket: Ticket) -> None:
    assert mark_of(ticket, ticket.due_ms + 15 * MINUTE) is None
    assert mark_of(ticket, ticket.due_ms + 15 * MINUTE + 1) is Mark.LATE


def test_who_came_too_late_for_the_appointment_is_no_alarm_on_arrival_and_waits_long_like_a_walk_in() -> None:
    came_ms = AT_MS + HOUR
    ticket = waiting(came_ms + 20 * MINUTE, issued_ms=came_ms, appointment_ms=AT_MS)
    assert mark_of(ticket, came_ms + 45 * MINUTE - 1) is None
    assert mark_of(ticket, came_ms + 45 * MINUTE) is Mark.LONG


def test_a_walk_in_waits_long_from_45_minutes_on() -> None:
    ticket = waiting(AT_MS + 20 * MINUTE, issued_ms=AT_MS)
    assert mark_of(ticket, AT_MS + 45 * MINUTE - 1) is None
    assert mark_of(ticket, AT_MS + 45 * MINUTE) is Mark.LONG
