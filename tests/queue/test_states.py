"""The life of a ticket: every transition of the table works; every other one is refused and writes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from hub.queue.answers import RefusedAnswer
from hub.queue.refusals import TransitionRefused
from hub.queue.requests import (
    Abandon,
    Admit,
    Cancel,
    CancelBooking,
    CheckIn,
    Command,
    Defer,
    EndDay,
    ExpireCalled,
    ExpireExpected,
    Finish,
    FinishParked,
    MarkAbsent,
    Move,
    Park,
    Pick,
    Press,
    Readmit,
    Recall,
    Reopen,
    Resume,
    SetMode,
    Start,
    StartAbsent,
    Transfer,
    Withdraw,
)
from hub.queue.states import TRANSITIONS, Event, State
from hub.queue.tickets import Ticket
from hub.queue.transaction import Work
from protocol.messages import DeskMode
from tests.queue.harness import MINUTE, Queue, refused

# The table of transitions written out by hand, so that a mistake in the code's own table shows.
ALLOWED = {
    (None, "issue", "waiting"),
    (None, "book", "expected"),
    ("expected", "move", "expected"),
    ("expected", "check_in", "waiting"),
    ("expected", "admit", "waiting"),
    ("expected", "absent", "absent"),
    ("waiting", "call", "called"),
    ("waiting", "transfer", "waiting"),
    ("waiting", "defer", "waiting"),
    ("called", "recall", "called"),
    ("called", "start", "serving"),
    ("called", "withdraw", "waiting"),
    # Differs from the design, where the ticket waits for every desk; docs/architecture.md says why.
    ("called", "withdraw", "parked"),
    ("called", "absent", "absent"),
    ("called", "finish", "served"),
    ("serving", "finish", "served"),
    ("called", "transfer", "waiting"),
    ("serving", "transfer", "waiting"),
    ("called", "park", "parked"),
    ("serving", "park", "parked"),
    ("parked", "resume", "called"),
    ("parked", "finish", "served"),
    ("parked", "transfer", "waiting"),
    ("absent", "readmit", "waiting"),
    ("absent", "start", "serving"),
    ("served", "reopen", "called"),
    ("served", "reopen", "serving"),
    ("served", "reopen", "parked"),
    ("expected", "cancel", "cancelled"),
    ("waiting", "cancel", "cancelled"),
    ("expected", "end_day", "absent"),
    ("waiting", "end_day", "cancelled"),
    ("called", "end_day", "absent"),
    ("called", "end_day", "served"),
    ("serving", "end_day", "served"),
    ("parked", "end_day", "served"),
    # Not in the design's table: a desk that closes releases its bound tickets, with a journal row for each.
    ("waiting", "release", "waiting"),
}
DESK = "desk-1"


def test_the_table_in_code_is_the_table_of_the_design():
    assert {(start, event, end) for (start, event), ends in TRANSITIONS.items() for end in ends} == ALLOWED


def test_every_other_pair_is_refused_with_ticket_state_and_event_in_one_sentence():
    for state in State:
        for event in Event:
            if (state, event) in TRANSITIONS:
                continue
            ticket = Ticket(
                id=1, day="", service="civil", series="A", number=12, state=state, kind="open", due_ms=0, code="c"
            )
            with pytest.raises(TransitionRefused, match="A012") as raised:
                Work.check(None, ticket, event)
            assert state in str(raised.value)
            assert event in str(raised.value)
            assert raised.value.facts() == {"ticket": "A012", "state": state, "event": event}


# --- how a ticket comes into each state, at desk-1 if the state needs a desk --------------------------------------


def expected(queue: Queue) -> int:
    return queue.book(queue.now_ms + 5 * MINUTE)


def waiting(queue: Queue) -> int:
    return queue.issue()


def called(queue: Queue) -> int:
    ticket = queue.issue()
    queue.ask(Pick, desk=DESK, ticket=ticket)
    queue.turn(MINUTE)
    return ticket


def serving(queue: Queue) -> int:
    ticket = called(queue)
    queue.ask(Start, desk=DESK, shown=ticket)
    return ticket


def parked(queue: Queue) -> int:
    ticket = serving(queue)
    queue.ask(Park, desk=DESK, shown=ticket)
    return ticket


def served(queue: Queue) -> int:
    ticket = serving(queue)
    queue.ask(Finish, desk=DESK, shown=ticket)
    return ticket


def absent(queue: Queue) -> int:
    ticket = called(queue)
    queue.ask(MarkAbsent, desk=DESK, shown=ticket)
    return ticket


def cancelled(queue: Queue) -> int:
    ticket = waiting(queue)
    queue.ask(Cancel, desk=DESK, ticket=ticket)
    return ticket


COMES = {
    State.EXPECTED: expected,
    State.WAITING: waiting,
    State.CALLED: called,
    State.SERVING: serving,
    State.PARKED: parked,
    State.SERVED: served,
    State.ABSENT: absent,
    State.CANCELLED: cancelled,
}

# --- the commands that name a ticket, and their events ------------------------------------------------------------

NAMING_A_TICKET: dict[Event, Callable[[int], tuple[type[Command], dict[str, Any]]]] = {
    Event.CHECK_IN: lambda ticket: (CheckIn, {"desk": DESK, "ticket": ticket}),
    Event.ADMIT: lambda ticket: (Admit, {"ticket": ticket}),
    Event.CALL: lambda ticket: (Pick, {"desk": DESK, "ticket": ticket}),
    Event.TRANSFER: lambda ticket: (Transfer, {"desk": DESK, "ticket": ticket, "service": "papers"}),
    Event.DEFER: lambda ticket: (Defer, {"ticket": ticket, "by_ms": MINUTE}),
    Event.RESUME: lambda ticket: (Resume, {"desk": DESK, "ticket": ticket}),
    Event.READMIT: lambda ticket: (Readmit, {"desk": DESK, "ticket": ticket}),
    Event.START: lambda ticket: (StartAbsent, {"desk": DESK, "ticket": ticket}),
    Event.REOPEN: lambda ticket: (Reopen, {"desk": DESK, "ticket": ticket}),
    Event.CANCEL: lambda ticket: (Cancel, {"desk": DESK, "ticket": ticket}),
    Event.FINISH: lambda ticket: (FinishParked, {"desk": DESK, "ticket": ticket}),
}
HELD_ALONE: dict[Event, type[Command]] = {
    Event.RECALL: Recall,
    Event.START: Start,
    Event.WITHDRAW: Withdraw,
    Event.ABSENT: MarkAbsent,
    Event.FINISH: Finish,
    Event.PARK: Park,
}


def desk_is_needed_free(event: Event) -> bool:
    return event in {Event.CALL, Event.RESUME, Event.START, Event.REOPEN}


@pytest.mark.parametrize("event", NAMING_A_TICKET)
def test_a_ticket_that_does_not_know_the_event_is_left_alone_and_the_refusal_says_so(queue: Queue, event: Event):
    queue.open(DESK)
    for state, comes in COMES.items():
        ticket = comes(queue)
        kind, facts = NAMING_A_TICKET[event](ticket)
        held_here = state in {State.CALLED, State.SERVING}
        # A held ticket is finished and started by other commands.
        by_this_command = (state, event) in TRANSITIONS and not (held_here and event in {Event.FINISH, Event.START})
        if not by_this_command:
            before = queue.snapshot()
            answer = refused(queue.ask(kind, **facts))
            assert queue.snapshot() == before, f"{event} of a ticket that is {state} wrote something"
            if not (held_here and desk_is_needed_free(event)):
                assert answer.code == "transition_refused", (state, answer)
                label = queue.ticket(ticket).label
                assert answer.facts == {"ticket": label, "state": str(state), "event": str(event)}
                assert label in answer.detail
                assert state in answer.detail
                assert event in answer.detail
        if held_here:
            queue.ask(Finish, desk=DESK, shown=ticket)


@pytest.mark.parametrize("event", HELD_ALONE)
def test_what_is_done_to_the_held_ticket_is_refused_for_one_that_is_not_held(queue: Queue, event: Event):
    queue.open(DESK)
    for state, comes in COMES.items():
        ticket = comes(queue)
        if state in {State.CALLED, State.SERVING}:
            if (state, event) not in TRANSITIONS:
                before = queue.snapshot()
                answer = refused(queue.ask(HELD_ALONE[event], desk=DESK, shown=ticket), "transition_refused")
                assert answer.facts == {
                    "ticket": queue.ticket(ticket).label,
                    "state": str(state),
                    "event": str(event),
                }
                assert queue.snapshot() == before
            queue.ask(Finish, desk=DESK, shown=ticket)
            continue
        before = queue.snapshot()
        refused(queue.ask(HELD_ALONE[event], desk=DESK, shown=ticket), "desk_moved_on")
        refused(queue.ask(HELD_ALONE[event], desk=DESK, shown=None), "desk_holds_nobody")
        assert queue.snapshot() == before


@pytest.mark.parametrize(("start", "event", "end"), sorted(ALLOWED, key=str))
def test_every_row_of_the_table_leads_where_it_says_with_one_journal_row(
    queue: Queue, start: str | None, event: str, end: str
):
    desk = "desk-4" if (start, event, end) == ("called", "end_day", "absent") else DESK
    queue.open(desk)
    ticket, act = prepared(queue, start, event, end, desk)
    rows = len(queue.events())
    answer = act()
    assert not isinstance(answer, RefusedAnswer), answer
    ticket = ticket or queue.tickets()[-1].id
    assert queue.state(ticket) == end
    assert queue.events(ticket)[-1] == event
    journal = [row for row in sorted(queue.table("ticket_event"), key=lambda row: row[1])[rows:] if row[2] == ticket]
    assert [(row[3], row[4], row[5]) for row in journal] == [(event, start, end)]


def prepared(queue: Queue, start: str | None, event: str, end: str, desk: str) -> tuple[int | None, Callable[[], Any]]:
    """Bring a ticket into its state; return it and a function that runs the event's command."""
    if event == "issue":
        return None, queue.issue
    if event == "book":
        return None, lambda: queue.book(queue.now_ms + MINUTE)
    if event == "admit":
        ticket = queue.book(queue.now_ms + 5 * MINUTE, "taxes")
        return ticket, lambda: queue.job(Admit, ticket=ticket)
    if event == "reopen":
        ticket = COMES[State(end)](queue)
        if end == "parked":
            queue.ask(FinishParked, desk=DESK, ticket=ticket)
        else:
            queue.ask(Finish, desk=DESK, shown=ticket)
        return ticket, lambda: queue.ask(Reopen, desk=DESK, ticket=ticket)
    if event == "release":
        queue.open("desk-2")
        ticket = waiting(queue)
        queue.ask(Transfer, desk=DESK, ticket=ticket, to_desk="desk-2")
        return ticket, lambda: queue.mode("desk-2", DeskMode.CLOSED)
    if (event, end) == ("withdraw", "parked"):
        ticket = parked(queue)
        queue.ask(Resume, desk=DESK, ticket=ticket)
    elif desk == "desk-4":
        ticket = queue.issue()
        queue.ask(Pick, desk=desk, ticket=ticket)
    else:
        ticket = COMES[State(start or "")](queue)
    return ticket, lambda: asked(queue, ticket, State(start or ""), Event(event))


def asked(queue: Queue, ticket: int, start: State, event: Event) -> Any:
    if event is Event.END_DAY:
        return queue.job(EndDay, day=queue.ticket(ticket).day)
    if event is Event.MOVE:
        return queue.take(Move(booking=queue.ticket(ticket).booking, appointment_ms=queue.now_ms + 60 * MINUTE))
    if event is Event.ABSENT and start is State.EXPECTED:
        queue.turn(60 * MINUTE)
        return queue.job(ExpireExpected, ticket=ticket)
    if start in {State.CALLED, State.SERVING} and event in HELD_ALONE:
        return queue.ask(HELD_ALONE[event], desk=DESK, shown=ticket)
    kind, facts = NAMING_A_TICKET[event](ticket)
    return queue.ask(kind, **facts)


def test_jobs_that_come_too_late_change_nothing(queue: Queue):
    queue.open(DESK)
    for state, comes in COMES.items():
        ticket = comes(queue)
        before = queue.snapshot()
        queue.job(ExpireExpected, ticket=ticket)
        queue.job(ExpireCalled, ticket=ticket, call=queue.ticket(ticket).call or 0)
        assert queue.snapshot() == before, state
        if state in {State.CALLED, State.SERVING}:
            queue.ask(Finish, desk=DESK, shown=ticket)


def test_the_button_s_press_finishes_the_visit_and_calls_the_next(queue: Queue):
    queue.open(DESK)
    first, second = queue.issue(), queue.issue()
    assert queue.called() == first
    assert queue.called() == second
    assert queue.state(first) is State.SERVED
    assert queue.events(first) == ["issue", "call", "finish"]


def test_an_appointment_is_moved_or_cancelled_by_its_source_until_it_is_checked_in(queue: Queue):
    ticket = expected(queue)
    booking = queue.ticket(ticket).booking
    queue.take(Move(booking=booking, appointment_ms=queue.now_ms + 30 * MINUTE))
    assert queue.ticket(ticket).due_ms == queue.now_ms + 30 * MINUTE
    queue.take(CancelBooking(booking=booking))
    assert queue.state(ticket) is State.CANCELLED


def test_a_press_and_a_pause_at_a_desk_that_the_site_does_not_have_are_refused(queue: Queue):
    before = queue.snapshot()
    refused(queue.ask(Press, desk="desk-9", at_ms=queue.now_ms), "unknown")
    refused(queue.ask(SetMode, desk="desk-9", mode=DeskMode.OPEN, shown=None), "unknown")
    refused(queue.ask(Cancel, desk=DESK, ticket=999), "unknown")
    assert queue.snapshot() == before


def test_a_dispenser_that_gives_up_cancels_what_it_issued(queue: Queue):
    ticket = queue.issue()
    request = queue.ticket(ticket).request
    queue.ask(Abandon, of=request)
    assert queue.state(ticket) is State.CANCELLED
    assert queue.events(ticket) == ["issue", "cancel"]
