import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, select, text

from hub.database.engine import PAGE_BYTES, open_driver_connection, open_engine
from hub.database.faults import DatabaseMissing, WrongAddress, faults_of
from hub.database.tables import CounterRow


def test_an_address_of_another_kind_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(WrongAddress, match=r"neither sqlite nor postgresql.*write sqlite:///path/to/file") as caught:
        open_engine("mysql://suivant:secret@localhost/queue")
    assert "secret" not in str(caught.value)
    with pytest.raises(WrongAddress, match="cannot be read"):
        open_engine("suivant.db")


@pytest.mark.parametrize(
    "address",
    [
        "suivant:secret@localhost/queue",
        "suivant:secr/et@localhost/queue",
        "postgresql://suivant:secret",
        "postgresql://suivant:secr@secret:secret@localhost/queue",
        "postgresql://suivant@localhost:secret/queue",
        "postgresql://suivant:secret@/queue?port=secret",
        "postgresql://suivant:secret@/queue?host=/run/a&host=/run/b&port=5432",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_what_may_be_its_password(address: str) -> None:
    with pytest.raises(
        WrongAddress, match=r"SUIVANT_DATABASE_URL is not a valid database address .*cannot be read"
    ) as caught:
        open_engine(address)
    assert "secr" not in str(caught.value)


@pytest.mark.parametrize("key", ["password", "sslpassword"])
def test_a_password_in_the_query_of_an_address_is_refused_with_where_it_belongs(key: str) -> None:
    with pytest.raises(WrongAddress, match=rf"'{key}' .* SUIVANT_DATABASE_PASSWORD_FILE") as caught:
        open_engine(f"postgresql:///suivant?host=/run/postgresql&user=suivant&{key}=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sqlite:///x.db?timeout=abc", "an SQLite file takes no query"),
        ("sqlite://user:secret@host/x.db", "an SQLite file has no host"),
        ("sqlite://x.db", "an SQLite file has no host"),
    ],
)
def test_an_address_of_sqlite_that_holds_more_than_a_file_is_refused(address: str, told: str) -> None:
    with pytest.raises(WrongAddress, match=told) as caught:
        open_engine(address)
    assert "secret" not in str(caught.value)


def test_both_spellings_of_a_postgresql_address_mean_psycopg() -> None:
    for name in ("postgres", "postgresql", "postgresql+psycopg"):
        assert open_engine(f"{name}://suivant@localhost/queue").driver == "psycopg"


def test_two_threads_that_read_then_write_lose_no_update(engine: Engine) -> None:
    writing = engine.execution_options(write=True)
    with writing.begin() as connection:
        connection.execute(text("insert into counter values ('mairie', '2026-11-24', 'A', 0)"))

    def count() -> None:
        for _ in range(50):
            with writing.begin() as connection:
                last = connection.scalar(select(CounterRow.last).with_for_update())
                connection.execute(text("update counter set last = :last"), {"last": (last or 0) + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.scalar(text("select last from counter")) == 200


def test_a_rollback_takes_back_what_was_written(engine: Engine) -> None:
    with engine.execution_options(write=True).connect() as connection:
        connection.execute(text("insert into site values ('mairie', 1)"))
        connection.rollback()
        assert connection.scalar(text("select count(*) from site")) == 0


@pytest.fixture
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous_umask")
def test_a_new_sqlite_file_and_those_beside_it_are_nobody_elses_to_read(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(text("create table a (b)"))
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    assert modes == {"suivant.db": "0o600", "suivant.db-wal": "0o600", "suivant.db-shm": "0o600"}
    engine.dispose()


def test_sqlite_waits_for_the_disk_and_keeps_foreign_keys(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    writer = open_driver_connection(engine)
    with engine.connect() as connection:
        for read in (connection.exec_driver_sql, writer.execute):
            found = [read(f"pragma {name}").fetchone() for name in ("journal_mode", "synchronous", "foreign_keys")]
            assert found == [("wal",), (2,), (1,)]
    writer.close()
    engine.dispose()


def test_an_sqlite_file_keeps_the_pages_it_was_made_with(tmp_path: Path) -> None:
    earlier, new = tmp_path / "earlier.db", tmp_path / "new.db"
    with closing(sqlite3.connect(earlier)) as made:
        made.executescript("pragma page_size = 8192; create table kept (text); insert into kept values ('as it was')")
    for file, page_bytes in ((earlier, 8192), (new, PAGE_BYTES)):
        engine = open_engine(f"sqlite:///{file}")
        with engine.execution_options(write=True).begin() as connection:
            connection.execute(text("create table more (text)"))
            assert connection.execute(text("pragma page_size")).scalar_one() == page_bytes
        engine.dispose()
    with closing(sqlite3.connect(earlier)) as found:
        assert found.execute("select text from kept").fetchall() == [("as it was",)]


def test_a_file_that_went_away_is_made_anew_by_nobody(tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    engine = open_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("create table word (word text)"))
    engine.dispose()
    file.unlink()
    with pytest.raises(DatabaseMissing), faults_of(engine), engine.connect():
        pass
    with pytest.raises(DatabaseMissing):
        open_driver_connection(engine)
    assert not file.exists()


def test_the_writer_connection_begins_and_commits_by_itself(engine: Engine) -> None:
    writer = open_driver_connection(engine)
    if isinstance(writer, sqlite3.Connection):
        writer.execute("begin immediate")
    writer.execute("insert into site values ('mairie', 1)")
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from site")) == 0
    writer.commit()
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from site")) == 1
    writer.close()


def test_the_writer_connection_is_no_part_of_the_pool(engine: Engine) -> None:
    writer = open_driver_connection(engine)
    engine.dispose()
    row = writer.execute("select 1").fetchone()
    assert row is not None
    assert row[0] == 1
    writer.close()


def test_the_writer_connection_may_serve_another_thread(engine: Engine) -> None:
    writer = open_driver_connection(engine)
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(writer.execute("select 1").fetchone()))
    thread.start()
    thread.join()
    assert seen == [(1,)]
    writer.close()


def test_the_writer_prepares_each_statement_on_postgresql(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    writer = open_driver_connection(engine)
    assert isinstance(writer, psycopg.Connection)
    assert writer.prepare_threshold == 0
    assert not writer.autocommit
    writer.close()
    engine.dispose()


def test_in_memory_the_writer_and_the_readers_see_the_same_database() -> None:
    engine = open_engine("sqlite://")
    writer = open_driver_connection(engine)
    writer.execute("create table word (word text)")
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from word")) == 0
    engine.dispose()
