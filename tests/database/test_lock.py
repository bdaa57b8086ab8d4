import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hub.database.engine import open_engine
from hub.database.faults import DatabaseMissing, DatabaseNotWritable, DatabaseReplaced, SiteTaken
from hub.database.lock import hold_site, site_key
from hub.database.migration import migrate
from tests.databases import PostgresqlServer

HOLDER = """
import sys
from hub.database.engine import open_engine
from hub.database.lock import hold_site
lock = hold_site(open_engine(sys.argv[1]), "mairie")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_hub_of_a_site_is_refused_with_what_to_do(engine: Engine) -> None:
    lock = hold_site(engine, "mairie")
    with pytest.raises(SiteTaken, match=r"another hub already serves site mairie .* stop it first"):
        hold_site(engine, "mairie")
    assert lock.check()
    lock.release()
    hold_site(engine, "mairie").release()


def test_hubs_of_two_sites_do_not_meet(engine: Engine) -> None:
    locks = [hold_site(engine, "mairie"), hold_site(engine, "annexe")]
    for lock in locks:
        lock.release()


def test_a_hub_that_was_killed_leaves_no_lock(database_url: str) -> None:
    engine = open_engine(database_url)
    command = [sys.executable, "-c", HOLDER, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(SiteTaken):
            hold_site(engine, "mairie")
        other.kill()
    if engine.dialect.name == "postgresql":
        _wait_until_the_server_noticed(engine)
    hold_site(engine, "mairie").release()
    engine.dispose()


def _wait_until_the_server_noticed(engine: Engine) -> None:
    """The server releases a dead client's lock at once, but only after the client has ended."""
    with engine.connect() as connection:
        connection.execute(text("set lock_timeout = '20s'"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": site_key("mairie")})


def test_the_sqlite_lock_names_the_process_that_has_it_and_not_the_one_before(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    hold_site(engine, "mairie").release()
    lock = hold_site(engine, "mairie")
    with pytest.raises(SiteTaken, match=rf"\(process {os.getpid()}\)"):
        hold_site(engine, "mairie")
    lock.release()


def test_the_lock_file_is_nobody_elses_to_read(tmp_path: Path) -> None:
    lock = hold_site(open_engine(f"sqlite:///{tmp_path / 'suivant.db'}"), "mairie")
    assert (tmp_path / "suivant.db.mairie.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_a_lock_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    (tmp_path / "suivant.db.mairie.lock").mkdir()
    with pytest.raises(DatabaseNotWritable, match=r"its lock file .*mairie\.lock: Is a directory"):
        hold_site(engine, "mairie")


def test_a_lock_that_the_server_dropped_is_noticed_and_taken_again(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    engine = open_engine(postgresql_url)
    lock = hold_site(engine, "mairie")
    _end_sessions(postgresql, engine)
    assert not lock.check()
    assert lock.check()
    with pytest.raises(SiteTaken):
        hold_site(engine, "mairie")
    lock.release()
    engine.dispose()


def test_a_lock_that_another_hub_took_meanwhile_is_said(postgresql: PostgresqlServer, postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    lock = hold_site(engine, "mairie")
    _end_sessions(postgresql, engine)
    other = hold_site(engine, "mairie")
    with pytest.raises(SiteTaken):
        lock.check()
    other.release()
    engine.dispose()


def test_a_lock_on_a_database_that_went_away_says_so(postgresql: PostgresqlServer, postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    lock = hold_site(engine, "mairie")
    postgresql.drop_database(postgresql_url)
    with pytest.raises(DatabaseMissing):
        lock.check()
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a file that does not exist yet, as at a first start."""
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    yield engine
    engine.dispose()


def test_a_file_that_was_moved_or_deleted_under_a_hub_is_said(sqlite_engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    lock = hold_site(sqlite_engine, "mairie")
    migrate(sqlite_engine)
    assert lock.check()
    file.rename(tmp_path / "moved.db")
    with pytest.raises(DatabaseReplaced, match=rf"{file} is not the one .*it is gone.* put that one back"):
        lock.check()
    (tmp_path / "moved.db").rename(file)
    assert lock.check()
    lock.release()


def test_a_file_that_another_was_put_in_place_of_is_said(sqlite_engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    migrate(sqlite_engine)
    lock = hold_site(sqlite_engine, "mairie")
    shutil.copy(file, tmp_path / "copy.db")
    (tmp_path / "copy.db").rename(file)
    with pytest.raises(DatabaseReplaced, match="another file is in its place"):
        lock.check()
    lock.release()


def test_no_empty_file_is_made_beside_the_log_of_one_that_was_moved(sqlite_engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    migrate(sqlite_engine)
    with sqlite_engine.connect() as reading:
        reading.exec_driver_sql("select 1 from site")
        file.rename(tmp_path / "moved.db")
        again = open_engine(f"sqlite:///{file}")
        with pytest.raises(DatabaseReplaced, match=r"it is gone, but suivant\.db-wal still has the last changes"):
            migrate(again)
        again.dispose()
        assert not file.exists()
        (tmp_path / "moved.db").rename(file)


def test_a_link_that_is_turned_elsewhere_leads_no_connection_to_another_file(tmp_path: Path) -> None:
    link, first, second = (tmp_path / name for name in ("suivant.db", "first.db", "second.db"))
    link.symlink_to(first)
    engine = open_engine(f"sqlite:///{link}")
    migrate(engine)
    second.touch()
    link.unlink()
    link.symlink_to(second)
    engine.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql("select 1 from site")
    engine.dispose()


def _end_sessions(server: PostgresqlServer, engine: Engine) -> None:
    ending = "select pg_terminate_backend(pid) from pg_stat_activity where datname ="
    server.execute(f"{ending} '{engine.url.database}'")
