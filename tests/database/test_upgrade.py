"""An upgrade from an earlier version keeps the town's day, and the hub goes on with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, Row, Select, Table, select, text

from hub.__main__ import main
from hub.auth.account_store import read_accounts
from hub.database.engine import first_generation, open_engine
from hub.database.faults import DatabaseOlder, UpgradeWaits
from hub.database.lock import hold_site
from hub.database.migration import check, config, head, migrate, upgrade
from hub.queue.answers import DeskAnswer, TicketAnswer
from hub.queue.requests import (
    Book,
    Cancel,
    CheckIn,
    ExpireExpected,
    Finish,
    Issue,
    MarkAbsent,
    Origin,
    Park,
    Readmit,
    Source,
    Start,
)
from hub.queue.states import State
from tests.checkers import check_all, read
from tests.databases import sqlite_url
from tests.queue.harness import HOUR, MINUTE, TUESDAY_AT_TEN, Queue, town

FIRST = "0001"
# Tables that later versions no longer have.
GONE = {"outbox"}
ASKED = Issue(
    origin=Origin(Source.DISPENSER, "printer-1", "01937a3e-2f40-7c1d-8a55-3f2b9c4d5e6f"), service="civil", code="asked"
)
Rows = dict[str, list[Row[Any]]]


@pytest.fixture
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """A morning that leaves a ticket in each state."""
    engine = open_engine(sqlite_url(tmp_path_factory.mktemp("played")))
    queue = Queue(engine, town())
    first_generation(engine, queue.site.name, TUESDAY_AT_TEN)
    _play(queue)
    yield queue
    queue.close()
    engine.dispose()


def _play(queue: Queue) -> None:
    queue.open("desk-1", "desk-2", "desk-3")
    queue.book(TUESDAY_AT_TEN + HOUR, name="Zoé Exemple-Inventée")
    missed = queue.book(TUESDAY_AT_TEN + MINUTE)
    queue.do(ASKED)
    for service in ("civil", "civil", "civil", "papers", "papers", "social", "social", "taxes"):
        queue.issue(service, priority=service == "papers")
    queue.press("desk-1")
    queue.ask(Park, desk="desk-1", shown=queue.held("desk-1"))
    queue.press("desk-1")
    queue.press("desk-1")
    queue.press("desk-2")
    queue.ask(MarkAbsent, desk="desk-2", shown=queue.held("desk-2"))
    queue.press("desk-2")
    queue.ask(Start, desk="desk-2", shown=queue.held("desk-2"))
    queue.ask(Cancel, desk="desk-3", ticket=queue.issue("social"))
    queue.turn(7 * MINUTE)
    queue.job(ExpireExpected, ticket=missed)


@pytest.fixture
def of_first(day: Queue, empty_engine: Engine) -> Engine:
    """A database of the first version that holds this day."""
    with empty_engine.execution_options(write=True).begin() as connection:
        command.upgrade(config(connection), FIRST)
    tables = _tables(empty_engine)
    with day.engine.connect() as played, empty_engine.execution_options(write=True).begin() as connection:
        for table in tables.sorted_tables:
            source = _tables(day.engine).tables[table.name]
            rows = [dict(row) for row in played.execute(_columns_of(source, table)).mappings()]
            if rows:
                connection.execute(table.insert(), rows)
        connection.execute(text("insert into outbox values ('mairie', 1, 'desk', 'desk-1')"))
    return empty_engine


def _tables(engine: Engine) -> MetaData:
    tables = MetaData()
    tables.reflect(engine, only=lambda name, _: name not in GONE and not name.startswith("alembic"))
    return tables


def _columns_of(table: Table, earlier: Table) -> Select[Any]:
    return select(*(table.c[column.name] for column in earlier.c))


def _rows(engine: Engine, earlier: MetaData) -> Rows:
    """All rows of the earlier version's tables, with its columns only."""
    tables = _tables(engine).tables
    with engine.connect() as connection:
        return {
            each.name: sorted(connection.execute(_columns_of(tables[each.name], each)).all(), key=repr)
            for each in earlier.sorted_tables
        }


def test_the_day_holds_a_ticket_in_each_state(day: Queue) -> None:
    assert {ticket.state for ticket in day.tickets()} == set(State)
    assert all(day.table(name) for name in ("ticket_event", "request", "counter", "visitor_name"))


def test_an_upgrade_leaves_every_row_of_the_day_as_it_was(of_first: Engine) -> None:
    tables = _tables(of_first)
    before = _rows(of_first, tables)
    assert migrate(of_first) == head()
    assert _rows(of_first, tables) == before


def test_a_local_account_whose_accent_was_kept_as_two_characters_is_found_by_one(of_first: Engine) -> None:
    local = "insert into account values ('mairie', :account, 'Hélène', 'hash', 'agent', 1, null)"
    with of_first.execution_options(write=True).begin() as connection:
        command.upgrade(config(connection), "0004")
        kept = ["he\u0301le\u0300ne", "zoe\u0301", "zo\u00e9", "secours"]
        connection.execute(text(local), [{"account": each} for each in kept])
    migrate(of_first)
    with of_first.connect() as connection:
        accounts = set(connection.scalars(text("select account from account")))
    assert accounts == {"h\u00e9l\u00e8ne", "zoe\u0301", "zo\u00e9", "secours"}


def test_of_local_accounts_whose_accents_were_kept_in_several_ways_one_is_found_and_all_stay(of_first: Engine) -> None:
    local = "insert into account values ('mairie', :account, 'Huệ', 'hash', 'agent', 1, null)"
    with of_first.execution_options(write=True).begin() as connection:
        command.upgrade(config(connection), "0004")
        kept = ["hue\u0302\u0323", "hu\u00ea\u0323", "hu\u1eb9\u0302"]
        connection.execute(text(local), [{"account": each} for each in kept])
    migrate(of_first)
    with of_first.connect() as connection:
        accounts = set(connection.scalars(text("select account from account")))
    assert len(accounts) == len(kept)
    assert "hu\u1ec7" in accounts


ZOE, ZOE_IN_PARTS = "zo\u00e9", "zoe\u0301"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({ZOE: 5, ZOE_IN_PARTS: None}, {ZOE: None}),
        ({ZOE: None, ZOE_IN_PARTS: 5}, {ZOE: None, ZOE_IN_PARTS: 5}),
        ({ZOE: 4, ZOE_IN_PARTS: 5}, {ZOE: 4, ZOE_IN_PARTS: 5}),
        ({ZOE_IN_PARTS: 5}, {ZOE: 5}),
        ({"hue\u0302\u0323": 5, "hu\u00ea\u0323": None}, {"hue\u0302\u0323": 5, "hu\u1ec7": None}),
    ],
)
def test_an_ended_local_account_keeps_no_name_from_the_one_in_use(
    of_first: Engine, before: dict[str, int | None], after: dict[str, int | None]
) -> None:
    local = "insert into account values ('mairie', :account, 'Zoé', 'hash', 'agent', 1, :ended_ms)"
    with of_first.execution_options(write=True).begin() as connection:
        command.upgrade(config(connection), "0004")
        connection.execute(text(local), [{"account": name, "ended_ms": at} for name, at in before.items()])
    migrate(of_first)
    with of_first.connect() as connection:
        accounts = {row.account: row.ended_ms for row in read_accounts(connection, "mairie")}
    assert accounts == after


def test_a_hub_that_starts_changes_no_tables_under_that_of_another_site(of_first: Engine) -> None:
    with of_first.execution_options(write=True).begin() as connection:
        connection.execute(text("insert into site values ('annexe', 1)"))
    other = hold_site(of_first, "annexe")
    with pytest.raises(UpgradeWaits, match=r"earlier version, .* site annexe.*: first stop all hubs"):
        upgrade(of_first, held="mairie")
    with pytest.raises(DatabaseOlder):
        check(of_first)
    other.release()
    mine = hold_site(of_first, "mairie")
    assert upgrade(of_first, held="mairie") == head()
    mine.release()


def test_the_command_finds_it_too_old_upgrades_it_and_finds_it_right(
    of_first: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUIVANT_DATABASE_URL", of_first.url.render_as_string(hide_password=False))
    assert main(["database", "check"]) != 0
    assert "suivant database upgrade" in capsys.readouterr().err
    assert main(["database", "upgrade"]) == 0
    assert main(["database", "check"]) == 0
    assert f"revision {head()}" in capsys.readouterr().out


def test_the_hub_goes_on_with_the_day_after_the_upgrade(day: Queue, of_first: Engine) -> None:
    migrate(of_first)
    assert check(of_first) == head()
    assert first_generation(of_first, day.site.name, TUESDAY_AT_TEN + HOUR) == TUESDAY_AT_TEN, "nodes know the same"
    after = Queue(of_first, day.site, at_ms=day.now_ms)
    try:
        _go_on(after, before=day)
        check_all(read(of_first, day.site.name))
    finally:
        after.close()


def _go_on(after: Queue, before: Queue) -> None:
    """Check that what people had begun can be ended, and that ticket numbers go on."""
    for desk in ("desk-1", "desk-2", "desk-3"):
        assert after.held(desk) == before.held(desk)
        assert after.desk_mode(desk) == before.desk_mode(desk)
    last = max(ticket.number or 0 for ticket in before.tickets() if ticket.series == "A")
    assert after.ticket(after.issue("civil")).number == last + 1
    after.ask(Finish, desk="desk-2", shown=after.held("desk-2"))
    assert isinstance(after.press("desk-1"), DeskAnswer)
    _sync(after)
    for state, kind in ((State.EXPECTED, CheckIn), (State.ABSENT, Readmit), (State.ABSENT, Readmit)):
        ticket = next(each for each in after.tickets() if each.state is state)
        answer = after.ask(kind, desk="desk-1", ticket=ticket.id)
        assert isinstance(answer, DeskAnswer | TicketAnswer)
        assert answer.number == after.ticket(ticket.id).label
        assert after.state(ticket.id) is State.WAITING


def _sync(after: Queue) -> None:
    """Take in the source's list; the first version kept no bookings, so each must find the ticket that it has."""
    tickets = after.tickets()
    for each in tickets:
        if each.booking is not None:
            answer = after.take(
                Book(
                    booking=each.booking,
                    reference=f"form/{each.booking}",
                    confirmation=each.booking.upper(),
                    service=each.service,
                    appointment_ms=each.appointment_ms or 0,
                    code=each.code,
                )
            )
            assert answer.count == 1
    assert after.tickets() == tickets


def test_a_request_of_before_the_upgrade_is_answered_with_its_first_answer(day: Queue, of_first: Engine) -> None:
    migrate(of_first)
    after = Queue(of_first, day.site, at_ms=day.now_ms)
    try:
        tickets = after.tickets()
        assert after.do(ASKED) == day.do(ASKED)
        assert after.repeated
        assert after.tickets() == tickets
    finally:
        after.close()
