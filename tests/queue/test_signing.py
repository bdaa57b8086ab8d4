"""Signing on: one agent at one desk, and what only that agent may do there."""

import json
from threading import Barrier, Thread

import psycopg
import pytest
import sqlalchemy
from msgspec.structs import replace
from sqlalchemy import update

from hub.queue import store
from hub.queue.requests import (
    ButtonMode,
    CheckIn,
    CloseLostDesks,
    EndDay,
    Finish,
    Next,
    Origin,
    Press,
    SetMode,
    SignOff,
    SignOn,
    Source,
)
from hub.site import Login
from hub.site_index import SiteIndex
from protocol.messages import DeskMode, DeskOutcome
from tests.checkers import check_all, read
from tests.queue.harness import MINUTE, SECOND, Queue, desk_answer, moment, refused, round_the_clock, town

TODAY, EVENING = "2026-11-24", moment("2026-11-24 18:00")


def origin(queue, actor, *, signed_on=True):
    return Origin(Source.PAGE, actor, queue.new_id(), signed_on)


def sign_on(queue, actor, desk="desk-1"):
    answer = queue.do(SignOn(origin=origin(queue, actor, signed_on=False), desk=desk))
    assert desk_answer(answer).outcome is DeskOutcome.TAKEN
    return answer


def call_next(queue, actor, desk="desk-1"):
    return queue.do(Next(origin=origin(queue, actor), desk=desk, shown=queue.held(desk)))


def agents(queue):
    """The agent signed on at each desk."""
    check_all(read(queue.engine, queue.site.name))
    return {row[1]: row[7] for row in queue.table("desk") if row[7] is not None}


def journal(queue):
    """The journal's rows on signing on and off: event, desk, actor, the agent now signed on, the one before."""
    rows = sorted(queue.table("ticket_event"), key=lambda row: row[1])
    signed = [row for row in rows if row[3] in {"sign_on", "sign_off"}]
    return [(row[3], row[9], row[8], *json.loads(row[11]).values()) for row in signed]


def test_an_agent_signs_on_at_a_closed_desk_and_the_desk_stays_closed(queue):
    sign_on(queue, "anna")
    assert agents(queue) == {"desk-1": "anna"}
    assert queue.desk_mode("desk-1")[0] == "closed"
    assert journal(queue) == [("sign_on", "desk-1", "anna", "anna", None)]
    assert queue.effects.desks == {"desk-1"}


def test_who_signs_on_again_at_the_same_desk_changes_nothing(queue):
    sign_on(queue, "anna")
    before = queue.snapshot()
    sign_on(queue, "anna")
    assert queue.snapshot() == before


def test_who_signs_on_elsewhere_leaves_the_other_desk_in_the_same_command(queue):
    sign_on(queue, "anna")
    sign_on(queue, "anna", "desk-2")
    assert agents(queue) == {"desk-2": "anna"}
    assert journal(queue)[1:] == [
        ("sign_off", "desk-1", "anna", None, "anna"),
        ("sign_on", "desk-2", "anna", "anna", None),
    ]
    assert queue.effects.desks == {"desk-1", "desk-2"}


def test_two_agents_change_places(queue):
    sign_on(queue, "anna")
    sign_on(queue, "boris", "desk-2")
    sign_on(queue, "anna", "desk-2")
    assert agents(queue) == {"desk-2": "anna"}
    sign_on(queue, "boris")
    assert agents(queue) == {"desk-1": "boris", "desk-2": "anna"}


def test_who_was_taken_over_is_told_by_whom_and_when(queue):
    sign_on(queue, "anna")
    queue.do(SetMode(origin=origin(queue, "anna"), desk="desk-1", mode=DeskMode.OPEN, shown=None))
    ticket = queue.issue()
    queue.turn(MINUTE)
    taken_ms = queue.now_ms
    sign_on(queue, "boris")
    assert journal(queue)[-1] == ("sign_on", "desk-1", "boris", "boris", "anna")
    queue.turn(MINUTE)
    before = queue.snapshot()
    facts = refused(call_next(queue, "anna"), "not_signed_on").facts
    assert facts == {"desk": "desk-1", "agent": "boris", "at_ms": taken_ms, "before": "anna"}
    assert queue.snapshot() == before
    assert desk_answer(call_next(queue, "boris")).ticket == ticket


def test_who_asked_for_a_free_desk_takes_it_over_from_nobody(queue):
    sign_on(queue, "anna", "desk-2")
    came_ms = queue.now_ms
    sign_on(queue, "boris")
    queue.turn(MINUTE)
    before = queue.snapshot()
    late = SignOn(origin=origin(queue, "anna", signed_on=False), desk="desk-1", only_free=True)
    facts = refused(queue.do(late), "desk_taken").facts
    assert facts == {"desk": "desk-1", "agent": "boris", "at_ms": came_ms}
    assert queue.snapshot() == before
    again = SignOn(origin=origin(queue, "boris", signed_on=False), desk="desk-1", only_free=True)
    assert desk_answer(queue.do(again)).outcome is DeskOutcome.TAKEN
    free = SignOn(origin=origin(queue, "anna", signed_on=False), desk="desk-3", only_free=True)
    assert desk_answer(queue.do(free)).outcome is DeskOutcome.TAKEN
    assert agents(queue) == {"desk-1": "boris", "desk-3": "anna"}


def test_who_was_shown_no_visitor_leaves_none_at_the_desk_before(queue):
    sign_on(queue, "anna")
    queue.do(SetMode(origin=origin(queue, "anna"), desk="desk-1", mode=DeskMode.OPEN, shown=None))
    queue.issue()
    call_next(queue, "anna")
    before = queue.snapshot()
    idle = SignOn(origin=origin(queue, "anna", signed_on=False), desk="desk-3", only_idle=True)
    assert refused(queue.do(idle), "leaves_visitor").facts["desk"] == "desk-1"
    assert queue.snapshot() == before
    queue.do(Finish(origin=origin(queue, "anna"), desk="desk-1", shown=queue.held("desk-1")))
    again = SignOn(origin=origin(queue, "anna", signed_on=False), desk="desk-3", only_idle=True)
    assert desk_answer(queue.do(again)).outcome is DeskOutcome.TAKEN
    assert agents(queue) == {"desk-3": "anna"}


def test_where_nobody_is_signed_on_nobody_acts(queue):
    assert refused(call_next(queue, "anna"), "not_signed_on").facts == {"desk": "desk-1"}
    assert refused(call_next(queue, ""), "not_signed_on").facts == {"desk": "desk-1"}


def test_a_refusal_for_want_of_signing_on_is_repeated_to_a_repeat_though_they_signed_on_since(queue):
    command = Next(origin=origin(queue, "anna"), desk="desk-1", shown=None)
    first = refused(queue.do(command), "not_signed_on")
    sign_on(queue, "anna")
    assert queue.do(command) == first


def test_a_command_that_was_done_is_answered_again_after_the_desk_was_taken_over(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    sign_on(queue, "anna")
    command = Next(origin=origin(queue, "anna"), desk="desk-1", shown=None)
    first = desk_answer(queue.do(command))
    assert first.ticket == ticket
    sign_on(queue, "boris")
    assert queue.do(command) == first
    assert queue.repeated


def test_reception_checks_in_at_a_desk_where_another_is_signed_on(queue):
    sign_on(queue, "anna")
    booked = queue.book(queue.now_ms + 5 * MINUTE)
    queue.do(CheckIn(origin=origin(queue, "reception", signed_on=False), desk="desk-1", ticket=booked))
    assert queue.state(booked) == "waiting"


def test_nobody_without_an_account_signs_on(queue):
    refused(queue.do(SignOn(origin=origin(queue, "", signed_on=False), desk="desk-1")), "unknown")
    assert agents(queue) == {}


def test_who_signs_off_leaves_the_desk_as_it_is(queue):
    queue.open("desk-1")
    sign_on(queue, "anna")
    off = SignOff(origin=origin(queue, "anna"), desk="desk-1")
    assert desk_answer(queue.do(off)).outcome is DeskOutcome.TAKEN
    assert agents(queue) == {}
    assert queue.effects.desks == {"desk-1"}
    assert queue.desk_mode("desk-1")[0] == "open"
    assert journal(queue)[-1] == ("sign_off", "desk-1", "anna", None, "anna")


def test_only_who_is_signed_on_signs_off_unless_a_supervisor_does_it_for_them(queue):
    sign_on(queue, "anna")
    refused(queue.do(SignOff(origin=origin(queue, "boris"), desk="desk-1")), "not_signed_on")
    queue.do(SignOff(origin=origin(queue, "chief", signed_on=False), desk="desk-1"))
    assert journal(queue)[-1] == ("sign_off", "desk-1", "chief", None, "anna")
    before = queue.snapshot()
    queue.do(SignOff(origin=origin(queue, "chief", signed_on=False), desk="desk-1"))
    assert queue.snapshot() == before


# --- what signs an agent off --------------------------------------------------------------------------------------


def test_a_close_that_waits_keeps_the_agent_until_the_desk_is_closed(queue):
    queue.open("desk-1")
    ticket = queue.issue()
    sign_on(queue, "anna")
    call_next(queue, "anna")
    queue.do(SetMode(origin=origin(queue, "anna"), desk="desk-1", mode=DeskMode.CLOSED, shown=ticket))
    assert agents(queue) == {"desk-1": "anna"}
    queue.do(Finish(origin=origin(queue, "anna"), desk="desk-1", shown=ticket))
    assert queue.desk_mode("desk-1")[0] == "closed"
    assert agents(queue) == {}
    assert journal(queue)[-1] == ("sign_off", "desk-1", "anna", None, "anna")


def test_a_pause_keeps_the_agent(queue):
    queue.open("desk-1")
    sign_on(queue, "anna")
    queue.do(SetMode(origin=origin(queue, "anna"), desk="desk-1", mode=DeskMode.PAUSED, shown=None))
    assert agents(queue) == {"desk-1": "anna"}


@pytest.mark.parametrize("limit", [1, 50])
def test_the_end_of_the_day_signs_everybody_off(queue, limit):
    queue.open("desk-1", "desk-3")
    sign_on(queue, "anna")
    sign_on(queue, "boris", "desk-2")
    sign_on(queue, "carla", "desk-3")
    queue.issue()
    held = queue.issue("social")
    assert desk_answer(call_next(queue, "carla", "desk-3")).ticket == held
    queue.do(SetMode(origin=origin(queue, "carla"), desk="desk-3", mode=DeskMode.CLOSED, shown=held))
    queue.now_ms = EVENING
    while queue.job(EndDay, day=TODAY, limit=limit).count == limit:
        pass
    assert agents(queue) == {}
    off = [(event, desk) for event, desk, *_ in journal(queue) if event == "sign_off"]
    assert sorted(off) == [("sign_off", f"desk-{number}") for number in (1, 2, 3)], "each once"
    assert queue.events().count("desk_closed") == 2
    before = queue.snapshot()
    queue.job(EndDay, day=TODAY, limit=limit)
    assert queue.snapshot() == before


def test_a_late_end_of_the_day_leaves_who_came_in_the_morning_after(queue):
    queue.open("desk-1", "desk-2")
    sign_on(queue, "anna")
    queue.now_ms = moment("2026-11-25 08:00")
    sign_on(queue, "boris", "desk-2")
    sign_on(queue, "carla", "desk-3")
    queue.job(EndDay, day=TODAY, limit=50)
    assert agents(queue) == {"desk-2": "boris", "desk-3": "carla"}
    assert [queue.desk_mode(f"desk-{number}")[0] for number in (1, 2, 3)] == ["closed", "open", "closed"]


def test_round_the_clock_nobody_is_signed_off_at_the_end_of_the_day(new_queue):
    queue = new_queue(round_the_clock(town()), at_ms=moment("2026-11-24 23:50"))
    queue.open("desk-1")
    sign_on(queue, "anna")
    queue.now_ms = moment("2026-11-25 01:00")
    queue.job(EndDay, day=TODAY, limit=50)
    assert agents(queue) == {"desk-1": "anna"}


def test_a_desk_that_left_the_site_file_has_nobody_signed_on_any_more(queue):
    queue.open("desk-1", "desk-2")
    sign_on(queue, "anna", "desk-2")
    sign_on(queue, "boris", "desk-3")
    queue.index = SiteIndex(replace(queue.site, desks=queue.site.desks[:1]))
    assert queue.job(CloseLostDesks).count == 2
    assert agents(queue) == {}
    assert queue.effects.desks == set()
    sign_on(queue, "anna")
    assert queue.job(CloseLostDesks).count == 0


def test_an_agent_of_a_desk_that_is_lost_signs_on_at_another_before_it_is_closed(queue):
    sign_on(queue, "anna", "desk-2")
    queue.index = SiteIndex(replace(queue.site, desks=queue.site.desks[:1]))
    sign_on(queue, "anna", "desk-1")
    assert agents(queue) == {"desk-1": "anna"}
    assert queue.effects.desks == {"desk-1"}


# --- the button ---------------------------------------------------------------------------------------------------


def button(queue):
    return queue.origin(Source.BUTTON, "button-1")


def actors(queue):
    """The source and the actor of the journal's last row."""
    row = max(queue.table("ticket_event"), key=lambda row: row[1])
    return row[7], row[8]


def test_the_button_acts_for_whoever_is_signed_on_at_its_desk(queue):
    queue.open("desk-1")
    queue.issue()
    sign_on(queue, "anna")
    queue.do(Press(origin=button(queue), desk="desk-1", at_ms=queue.now_ms))
    assert actors(queue) == ("button", "anna")
    queue.turn(4 * SECOND)
    queue.do(ButtonMode(origin=button(queue), desk="desk-1", at_ms=queue.now_ms, mode=DeskMode.PAUSED))
    assert actors(queue) == ("button", "anna")


def test_the_button_of_a_desk_where_nobody_is_signed_on_acts_for_the_desk_alone(queue):
    queue.open("desk-1")
    queue.issue()
    queue.do(Press(origin=button(queue), desk="desk-1", at_ms=queue.now_ms))
    assert actors(queue) == ("button", "button-1")


def test_the_button_acts_for_the_desk_where_the_site_says_so(new_queue):
    queue = new_queue(town(login=Login(button_acts_for="desk")))
    queue.open("desk-1")
    queue.issue()
    sign_on(queue, "anna")
    queue.do(Press(origin=button(queue), desk="desk-1", at_ms=queue.now_ms))
    assert actors(queue) == ("button", "button-1")


def test_a_press_asks_the_database_nothing_more_where_somebody_is_signed_on(queue):
    if queue.connection.on_postgresql:
        pytest.skip("SQLite tells each statement, and the commands are the same")
    queue.open("desk-1")
    asked = []
    queue.connection.raw.set_trace_callback(asked.append)
    counts = []
    for actor in ("", "anna"):
        queue.issue()
        if actor:
            sign_on(queue, actor)
        asked.clear()
        assert desk_answer(queue.press()).outcome is DeskOutcome.CALLED
        counts.append(len(asked))
        queue.ask(Finish, desk="desk-1", shown=queue.held("desk-1"))
    queue.connection.raw.set_trace_callback(None)
    assert counts[0] == counts[1] > 0


def test_a_page_that_was_late_reads_who_pressed_the_button(queue):
    queue.open("desk-1")
    queue.issue()
    sign_on(queue, "anna")
    queue.do(Press(origin=button(queue), desk="desk-1", at_ms=queue.now_ms))
    late = Next(origin=origin(queue, "anna"), desk="desk-1", shown=None)
    facts = refused(queue.do(late), "desk_moved_on").facts
    assert (facts["by"], facts["actor"]) == ("button", "anna")


# --- by the database ----------------------------------------------------------------------------------------------


def test_the_database_itself_lets_nobody_be_signed_on_at_two_desks(queue):
    sign_on(queue, "anna")
    second = update(store.desk).where(store.desk.c.site == queue.site.name, store.desk.c.name == "desk-2")
    with (
        pytest.raises(sqlalchemy.exc.IntegrityError),
        queue.engine.execution_options(write=True).begin() as connection,
    ):
        connection.execute(second.values(agent="anna"))
    assert agents(queue) == {"desk-1": "anna"}


def test_the_same_agent_may_be_signed_on_at_two_sites(new_queue):
    for queue in (new_queue(), new_queue()):
        sign_on(queue, "anna")
        assert agents(queue) == {"desk-1": "anna"}


@pytest.mark.parametrize(
    ("actors", "desks"),
    [(("anna", "anna"), ("desk-1", "desk-2")), (("anna", "boris"), ("desk-1", "desk-1"))],
    ids=["one agent at two desks", "two agents at one desk"],
)
def test_of_two_at_once_one_comes_after_the_other(new_queue, actors, desks):
    """On two independent connections, which cannot happen with a single writer."""
    queue = new_queue()
    others = [new_queue(queue.site) for _ in actors]
    together, answers = Barrier(2), []

    def sign(other: Queue, actor: str, desk: str) -> None:
        command = SignOn(origin=Origin(Source.PAGE, actor), desk=desk)
        together.wait()
        try:
            answers.append(other.do(command))
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
            answers.append(None)

    threads = [Thread(target=sign, args=each) for each in zip(others, actors, desks, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert any(answers)
    assert len(agents(queue)) == 1
