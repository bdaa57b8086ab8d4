"""Fresh databases for tests and benchmarks: SQLite in a folder, PostgreSQL from Debian's packages.

The fixtures `database_url` and `engine` run a test on both (`empty_…`: without tables). They use two plain functions:
`sqlite_url` and `postgresql_server`.
"""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from hub.database.engine import open_engine
from hub.database.migration import migrate
from hub.database.tables import Base

TEMPLATE = "suivant_template"
# Deletes all rows except those that the migrations write; children before their parents.
_EMPTY = "; ".join(f"delete from {table.name}" for table in reversed(Base.metadata.sorted_tables))  # noqa: S608 - ours
_END_OTHERS = """
select pg_terminate_backend(pid, 10000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
# A database is not lent again if a test changed its tables (their columns, defaults, indexes, constraints, triggers,
# rights or functions, or their revision), or if deleted rows take up more than this.
_LEFT_MOST_BYTES = 2 * 1024 * 1024
_SIZE_AND_TABLES = """
select pg_database_size(current_database()), md5(string_agg(concat_ws(' ', relname, relkind, relacl, relpersistence,
    (select string_agg(attname || atttypid || attnotnull || atthasdef, ',' order by attnum) from pg_attribute
        where attrelid = pg_class.oid and attnum > 0),
    (select pg_get_indexdef(indexrelid) from pg_index where indexrelid = pg_class.oid),
    (select string_agg(concat(tgname, tgenabled), ',' order by tgname) from pg_trigger where tgrelid = pg_class.oid
        and not tgisinternal),
    (select version_num from alembic_version),
    (select count(*) from pg_proc where pronamespace = relnamespace),
    (select count(*) from pg_constraint where conrelid = pg_class.oid)), ';' order by relname))
from pg_class where relnamespace = 'public'::regnamespace
"""
# Enough for a cold start on a busy machine; a broken server exits long before.
START_LIMIT_S = 60


@dataclass
class PostgresqlServer:
    """A running server, reached through its socket in `folder`. `process` is its postmaster."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    _numbers: Iterator[int] = field(default_factory=count)
    _emptied: list[str] = field(default_factory=list)
    # The template's size in bytes, and a fingerprint of its tables.
    _made: tuple[int, str] = (0, "")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://suivant@/{database}?host={self.folder}"

    def new_database(self, *, template: str = TEMPLATE, tablespace: str = "pg_default") -> str:
        """The address of a fresh database with the tables, or without any for `template0`."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f"create database {name} template {template} tablespace {tablespace}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, ending the connections that are left."""
        self.execute(f"drop database if exists {make_url(url).database} with (force)")

    @contextmanager
    def lent_database(self) -> Iterator[str]:
        """The address of a database with the tables and no rows, as good as a fresh one.

        Making a database takes twenty times as long as emptying it.
        """
        url = self._emptied.pop() if self._emptied else self.new_database()
        yield url
        if self._empty(str(make_url(url).database)):
            self._emptied.append(url)
        else:
            self.drop_database(url)

    def make_template(self) -> None:
        self.execute(f"create database {TEMPLATE} template template0")
        _migrate(self.url(TEMPLATE))
        with self._connect(TEMPLATE) as connection:
            self._made = _size_and_tables(connection)

    def execute(self, statement: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(statement.encode())

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Freeze the server as a machine hangs: connections stay, data sent is acknowledged, nothing is answered."""
        pid = self.process.pid
        # The postmaster first, so that it starts no more children.
        self.process.send_signal(signal.SIGSTOP)
        all_of_them = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]
        for each in all_of_them:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in all_of_them:
                os.kill(each, signal.SIGCONT)

    def _connect(self, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(f"host={self.folder} user=suivant dbname={database}", autocommit=True)

    def _empty(self, database: str) -> bool:
        """Empty the database; False if it cannot be restored to how it was made."""
        with suppress(psycopg.Error), self._connect(database) as connection:
            connection.execute(_END_OTHERS)
            connection.execute(_EMPTY.encode())
            size, tables = _size_and_tables(connection)
            return size <= self._made[0] + _LEFT_MOST_BYTES and tables == self._made[1]
        return False


def sqlite_url(folder: Path, *, empty: bool = False) -> str:
    """The address of a fresh SQLite file in `folder`, with the tables unless `empty`."""
    file = folder / "suivant.db"
    if not empty:
        file.touch(mode=0o600)
        file.write_bytes(_sqlite_with_tables())
    return f"sqlite:///{file}"


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[PostgresqlServer]:
    """Run a separate server, as another user if we are root; stop it at the end.

    `durable`: wait for the disk at each commit, as a real server does. A benchmark must; a test need not.
    """
    programs = programs_folder()
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="suivant-pg-", dir="/tmp"))
    try:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        become = [] if os.geteuid() else ["--reuid", owner.pw_name, "--regid", str(owner.pw_gid), "--clear-groups"]
        initdb = [programs / "initdb", "--pgdata", data, "--username=suivant", "--auth=trust", "--no-sync"]
        subprocess.run(
            ["setpriv", *become, *initdb, "--encoding=UTF8", "--locale=C.UTF-8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        if not durable:
            settings += ["-c", "fsync=off"]
        # The server ends with this process, even if that is killed.
        start = ["setpriv", "--pdeathsig", "INT", *become, programs / "postgres", "-D", data, *settings]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(start, stdout=log, stderr=log, cwd="/")
        server = PostgresqlServer(folder, process)
        try:
            _wait_until_it_answers(server)
            server.make_template()
            yield server
        finally:
            process.send_signal(2)
            process.wait(START_LIMIT_S)
    finally:
        shutil.rmtree(folder)


@cache
def _sqlite_with_tables() -> bytes:
    """The content of a SQLite file with the tables, made once: the migrations take longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="suivant-sqlite-") as folder:
        file = Path(folder) / "suivant.db"
        _migrate(f"sqlite:///{file}")
        return file.read_bytes()


def _size_and_tables(connection: "psycopg.Connection[tuple[Any, ...]]") -> tuple[int, str]:
    found = connection.execute(_SIZE_AND_TABLES).fetchone()
    assert found is not None
    return found[0], found[1]


def _migrate(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


def programs_folder() -> Path:
    """The folder of the newest of Debian's servers, which are not on the path; else of the one on the path.

    Raises FileNotFoundError.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda each: int(each.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("postgres")
    if found is None:
        raise FileNotFoundError("no PostgreSQL server is installed: apt-get install postgresql")
    return Path(found).parent


def _owner() -> pwd.struct_passwd:
    """The user that runs the server; not root, whom PostgreSQL refuses."""
    if os.geteuid():
        return pwd.getpwnam(getpass.getuser())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _wait_until_it_answers(server: PostgresqlServer) -> None:
    until = time.monotonic() + START_LIMIT_S
    while True:
        try:
            server.execute("select 1")
            return
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((server.folder / "log").read_text()) from None
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for each run of pytest."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> Iterator[str]:
    """A fresh PostgreSQL database with the tables, which nobody has used before."""
    url = postgresql.new_database()
    yield url
    postgresql.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database with the tables, on SQLite and on PostgreSQL."""
    yield from _fresh(request, tmp_path, empty=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database without tables, on SQLite and on PostgreSQL."""
    yield from _fresh(request, tmp_path, empty=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database with the tables, on SQLite and on PostgreSQL."""
    yield from _opened(database_url)


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a fresh SQLite database with the tables, for tests that need only one of the two."""
    yield from _opened(sqlite_url(tmp_path))


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database without tables, on SQLite and on PostgreSQL."""
    yield from _opened(empty_database_url)


def _opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def _fresh(request: pytest.FixtureRequest, folder: Path, *, empty: bool) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite_url(folder, empty=empty)
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    if not empty:
        with server.lent_database() as url:
            yield url
        return
    url = server.new_database(template="template0")
    yield url
    server.drop_database(url)
