"""What the database itself refuses, whatever the code does."""

import pytest
import sqlalchemy
from sqlalchemy import update

from hub.database.statements import LostUpdate
from hub.queue import store
from hub.queue.requests import Cancel, Origin, Source
from hub.queue.states import Event, State
from hub.queue.transaction import Work


def set_beside_the_writer(queue, ticket_id, **columns):
    """Change the row as a bug in the code would: without a command and without a check."""
    of_ticket = (store.ticket.c.site == queue.site.name, store.ticket.c.id == ticket_id)
    with queue.engine.execution_options(write=True).begin() as connection:
        connection.execute(update(store.ticket).where(*of_ticket).values(**columns))


@pytest.mark.parametrize("state", [State.CALLED, State.SERVING])
def test_a_desk_that_holds_a_ticket_gets_no_second_one(queue, state):
    queue.open("desk-1")
    held, other = queue.issue(), queue.issue()
    queue.called("desk-1")
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        set_beside_the_writer(queue, other, state=state, desk="desk-1")
    assert queue.held("desk-1") == held
    set_beside_the_writer(queue, other, state=state, desk="desk-2")
    assert queue.held("desk-2") == other


def test_a_number_is_given_once_a_day_in_its_series(queue):
    first, second = queue.issue(), queue.issue()
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        set_beside_the_writer(queue, second, number=queue.ticket(first).number)
    set_beside_the_writer(queue, second, number=queue.ticket(first).number, day="2026-11-25")
    assert [each.label for each in queue.tickets()] == ["A001", "A001"]


def test_a_change_of_a_ticket_that_is_not_as_it_was_read_any_more_is_not_written(queue):
    ticket_id = queue.issue()
    waiting = queue.ticket(ticket_id)
    queue.ask(Cancel, desk="desk-1", ticket=ticket_id)
    before = queue.snapshot()
    queue.connection.begin()
    work = Work(queue.connection, queue.index, queue.now_ms, Origin(Source.JOB, "job"), lambda _: None)
    work.change(waiting, Event.CALL, State.CALLED, at_desk="desk-1", desk="desk-1")
    with pytest.raises(LostUpdate):
        work.flush()
    queue.connection.rollback()
    assert queue.snapshot() == before
