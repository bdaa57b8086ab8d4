"""What a desk's page shows of tickets that the site file no longer provides for, or never did."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hub.appointments.list_state import ListState
from hub.database.engine import of_one_moment, open_engine
from hub.database.migration import migrate
from hub.queue.requests import (
    CheckIn,
    CloseLostDesks,
    EndDay,
    ExpireExpected,
    MarkAbsent,
    Park,
    Readmit,
    Resume,
    StartAbsent,
    Transfer,
)
from hub.queue.states import State
from hub.web.desk.booking_sentences import arrival_of_panel
from hub.web.desk.drawing import draw
from hub.web.desk.panels import TicketPanel, read_ticket_panel, read_transfer
from hub.web.desk.picture import DeskPicture
from hub.web.desk.reading import read_desk
from tests.databases import sqlite_url
from tests.queue.harness import HOUR, ZONE, Queue, moment, town


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    engine = open_engine(sqlite_url(tmp_path))
    migrate(engine)
    made = Queue(engine, town())
    yield made
    made.close()
    engine.dispose()


def picture(queue: Queue, desk: str) -> DeskPicture:
    at = queue.index.desk(desk)
    with of_one_moment(queue.engine).connect() as connection:
        rows = read_desk(connection, queue.index, at, queue.now_ms)
    return draw(rows, queue.index, at, lambda _: None, ListState(source=""))


def panel(queue: Queue, ticket: int) -> TicketPanel:
    with queue.engine.connect() as connection:
        found = read_ticket_panel(connection, queue.index, queue.index.desk("desk-1"), ticket, queue.now_ms)
    assert found is not None
    return found


def test_a_ticket_at_the_desk_whose_service_left_the_site_file_is_shown_under_its_name(queue: Queue) -> None:
    queue.open("desk-1")
    ticket = queue.issue("papers")
    assert queue.called("desk-1") == ticket
    queue.lose_papers()
    held = picture(queue, "desk-1").held
    assert held is not None
    assert (held.id, held.service) == (ticket, "papers")


def test_what_a_desk_set_aside_that_left_the_site_file_is_taken_up_by_another_of_its_service(queue: Queue) -> None:
    queue.open("desk-1", "desk-2")
    ticket = queue.issue("civil")
    assert queue.called("desk-2") == ticket
    queue.ask(Park, desk="desk-2", shown=ticket)
    assert picture(queue, "desk-1").parked == ()
    queue.configure(replace(queue.site, desks=queue.site.desks[:1]))
    queue.job(CloseLostDesks)
    [parked] = picture(queue, "desk-1").parked
    assert (parked.id, parked.of_desk) == (ticket, "desk-2")
    queue.ask(Resume, desk="desk-1", ticket=ticket)
    assert queue.held("desk-1") == ticket


def test_who_waits_for_a_service_that_left_the_site_file_is_listed_at_each_desk_and_called_by_none(
    queue: Queue,
) -> None:
    queue.open("desk-1")
    ticket = queue.issue("papers")
    queue.lose_papers()
    shown = picture(queue, "desk-1")
    assert [(each.letter, each.title, [row.id for row in each.rows]) for each in shown.queues][1:] == [
        ("B", "papers", [ticket])
    ]
    assert shown.next is None
    shown_alone = panel(queue, ticket)
    assert (shown_alone.may_call, shown_alone.may_decide) == (False, True)
    with queue.engine.connect() as connection:
        transfer = read_transfer(connection, queue.index, queue.index.desk("desk-1"), ticket, lambda _: None)
    assert transfer is not None
    assert transfer.desks == ()


def test_who_was_set_aside_under_a_service_that_left_the_site_file_is_not_called_and_decided_on_here(
    queue: Queue,
) -> None:
    queue.open("desk-1")
    ticket = queue.issue("papers")
    queue.called("desk-1")
    queue.ask(Park, desk="desk-1", shown=ticket)
    queue.lose_papers()
    shown = panel(queue, ticket)
    assert (shown.may_call, shown.may_decide) == (False, True)


def test_however_many_wait_for_a_lost_service_the_desk_s_own_are_listed_first(queue: Queue) -> None:
    queue.open("desk-1")
    for _ in range(55):
        queue.issue("papers")
    own = queue.issue("civil")
    queue.lose_papers()
    civil, papers = picture(queue, "desk-1").queues
    assert [row.id for row in civil.rows] == [own]
    assert (papers.waiting, len(papers.rows)) == (55, 50)


def test_whom_a_desk_held_that_left_with_its_service_is_set_aside_where_others_see_it(queue: Queue) -> None:
    queue.open("desk-3")
    ticket = queue.issue("taxes")
    assert queue.called("desk-3") == ticket
    services = tuple(each for each in queue.site.services if each.name in {"civil", "papers"})
    desks = tuple(replace(desk, helps=()) for desk in queue.site.desks[:2])
    queue.configure(replace(queue.site, services=services, desks=desks))
    queue.job(CloseLostDesks)
    [parked] = picture(queue, "desk-1").parked
    assert parked.id == ticket


def test_where_a_desk_holds_a_ticket_of_a_lost_service_others_are_offered_that_desk_all_the_same(queue: Queue) -> None:
    queue.open("desk-1", "desk-2")
    other = queue.issue("civil")
    queue.issue("papers")
    queue.called("desk-1")
    queue.called("desk-1")
    queue.lose_papers()
    with queue.engine.connect() as connection:
        found = read_transfer(connection, queue.index, queue.index.desk("desk-2"), other, lambda _: None)
    assert found is not None
    assert [(each.name, each.service) for each in found.desks] == [("desk-1", "papers"), ("desk-2", "Civil")]


def test_who_was_sent_to_a_desk_under_a_service_it_does_not_serve_is_listed_there_and_nobody_else_of_it(
    queue: Queue,
) -> None:
    queue.open("desk-1", "desk-3")
    sent, _ = queue.issue("civil"), queue.issue("civil")
    queue.ask(Transfer, desk="desk-1", ticket=sent, to_desk="desk-3")
    queues = {each.service: each for each in picture(queue, "desk-3").queues}
    assert [row.id for row in queues["civil"].rows] == [sent]
    assert queues["civil"].waiting == 1
    assert queue.called("desk-3") == sent
    assert "civil" not in {each.service for each in picture(queue, "desk-3").queues}


def test_an_absent_ticket_of_a_day_that_ended_is_said_to_be_over(queue: Queue) -> None:
    queue.open("desk-1")
    ticket = queue.issue("civil")
    queue.called("desk-1")
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    assert not panel(queue, ticket).day_over
    queue.turn(24 * HOUR)
    assert panel(queue, ticket).day_over


def test_after_the_end_of_today_a_missed_appointment_is_said_to_be_over(queue: Queue) -> None:
    ticket = queue.book(moment("2026-11-24 16:30"))
    queue.now_ms = moment("2026-11-24 16:35")
    queue.job(ExpireExpected, ticket=ticket)
    queue.now_ms = moment("2026-11-24 18:00") - 1
    assert panel(queue, ticket).may_check_in
    queue.turn(1)
    over = panel(queue, ticket)
    assert (over.day_over, over.may_check_in) == (True, False)
    said = "Trop tard pour le rendez-vous de 16:30\u00a0: la journée est terminée."
    assert arrival_of_panel(over, ZONE) == said


@pytest.mark.parametrize("command", [StartAbsent, Readmit])
def test_who_was_called_for_an_appointment_of_the_evening_may_still_come_back(
    queue: Queue, command: type[StartAbsent | Readmit]
) -> None:
    ticket = queue.book(moment("2026-11-24 18:05"))
    queue.now_ms = moment("2026-11-24 17:57")
    queue.ask(CheckIn, desk="", ticket=ticket)
    queue.now_ms = moment("2026-11-24 18:01")
    queue.job(EndDay, day="2026-11-24")
    queue.open("desk-1")
    queue.called()
    queue.ask(MarkAbsent, desk="desk-1", shown=ticket)
    assert not panel(queue, ticket).day_over
    queue.ask(command, desk="desk-1", ticket=ticket)
    assert queue.state(ticket) in (State.SERVING, State.WAITING)


def test_who_missed_an_appointment_of_the_evening_may_still_check_in(queue: Queue) -> None:
    ticket = queue.book(moment("2026-11-24 18:30"))
    queue.now_ms = moment("2026-11-24 18:35")
    queue.job(ExpireExpected, ticket=ticket)
    late = panel(queue, ticket)
    assert (late.day_over, late.may_check_in) == (False, True)
