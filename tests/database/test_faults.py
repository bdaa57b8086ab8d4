"""What an operator reads when the database cannot be used. Every fault is real, except a refused login."""

import errno
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from sqlalchemy import Engine, text

from hub.database.backup import NoBackup, back_up
from hub.database.engine import (
    ANSWER_LIMIT_S,
    BUSY_TIMEOUT_S,
    BoundedConnection,
    first_generation,
    however_long,
    open_driver_connection,
    open_engine,
    sqlite_file,
    try_to_store,
)
from hub.database.faults import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseLocked,
    DatabaseMissing,
    DatabaseNotWritable,
    DatabaseOfAnotherUser,
    DatabaseRefusesLogin,
    DatabaseUnreachable,
    DiskFull,
    WrongEncoding,
    fault_of,
    faults_of,
    place_of,
)
from hub.database.lock import hold_site
from hub.database.migration import check, migrate
from hub.database.statements import open_reading_connection
from tests.databases import PostgresqlServer

NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "suivant-test", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("free_kib", [4, 16, 32, 76])
def test_a_full_disk_is_said_with_the_file(small_disk: Path, free_kib: int) -> None:
    file = small_disk / "suivant.db"
    (small_disk / "rest").write_bytes(bytes((512 - free_kib) * 1024))
    engine = open_engine(f"sqlite:///{file}")
    with pytest.raises(DiskFull, match=rf"the disk of the database {file} is full .* free some space"):
        migrate(engine)
    engine.dispose()


def test_a_disk_that_became_full_is_said_at_the_next_start(small_disk: Path) -> None:
    file = small_disk / "suivant.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    free = os.statvfs(small_disk)
    (small_disk / "rest").write_bytes(bytes(free.f_bavail * free.f_frsize))
    with pytest.raises(DiskFull, match=str(file)):
        first_generation(engine, "mairie", 1)
    engine.dispose()


def fill(folder: Path) -> Path:
    """Fill the file system to its last byte; return the file that does so."""
    rest = folder / "rest"
    with suppress(OSError), rest.open("wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass
    return rest


def test_a_trial_finds_no_room_on_a_full_disk_though_a_row_fits_into_the_log_of_sqlite(small_disk: Path) -> None:
    engine = open_engine(f"sqlite:///{small_disk / 'suivant.db'}")
    migrate(engine)
    rest = fill(small_disk)
    with pytest.raises(DiskFull):
        try_to_store(engine, "mairie")
    rest.unlink()
    try_to_store(engine, "mairie")
    engine.dispose()


def test_a_trial_finds_no_room_on_a_full_disk_though_a_row_fits_into_a_page_of_postgresql(
    postgresql: PostgresqlServer,
) -> None:
    folder = postgresql.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "suivant-test", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    owner = postgresql.folder.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    postgresql.execute(f"create tablespace small location '{folder}'")
    url = postgresql.new_database(tablespace="small")
    engine = open_engine(url)
    try:
        try_to_store(engine, "mairie")
        rest = fill(folder)
        with pytest.raises(DiskFull, match="free some space"):
            try_to_store(engine, "mairie")
        rest.unlink()
        try_to_store(engine, "mairie")
    finally:
        engine.dispose()
        postgresql.drop_database(url)
        postgresql.execute("drop tablespace small")
        subprocess.run(["umount", str(folder)], check=True)


def test_a_trial_needs_no_right_that_a_press_does_not_need(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    owners = open_engine(url)
    postgresql.execute(f"revoke temporary on database {owners.url.database} from public")
    postgresql.execute("create role clerk login")
    with owners.begin() as connection:
        connection.execute(text("grant select, insert, update, delete on all tables in schema public to clerk"))
    engine = open_engine(url.replace("suivant@", "clerk@"))
    try:
        try_to_store(engine, "mairie")
    finally:
        engine.dispose()
        owners.dispose()
        postgresql.drop_database(url)
        postgresql.execute("drop role clerk")


def test_a_database_that_may_not_grow_is_said_as_a_full_disk(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    migrate(engine)
    writer = open_driver_connection(engine)
    assert isinstance(writer, sqlite3.Connection)
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError) as caught:
        writer.execute("insert into request values ('mairie', 'id', 0, ?)", ["x" * 100_000])
    assert isinstance(fault_of(caught.value, place_of(engine.url)), DiskFull)
    writer.close()
    engine.dispose()


def test_a_disk_too_full_for_a_lock_file_is_said_by_what_comes_after_it(small_disk: Path) -> None:
    file = small_disk / "suivant.db"
    (small_disk / "rest").write_bytes(bytes(512 * 1024))
    engine = open_engine(f"sqlite:///{file}")
    lock = hold_site(engine, "mairie")
    with pytest.raises(DiskFull, match=rf"the disk of the database {file} is full .* free some space"):
        migrate(engine)
    lock.release()
    engine.dispose()


@pytest.fixture
def sound_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'suivant.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def test_a_full_disk_of_a_copy_is_not_said_of_the_database(small_disk: Path, sound_engine: Engine) -> None:
    copy = small_disk / "copy.db"
    (small_disk / "rest").write_bytes(bytes(480 * 1024))
    with pytest.raises(
        NoBackup, match=rf"{copy} cannot be written \(database or disk is full\): free some space there"
    ):
        back_up(sound_engine, copy)
    assert not copy.exists()


def test_a_disk_that_fails_under_a_copy_is_not_said_of_the_database(tmp_path: Path, sound_engine: Engine) -> None:
    copy = tmp_path / "copy.db"
    with files_of_at_most(48 * 1024), pytest.raises(NoBackup, match=rf"{copy} cannot be written \(disk I/O error\)"):
        back_up(sound_engine, copy)
    assert not copy.exists()


@pytest.fixture(params=["hard links", "none"])
def either_file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as on a FAT file system

    if request.param == "none":
        monkeypatch.setattr(os, "link", refused)


@pytest.mark.usefixtures("either_file_system")
def test_a_copy_has_its_name_once_it_is_whole_and_not_before(
    tmp_path: Path, sound_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, part = tmp_path / "copy.db", tmp_path / "copy.db.part"
    there: list[bool] = []

    def killed(*_: object) -> None:
        there.extend([copy.exists(), part.exists()])
        assert part.stat().st_mode & 0o777 == 0o600
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("hub.database.backup._copy", killed)
        with pytest.raises(KeyboardInterrupt):
            back_up(sound_engine, copy)
    assert there == [False, True]
    assert not part.exists()
    assert back_up(sound_engine, copy) == copy.stat().st_size > 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not part.exists()


def test_what_is_left_of_a_copy_that_was_killed_is_named_and_not_overwritten(
    tmp_path: Path, sound_engine: Engine
) -> None:
    part = tmp_path / "copy.db.part"
    part.write_text("half")
    with pytest.raises(
        NoBackup, match=rf"{part} exists: another backup is running, or one was interrupted.* delete this file"
    ):
        back_up(sound_engine, tmp_path / "copy.db")
    assert part.read_text() == "half"


@pytest.mark.parametrize("step", ["link", "rename", "unlink"])
def test_a_copy_that_is_killed_as_it_gets_its_name_is_whole_or_not_there(
    step: str, tmp_path: Path, sound_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    copy = tmp_path / "copy.db"
    with monkeypatch.context() as broken, suppress(KeyboardInterrupt):
        broken.setattr(os, step, killed)
        back_up(sound_engine, copy)
    assert copy.exists() == (step != "link")
    if copy.exists():
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("select * from site")


@pytest.mark.usefixtures("either_file_system")
def test_what_came_to_be_while_a_copy_was_made_is_not_overwritten(
    tmp_path: Path, sound_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    monkeypatch.setattr("hub.database.backup._copy", lambda *_: copy.write_text("somebody else's"))
    with pytest.raises(NoBackup, match=rf"{copy} exists already"):
        back_up(sound_engine, copy)
    assert copy.read_text() == "somebody else's"
    assert not (tmp_path / "copy.db.part").exists()


@contextmanager
def files_of_at_most(most_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_locked_database_is_said_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    engine = open_engine(f"sqlite:///{file}", busy_timeout_s=0)
    migrate(engine)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(DatabaseLocked, match=rf"{file} is locked by another program .* end that program"):
        first_generation(engine, "mairie", 1)
    other.close()
    engine.dispose()


def test_a_table_that_another_program_holds_is_said(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url, busy_timeout_s=0.05)
    other = open_driver_connection(engine)
    other.execute("lock table site")
    with pytest.raises(DatabaseLocked, match=r"is locked by another program .* end that program"):
        first_generation(engine, "mairie", 1)
    other.close()
    engine.dispose()


def test_nobody_waits_longer_for_a_lock_of_postgresql_than_for_one_of_sqlite(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        assert connection.scalar(text("show lock_timeout")) == f"{BUSY_TIMEOUT_S}s"
    engine.dispose()


def test_a_database_all_of_whose_connections_wait_is_said(database_url: str) -> None:
    engine = open_engine(database_url, busy_timeout_s=0.05)
    with pytest.raises(DatabaseBusy, match=r"keeps the hub waiting .* end the program that holds it") as caught:
        take_every_connection(engine)
    assert "sqlalche.me" not in str(caught.value)
    engine.dispose()


def take_every_connection(engine: Engine) -> NoReturn:
    with faults_of(engine), ExitStack() as taken:
        while True:
            taken.enter_context(engine.connect())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/not-there/suivant.db")
    with pytest.raises(DatabaseMissing, match=r"its folder .*/not-there does not exist"):
        migrate(engine)


@contextmanager
def only_reading(folder: Path, own: int = 0o555) -> Iterator[None]:
    """Act as a user who may not write in `folder` or above, and may read `folder` if its mode `own` allows it."""
    above = [each for each in folder.parents if each.stat().st_uid == os.geteuid() and each != Path("/")]
    modes = [(each, each.stat().st_mode) for each in (*above, folder)]
    for each, mode in modes:
        each.chmod(own if each == folder else mode | 0o055)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for each, mode in modes:
            each.chmod(mode)


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/suivant.db")
    with only_reading(tmp_path), pytest.raises(DatabaseNotWritable, match=f"its folder {tmp_path} is not writable"):
        migrate(engine)


def test_a_file_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    file.chmod(0o644 if os.geteuid() == 0 else 0o444)
    with only_reading(tmp_path), pytest.raises(DatabaseNotWritable, match="allow the hub's user to write to it"):
        migrate(engine)


def test_a_file_of_another_user_is_said_to_be_theirs_and_not_to_be_missing(tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    if os.geteuid():
        file.chmod(0)
    with only_reading(tmp_path), pytest.raises(DatabaseOfAnotherUser, match=r"it belongs to .*sudo -u"):
        check(engine)


@pytest.mark.parametrize("file", ["suivant.db", "kept/suivant.db"])
def test_a_folder_that_only_another_user_may_enter_is_said_to_be_theirs(tmp_path: Path, file: str) -> None:
    state = tmp_path / "state"
    (state / file).parent.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{state / file}")
    migrate(engine)
    engine.dispose()
    theirs = pytest.raises(DatabaseOfAnotherUser, match=rf"the folder {state} belongs to .*sudo -u")
    with only_reading(state, 0o600), theirs:
        check(engine)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    file = tmp_path / "suivant.db"
    file.write_text("Dear diary, " * 1_000)
    with pytest.raises(DatabaseDamaged, match=r"is damaged, or is not a database .* restore a backup"):
        migrate(open_engine(f"sqlite:///{file}"))


def test_a_database_that_the_server_does_not_have_is_said(postgresql: PostgresqlServer) -> None:
    with pytest.raises(DatabaseMissing, match=r"/nowhere.* does not exist .*create it"):
        migrate(open_engine(postgresql.url("nowhere")))


@pytest.mark.parametrize("use", [check, migrate, open_driver_connection])
def test_a_database_without_an_encoding_is_said_whatever_asks_first(
    postgresql: PostgresqlServer, use: Callable[[Engine], object]
) -> None:
    postgresql.execute("create database bytes template template0 encoding 'SQL_ASCII' locale 'C'")
    engine = open_engine(postgresql.url("bytes"))
    try:
        with pytest.raises(WrongEncoding, match=r"/bytes\S* is not in UTF-8 \(SQL_ASCII\): create .* --encoding=UTF8"):
            use(engine)
    finally:
        engine.dispose()
        postgresql.drop_database(postgresql.url("bytes"))


@pytest.mark.parametrize(
    "cause",
    [
        'FATAL:  password authentication failed for user "suivant"',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.5", user "suivant", database "suivant", SSL encryption',
        "fe_sendauth: no password supplied",
    ],
)
def test_a_server_that_refuses_the_login_is_not_said_to_be_silent(cause: str) -> None:
    error = psycopg.OperationalError(f'connection to server at "10.0.0.1", port 5432 failed: {cause}')
    with pytest.raises(DatabaseRefusesLogin, match=r"refuses the login .* SUIVANT_DATABASE_PASSWORD_FILE names"):
        raise fault_of(error, "postgresql://suivant@10.0.0.1/suivant")


def test_a_server_that_does_not_answer_is_said_without_the_password(tmp_path: Path) -> None:
    engine = open_engine(f"postgresql://suivant:secret@/suivant?host={tmp_path}")
    with pytest.raises(DatabaseUnreachable, match=r"does not answer .*start it") as caught:
        check(engine)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (
            "postgresql://anna:secret@/suivant?host=/run/pg&port=5433&passfile=/home/anna/secret",
            "postgresql://anna:***@/suivant?host=/run/pg&port=5433",
        ),
        (
            "postgresql://anna@/suivant?host=db-1:5433&host=10.0.0.2:5434",
            "postgresql://anna@/suivant?host=db-1:5433&host=10.0.0.2:5434",
        ),
        ("postgresql://anna:secret@db.example:5433/suivant", "postgresql://anna:***@db.example:5433/suivant"),
        ("postgresql://anna@/suivant?host=/run/the%26%20pg%25", "postgresql://anna@/suivant?host=/run/the%26+pg%25"),
    ],
)
def test_a_database_is_named_as_in_its_setting_with_nothing_else_of_its_query(address: str, place: str) -> None:
    assert place_of(open_engine(address).url) == place


def test_a_table_that_may_not_be_written_is_said(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        connection.execute(text("set transaction read only"))
        with pytest.raises(DatabaseNotWritable, match="cannot be written"), faults_of(engine):
            connection.execute(text("insert into site values ('mairie', 1)"))
    engine.dispose()


def test_the_file_of_an_engine_is_known(engine: Engine) -> None:
    file = sqlite_file(engine)
    assert (file is None) == (engine.dialect.name == "postgresql")


def give_up_after(limit_s: float, *connections: object) -> None:
    """Shorten the time-out of open connections; opening one may take longer than that on a busy machine."""
    for each in connections:
        assert isinstance(each, BoundedConnection)
        assert each.answer_limit_s == ANSWER_LIMIT_S
        each.answer_limit_s = limit_s


def test_a_server_that_stands_still_is_given_up_by_who_reads_and_found_again(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    engine = open_engine(postgresql_url)
    reading = open_reading_connection(engine)
    with engine.connect() as pooled:
        pooled.execute(text("select 1"))
        give_up_after(1, pooled.connection.driver_connection, reading.raw)
        with postgresql.standing_still():
            with pytest.raises(DatabaseUnreachable, match="no answer within 1 s"), faults_of(engine):
                pooled.execute(text("select 1"))
            with pytest.raises(DatabaseUnreachable, match="no answer within 1 s"), faults_of(engine):
                reading.raw.execute("select 1")
            with pytest.raises(DatabaseUnreachable), faults_of(engine), engine.connect():
                pass
    with engine.connect() as pooled:
        assert pooled.scalar(text("select 1")) == 1
    assert reading.raw.closed
    engine.dispose()


def test_who_writes_waits_for_a_server_that_stands_still_as_its_commit_may_yet_be_done(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    engine = open_engine(postgresql_url)
    writer = open_driver_connection(engine)
    with engine.connect() as pooled, ThreadPoolExecutor() as threads:
        pooled.execute(text("select 1"))
        give_up_after(1, pooled.connection.driver_connection)
        with postgresql.standing_still():
            done = threads.submit(writer.execute, "insert into site values ('mairie', 1)")
            with pytest.raises(DatabaseUnreachable), faults_of(engine):
                pooled.execute(text("select 1"))
            assert not done.done()
        done.result()
        writer.commit()
    writer.close()
    engine.dispose()


def test_what_may_take_long_is_waited_for(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        give_up_after(0.2, driver)
        with however_long(driver):
            connection.execute(text("select pg_sleep(0.5)"))
        with pytest.raises(DatabaseUnreachable), faults_of(engine):
            connection.execute(text("select pg_sleep(0.5)"))
    engine.dispose()
