"""The hub lets PostgreSQL collect statistics of its tables while a first morning fills them."""

from contextlib import closing

from hub.database.engine import open_engine
from hub.database.migration import migrate
from hub.database.statements import Connection, open_reading_connection
from hub.database.statistics import FIRST_AT, TIMES, Statistics

COUNTED = "select relname from pg_class where relkind = 'r' and relname in ('ticket', 'booking') and reltuples >= 0"


def counted(connection: Connection) -> set[str]:
    return {name for (name,) in connection.raw.execute(COUNTED)}


def how_often(connection: Connection) -> int:
    """How many times PostgreSQL has analyzed the ticket table."""
    connection.raw.execute("select pg_stat_force_next_flush()")
    connection.raw.execute("select pg_stat_clear_snapshot()")
    return int(
        connection.raw.execute("select analyze_count from pg_stat_user_tables where relname = 'ticket'").fetchone()[0]
    )


def test_tables_are_counted_first_when_there_is_something_to_count_then_ever_more_seldom(postgresql_url):
    engine = open_engine(postgresql_url)
    statistics = Statistics()
    with closing(open_reading_connection(engine)) as connection:
        before = how_often(connection)
        statistics.keep(connection, FIRST_AT - 1)
        assert (counted(connection), how_often(connection)) == (set(), before)
        for last_event in (FIRST_AT, FIRST_AT + 1, TIMES * FIRST_AT - 1):
            statistics.keep(connection, last_event)
            assert counted(connection) == {"ticket", "booking"}
            assert how_often(connection) == before + 1
        together = "select count(distinct xmin::text) from pg_class where relname in ('ticket', 'booking')"
        assert connection.raw.execute(together).fetchone() == (1,), "or the writer plans anew after each table"
        statistics.keep(connection, TIMES * FIRST_AT)
        assert how_often(connection) == before + 2
    engine.dispose()


def test_sqlite_needs_no_counting(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/hub.db")
    migrate(engine)
    with closing(open_reading_connection(engine)) as connection:
        Statistics().keep(connection, FIRST_AT)
        assert connection.raw.execute("select name from sqlite_master where name like 'sqlite_stat%'").fetchall() == []
    engine.dispose()
