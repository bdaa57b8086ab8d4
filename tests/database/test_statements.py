"""Many writes at once: one statement for all that are alike, and an error if a guarded one finds no row."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine, Select, literal_column, select

from hub.database.engine import open_driver_connection
from hub.database.statements import TOGETHER_MOST, Connection, LostUpdate, Write, open_reading_connection
from hub.queue import name_store, store


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    made = Connection(open_driver_connection(engine), engine.dialect)
    made.begin()
    yield made
    made.rollback()
    made.close()


def counter(series: str, last: int = 1) -> Write:
    return Write(store.INSERT_COUNTER, {"site": "mairie", "day": "", "series": series, "last": last})


def raised(series: str) -> Write:
    params = {"site": "mairie", "of_day": "", "of_series": series, "last": 2}
    return Write(store.RAISE_COUNTER, params, guarded=True)


def values(connection: Connection, *series: str) -> list[int]:
    params = [{"site": "mairie", "day": "", "series": each} for each in series]
    return [connection.rows(store.COUNTER, each)[0][0] for each in params]


@pytest.mark.parametrize("series", ["A", "'\"\\", "%(site)s %s :x ?", '{"a": [1]}', "\u2028", "👩‍👩‍👧", "é", ""])
def test_text_is_kept_as_it_is_in_one_row_and_in_many(connection, series):
    connection.write([counter(series, 3)])
    connection.write([counter(series + str(number), number) for number in range(3)])
    assert values(connection, series, *(series + str(number) for number in range(3))) == [3, 0, 1, 2]


@pytest.mark.parametrize("count", [1, 2, TOGETHER_MOST, TOGETHER_MOST + 1, 100])
def test_each_of_many_guarded_writes_finds_its_row_or_all_of_them_fail(connection, count):
    names = [str(number) for number in range(count)]
    connection.write([counter(name) for name in names])
    connection.write([raised(name) for name in names])
    assert values(connection, *names) == [2] * count
    with pytest.raises(LostUpdate):
        connection.write([*(raised(name) for name in names[1:]), raised("not there")])


def test_a_row_may_refer_to_one_that_is_written_with_it(connection):
    tickets = [
        Write(store.INSERT_TICKET, {"site": "mairie", **dict.fromkeys(store.FIELDS), **_ticket(number)})
        for number in range(1, 4)
    ]
    names = [
        Write(name_store.INSERT_NAME, {"site": "mairie", "ticket": number, "name": "Zoé Exemple", "delete_after_ms": 1})
        for number in range(1, 4)
    ]
    connection.write([each for pair in zip(tickets, names, strict=True) for each in pair])
    assert len(connection.rows(store.TICKET_BY_ID, {"site": "mairie", "id": 3})) == 1


def _ticket(number: int) -> dict[str, object]:
    given = {"id": number, "code": f"c-{number}", "day": "2026-11-24", "service": "civil", "due_ms": 1}
    return {**given, "state": "expected", "kind": "timed", "priority": False, "end_known": True}


def test_a_statement_is_compiled_once_for_all_connections(engine, monkeypatch):
    statement, compiled = select(literal_column("1")), []
    compile_ = Select.compile
    monkeypatch.setattr(Select, "compile", lambda self, **how: compiled.append(self) or compile_(self, **how))
    for _ in range(2):
        with closing(open_reading_connection(engine)) as connection:
            connection.compile([statement])
            assert connection.rows(statement, {}) == [(1,)]
    assert len(compiled) == 1
