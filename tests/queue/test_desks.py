"""Opening, pausing and closing a desk never touches the ticket it holds."""

import pytest
from msgspec.structs import replace

from hub.queue.requests import (
    ButtonMode,
    ButtonRecall,
    Cancel,
    CloseLostDesks,
    Finish,
    MarkAbsent,
    Park,
    Pick,
    Readmit,
    Resume,
    SetMode,
    Source,
    Start,
    Transfer,
    Undo,
    Withdraw,
)
from hub.queue.states import State
from hub.site_index import SiteIndex
from protocol.messages import DeskMode, DeskOutcome
from tests.queue.harness import SECOND, desk_answer, refused

OPEN, PAUSED, CLOSED = ("open", False, False), ("paused", False, False), ("closed", False, False)
PAUSING, CLOSING = ("open", True, False), ("open", False, True)


def button(queue, mode, desk="desk-1"):
    return queue.do(ButtonMode(origin=queue.origin(Source.BUTTON), desk=desk, at_ms=queue.now_ms, mode=mode))


def test_a_new_desk_is_closed_and_opens_by_button_or_page(queue):
    assert queue.desk_mode("desk-1") == CLOSED
    assert desk_answer(button(queue, DeskMode.OPEN)).outcome is DeskOutcome.TAKEN
    assert queue.desk_mode("desk-1") == OPEN
    queue.open("desk-2")
    assert queue.desk_mode("desk-2") == OPEN


@pytest.mark.parametrize("mode", [DeskMode.OPEN, DeskMode.PAUSED])
def test_pause_at_a_paused_desk_and_open_at_an_open_one_are_taken_and_change_nothing(queue, mode):
    queue.open("desk-1")
    button(queue, mode)
    before = queue.snapshot()
    assert desk_answer(button(queue, mode)).outcome is DeskOutcome.TAKEN
    assert desk_answer(queue.mode("desk-1", mode)).outcome is DeskOutcome.TAKEN
    assert queue.snapshot() == before


@pytest.mark.parametrize("way", ["button", "page"])
def test_a_closed_desk_takes_no_pause(queue, way):
    before = queue.snapshot()
    answer = button(queue, DeskMode.PAUSED) if way == "button" else queue.mode("desk-1", DeskMode.PAUSED)
    assert refused(answer, "desk_not_open").detail == "desk desk-1 is closed: pause needs an open desk"
    assert queue.snapshot() == before


def test_an_old_pause_is_refused(queue):
    queue.open("desk-1")
    command = ButtonMode(
        origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms - 10_001, mode=DeskMode.PAUSED
    )
    refused(queue.do(command), "too_old")
    assert queue.desk_mode("desk-1") == OPEN


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_pages_are_told_at_once_of_a_desk_that_calls_nobody_after_its_visitor(queue, mode):
    queue.open("desk-1")
    queue.issue()
    queue.called()
    queue.mode("desk-1", mode)
    assert {"civil", "papers"} <= queue.effects.services


@pytest.mark.parametrize(
    ("mode", "noted", "entered"), [(DeskMode.PAUSED, PAUSING, PAUSED), (DeskMode.CLOSED, CLOSING, CLOSED)]
)
@pytest.mark.parametrize("end", [Finish, MarkAbsent, Withdraw, Park, Undo, "press", "next", "transfer"])
def test_a_pause_or_a_close_waits_until_the_desk_holds_nobody(queue, mode, noted, entered, end):
    queue.open("desk-1")
    ticket, other = queue.issue(), queue.issue()
    queue.called()
    queue.mode("desk-1", mode)
    assert queue.desk_mode("desk-1") == noted
    assert queue.held("desk-1") == ticket
    if end == "press":
        assert desk_answer(queue.press()).outcome is DeskOutcome.NOBODY
    elif end == "next":
        assert desk_answer(queue.next()).outcome is DeskOutcome.NOBODY
    elif end == "transfer":
        queue.ask(Transfer, desk="desk-1", ticket=ticket, service="papers", confirmed=True)
    else:
        queue.ask(end, desk="desk-1", shown=ticket)
    assert queue.desk_mode("desk-1") == entered
    assert queue.held("desk-1") is None
    assert queue.state(other) is State.WAITING


def test_a_pause_that_waits_does_not_take_effect_while_the_visit_goes_on(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    button(queue, DeskMode.PAUSED)
    queue.ask(Start, desk="desk-1", shown=ticket)
    queue.do(ButtonRecall(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms))
    assert queue.desk_mode("desk-1") == PAUSING


def test_a_pause_that_waits_can_be_taken_back(queue):
    queue.open("desk-1")
    first, second = queue.issue(), queue.issue()
    queue.called()
    queue.mode("desk-1", DeskMode.PAUSED)
    button(queue, DeskMode.OPEN)
    assert queue.desk_mode("desk-1") == OPEN
    assert queue.called() == second
    assert queue.state(first) is State.SERVED


def test_a_close_replaces_a_pause_that_waits(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    queue.mode("desk-1", DeskMode.PAUSED)
    queue.mode("desk-1", DeskMode.CLOSED)
    assert queue.desk_mode("desk-1") == CLOSING
    queue.ask(Finish, desk="desk-1", shown=ticket)
    assert queue.desk_mode("desk-1") == CLOSED


def test_a_desk_mode_is_refused_where_the_page_showed_another_ticket(queue):
    queue.open("desk-1")
    queue.issue()
    queue.called()
    refused(queue.ask(SetMode, desk="desk-1", mode=DeskMode.PAUSED, shown=None), "desk_moved_on")
    assert queue.desk_mode("desk-1") == OPEN


def test_a_desk_that_closes_frees_the_tickets_that_waited_for_it_in_the_same_command(queue):
    queue.open("desk-1", "desk-2")
    bound = [queue.issue() for _ in range(3)]
    for ticket in bound:
        queue.ask(Transfer, desk="desk-1", ticket=ticket, to_desk="desk-2")
    queue.mode("desk-2", DeskMode.PAUSED)
    assert queue.ticket(bound[0]).bound_desk == "desk-2", "a pause keeps them"
    rows = len(queue.events())
    queue.mode("desk-2", DeskMode.CLOSED)
    assert [queue.ticket(ticket).bound_desk for ticket in bound] == [None, None, None]
    assert queue.events()[rows:] == ["desk_closed", "release", "release", "release"]
    assert queue.called("desk-1") == bound[0]


def test_a_desk_that_left_the_site_file_is_closed_and_frees_who_waited_for_it(queue):
    queue.open("desk-1", "desk-2")
    bound = queue.issue()
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-2")
    rows = len(queue.events())
    queue.index = SiteIndex(replace(queue.site, desks=queue.site.desks[:1]))
    queue.job(CloseLostDesks)
    assert queue.events()[rows:] == ["desk_closed", "release"]
    assert queue.effects.desks == set()
    assert queue.called("desk-1") == bound
    queue.job(CloseLostDesks)
    assert queue.events()[-1] == "call"


def test_who_waits_for_a_desk_under_a_service_that_left_the_site_file_does_not_block_it(queue):
    queue.open("desk-1", "desk-2")
    bound = queue.issue("papers")
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-2")
    queue.turn(SECOND)
    other, last = queue.issue("civil"), queue.issue("civil")
    without_papers(queue)
    assert queue.events()[-1] == "release"
    assert queue.called("desk-2") == other
    queue.turn(5 * SECOND)
    assert queue.called("desk-2") == last
    queue.job(CloseLostDesks)
    assert queue.events()[-1] == "call"


def test_nobody_is_sent_to_wait_at_a_desk_under_a_service_that_left_the_site_file(queue):
    """Its ticket would come first at that desk and block every call there."""
    queue.open("desk-1")
    lost = queue.issue("papers")
    queue.called("desk-1")
    queue.ask(Park, desk="desk-1", shown=lost)
    without_papers(queue)
    other = queue.issue("civil")
    refused(queue.ask(Resume, desk="desk-1", ticket=lost), "unknown")
    refused(queue.ask(Transfer, desk="desk-1", ticket=lost, to_desk="desk-1"), "unknown")
    assert queue.called("desk-1") == other
    queue.ask(Transfer, desk="desk-1", ticket=lost, service="civil")
    queue.turn(5 * SECOND)
    assert queue.called("desk-1") == lost


@pytest.mark.parametrize("way", ["withdraw", "readmit"])
def test_who_comes_back_to_wait_under_a_service_that_left_the_site_file_waits_at_no_desk(queue, way):
    queue.open("desk-1", "desk-2")
    lost = queue.issue("papers")
    queue.ask(Transfer, desk="desk-1", ticket=lost, to_desk="desk-2")
    queue.called("desk-2")
    without_papers(queue)
    other = queue.issue("civil")
    if way == "withdraw":
        queue.ask(Withdraw, desk="desk-2", shown=lost)
    else:
        queue.ask(MarkAbsent, desk="desk-2", shown=lost)
        queue.ask(Readmit, desk="desk-2", ticket=lost)
    assert (queue.state(lost), queue.ticket(lost).bound_desk) == (State.WAITING, None)
    queue.turn(5 * SECOND)
    assert queue.called("desk-2") == other


@pytest.mark.parametrize("command", ["transfer", "cancel"])
def test_who_waits_for_a_service_that_left_the_site_file_is_moved_on_or_cancelled_by_any_desk(queue, command):
    queue.open("desk-1")
    lost = queue.issue("papers")
    without_papers(queue)
    if command == "cancel":
        queue.ask(Cancel, desk="desk-1", ticket=lost)
        assert queue.state(lost) is State.CANCELLED
        return
    queue.ask(Transfer, desk="desk-1", ticket=lost, service="civil")
    assert queue.called("desk-1") == lost


@pytest.mark.parametrize("state", [State.CALLED, State.SERVING])
def test_whom_a_desk_held_that_left_the_site_file_another_desk_goes_on_with(queue, state):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue("civil")
    queue.called("desk-1")
    if state is State.SERVING:
        queue.ask(Start, desk="desk-1", shown=ticket)
    queue.configure(replace(queue.site, desks=queue.site.desks[1:]))
    queue.job(CloseLostDesks)
    assert queue.state(ticket) is State.PARKED
    assert queue.listed() == ([] if state is State.CALLED else [ticket])
    queue.ask(Resume, desk="desk-2", ticket=ticket)
    assert queue.held("desk-2") == ticket


def test_other_desks_pages_are_told_of_a_pause_and_of_who_is_taken_up_there(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue("civil")
    queue.called("desk-1")
    queue.ask(Park, desk="desk-1", shown=ticket)
    queue.mode("desk-1", DeskMode.PAUSED)
    assert queue.effects.services >= {"civil"}
    queue.ask(Resume, desk="desk-2", ticket=ticket)
    assert queue.effects.desks >= {"desk-1", "desk-2"}


@pytest.mark.parametrize("state", [State.WAITING, State.PARKED])
@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_pages_are_told_of_the_absence_of_a_desk_that_keeps_a_ticket_of_a_service_it_does_not_serve(queue, mode, state):
    queue.open("desk-2", "desk-3")
    ticket = queue.issue("civil")
    queue.ask(Transfer, desk="desk-2", ticket=ticket, to_desk="desk-3")
    if state is State.PARKED:
        queue.called("desk-3")
        queue.ask(Park, desk="desk-3", shown=ticket)
    queue.mode("desk-3", mode)
    assert queue.effects.services >= {"civil"}
    queue.mode("desk-3", DeskMode.OPEN)
    assert ("civil" in queue.effects.services) is (mode is DeskMode.PAUSED or state is State.PARKED)


def test_pages_are_told_of_a_pause_that_waited_for_a_ticket_to_be_set_aside(queue):
    queue.open("desk-2", "desk-3")
    ticket = queue.issue("civil")
    queue.ask(Transfer, desk="desk-2", ticket=ticket, to_desk="desk-3")
    queue.called("desk-3")
    queue.mode("desk-3", DeskMode.PAUSED)
    queue.ask(Park, desk="desk-3", shown=ticket)
    assert queue.effects.services >= {"civil"}


def without_papers(queue):
    """Start again with a site file that has one service less."""
    queue.lose_papers()
    queue.job(CloseLostDesks)


def test_a_close_that_waited_frees_them_with_the_command_that_ends_the_visit(queue):
    queue.open("desk-1", "desk-2")
    held, bound = queue.issue(), queue.issue()
    assert queue.called("desk-2") == held
    queue.ask(Transfer, desk="desk-1", ticket=bound, to_desk="desk-2")
    queue.mode("desk-2", DeskMode.CLOSED)
    assert queue.ticket(bound).bound_desk == "desk-2"
    queue.ask(Finish, desk="desk-2", shown=held)
    assert queue.ticket(bound).bound_desk is None


def test_a_call_taken_back_after_its_desk_closed_waits_for_any_desk(queue):
    queue.open("desk-1", "desk-2")
    ticket = queue.issue()
    queue.ask(Transfer, desk="desk-1", ticket=ticket, to_desk="desk-2")
    queue.mode("desk-2", DeskMode.PAUSED)
    queue.ask(Pick, desk="desk-1", ticket=ticket)
    queue.mode("desk-2", DeskMode.CLOSED)
    queue.ask(Withdraw, desk="desk-1", shown=ticket)
    assert queue.ticket(ticket).bound_desk is None


@pytest.mark.parametrize("mode", [DeskMode.PAUSED, DeskMode.CLOSED])
def test_a_long_press_at_a_desk_that_is_away_does_nothing(queue, mode):
    queue.open("desk-1")
    queue.mode("desk-1", mode)
    before = queue.snapshot()
    answer = queue.do(ButtonRecall(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms))
    assert desk_answer(answer).outcome is DeskOutcome.NOTHING
    assert queue.snapshot() == before


def test_a_long_press_with_nobody_called_does_nothing(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    queue.called()
    queue.ask(Start, desk="desk-1", shown=ticket)
    queue.turn(30 * SECOND)
    answer = queue.do(ButtonRecall(origin=queue.origin(Source.BUTTON), desk="desk-1", at_ms=queue.now_ms))
    assert desk_answer(answer).outcome is DeskOutcome.NOTHING
