from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from hub.database.engine import first_generation, open_engine, renew_generation
from hub.database.faults import DatabaseMissing, DatabaseNewer, DatabaseOlder
from hub.database.migration import FOLDER, UPGRADE_LOCK, check, config, head, migrate, revisions
from hub.database.tables import Base
from tests.databases import PostgresqlServer

# Columns one by one, because SQLite keeps the text of `create table`, and a column added later comes last in it.
SQLITE_SCHEMA = """
    select tables.name, columns.name, type || "notnull" || coalesce(dflt_value, '') || pk
    from (select name from sqlite_master where type = 'table') as tables, pragma_table_info(tables.name) as columns
    union all select tables.name, keys."from", keys."table" || keys."to"
    from (select name from sqlite_master where type = 'table') as tables, pragma_foreign_key_list(tables.name) as keys
    union all select type, name, sql from sqlite_master where type <> 'table' and sql is not null
"""
POSTGRESQL_SCHEMA = """
    select table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
    from information_schema.columns where table_schema = 'public'
    union all select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
    union all select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'public'::regnamespace
"""
# Longer than `busy_timeout_s`.
WAITED_LONGER = """
    select count(*) from pg_stat_activity
    where wait_event = 'advisory' and clock_timestamp() - query_start > interval '200 ms'
"""
# A morning's rows as the version before the login left them.
OF_0002 = (
    """insert into desk (site, name, mode, pausing, closing, since_ms, last_call_ms)
    values ('mairie', 'desk-1', 'open', true, false, 5, 7), ('mairie', 'desk-2', 'closed', false, false, 1, 0)""",
    """insert into ticket (site, id, day, service, series, number, state, kind, due_ms, priority, code, issued_ms,
    desk, call, called_ms, end_known) values
    ('mairie', 1, '2026-11-24', 'civil', 'A', 1, 'called', 'open', 3, false, 'code-1', 3, 'desk-1', 2, 7, true)""",
    """insert into ticket_event (site, id, ticket, event, to_state, at_ms, source, actor, desk, data)
    values ('mairie', 1, 1, 'issue', 'waiting', 3, 'dispenser', 'printer-1', null, '{}'),
    ('mairie', 2, 1, 'call', 'called', 7, 'page', '', 'desk-1', '{"desk": "desk-1"}')""",
)


def schema(engine: Engine) -> set[tuple[str, str, str]]:
    """What the database's catalogue says of its tables, including partial indexes and defaults."""
    query = SQLITE_SCHEMA if engine.dialect.name == "sqlite" else POSTGRESQL_SCHEMA
    with engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    squeezed = ((kind, name, "".join(sql.replace("(false)", "false").split())) for kind, name, sql in rows)
    return {row for row in squeezed if "alembic" not in row[0] + row[1]}


def test_the_migrated_database_has_the_tables_of_the_code_and_no_others(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    migrated = schema(engine)
    with engine.execution_options(write=True).begin() as connection:
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    assert migrated == schema(engine)


def test_the_revisions_are_those_that_alembic_walks() -> None:
    walked = [script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()]
    assert revisions() == walked[::-1]


def test_a_second_upgrade_changes_nothing(engine: Engine) -> None:
    before = schema(engine)
    assert migrate(engine) == head() == check(engine)
    assert schema(engine) == before


def test_a_database_made_by_a_later_version_is_refused(engine: Engine) -> None:
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    for use in (migrate, check):
        with pytest.raises(DatabaseNewer, match=r"later version of Suivant .*revision 9999"):
            use(engine)


def test_a_check_says_that_an_empty_database_needs_an_upgrade(empty_engine: Engine) -> None:
    with empty_engine.connect():  # SQLite creates the file at the first connection
        pass
    with pytest.raises(DatabaseOlder, match="suivant database upgrade"):
        check(empty_engine)


def test_a_check_does_not_make_a_file(tmp_path: Path) -> None:
    file = tmp_path / "not-there.db"
    with pytest.raises(DatabaseMissing, match=r"not-there\.db does not exist"):
        check(open_engine(f"sqlite:///{file}"))
    assert not file.exists()


def test_a_migration_that_fails_leaves_nothing_behind(empty_engine: Engine) -> None:
    with empty_engine.execution_options(write=True).begin() as connection:
        connection.execute(text("create table ticket (in_the_way integer)"))
    with pytest.raises(Exception, match="ticket"):
        migrate(empty_engine)
    with empty_engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
    names = {name for _kind, name, _sql in schema(empty_engine)}
    assert "counter" not in names


def test_an_upgrade_waits_for_another_hubs_upgrade_however_long_that_takes(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database(template="template0")
    engine, patient = open_engine(url, busy_timeout_s=0.05), open_engine(url)
    with ThreadPoolExecutor() as threads, patient.connect() as other:
        other.execute(text("select pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        upgraded = threads.submit(migrate, engine)
        while not upgraded.done() and not other.scalar(text(WAITED_LONGER)):
            other.execute(text("select pg_stat_clear_snapshot()"))
        assert not upgraded.done(), upgraded.exception()
        other.rollback()
        assert upgraded.result() == head()
    with engine.connect() as connection:
        assert connection.scalar(text("show lock_timeout")) == "50ms"
    engine.dispose()
    patient.dispose()
    postgresql.drop_database(url)


def test_a_site_keeps_the_generation_of_its_first_start(engine: Engine) -> None:
    assert first_generation(engine, "mairie", 1_000) == 1_000
    assert first_generation(engine, "mairie", 2_000) == 1_000
    assert first_generation(engine, "annexe", 3_000) == 3_000


def test_after_a_restore_every_site_has_a_later_generation(engine: Engine) -> None:
    first_generation(engine, "mairie", 1_000)
    first_generation(engine, "annexe", 2_000)
    assert renew_generation(engine, 5_000) == 2
    assert first_generation(engine, "mairie", 9_000) == first_generation(engine, "annexe", 9_000) == 5_000
    # On a machine whose clock is behind.
    renew_generation(engine, 4_000)
    assert first_generation(engine, "mairie", 9_000) == 5_001


def test_a_database_of_0002_keeps_its_desks_tickets_and_journal_and_nobody_is_signed_on(empty_engine: Engine) -> None:
    with empty_engine.execution_options(write=True).begin() as connection:
        command.upgrade(config(connection), "0002")
        for statement in OF_0002:
            connection.execute(text(statement))
    before = read(empty_engine)
    assert migrate(empty_engine) == head()
    after = read(empty_engine)
    assert {name: [row[:-1] for row in rows] if name == "desk" else rows for name, rows in after.items()} == before
    assert [row[-1] for row in after["desk"]] == [None, None]
    with empty_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    with empty_engine.execution_options(write=True).begin() as connection:
        connection.execute(text("update desk set agent = 'anna' where name = 'desk-1'"))


def read(engine: Engine) -> dict[str, list[Any]]:
    """All rows of these tables, with their columns in the order of the database."""
    queries = {
        "desk": "select * from desk order by name",
        "ticket": "select * from ticket order by id",
        "ticket_event": "select * from ticket_event order by id",
    }
    with engine.connect() as connection:
        return {name: [tuple(row) for row in connection.execute(text(query))] for name, query in queries.items()}
