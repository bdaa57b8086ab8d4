"""The database engine: SQLite in WAL mode, or PostgreSQL through psycopg; and the writer's own connection.

An error never shows a statement's parameters: one may be a name.

Reads go through `engine.connect()`, rare writes through `engine.execution_options(write=True).begin()`. The writer
uses a driver connection of its own, see `open_driver_connection`.
"""

import contextlib
import os
import pwd
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, case, create_engine, delete, event, insert, make_url, select, update
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from hub.database.faults import (
    LEAST_FREE_BYTES,
    DatabaseNotWritable,
    DatabaseOfAnotherUser,
    DatabaseReplaced,
    DiskFull,
    FolderMissing,
    WrongAddress,
    WrongEncoding,
    faults_of,
    is_full,
    place_of,
)
from hub.database.tables import CounterRow, SiteRow

T = TypeVar("T")

# Hardly anything but the writer writes, so a longer wait for a lock means that a program hangs.
BUSY_TIMEOUT_S = 5
# The time-out for a server that does not answer: longer than the server's own time-out for a lock.
ANSWER_LIMIT_S = BUSY_TIMEOUT_S + 1
# A page holds a connection for a few seconds at most; the writer's own connection is not counted.
POOL_SIZE = 8

# For a new SQLite file. A press changes a few bytes on each of some 25 pages; with SQLite's default of 4 KB a page, its
# commit takes a fifth longer.
PAGE_BYTES = 1024

# The setting that holds the address.
_SETTING = "SUIVANT_DATABASE_URL"

# Parameters of libpq that hold secrets: they would be shown wherever the address is.
_SECRET_KEYS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})

# Names of an SQLite database that is kept in memory.
_IN_MEMORY = frozenset({None, "", ":memory:"})

DriverConnection: TypeAlias = "sqlite3.Connection | psycopg.Connection[Any]"

# Both sides notice a vanished peer after about 20 s, so that its site lock is released: by keepalives on an idle
# connection, by the user time-out if sent data is not acknowledged (Linux would retry for a quarter of an hour).
_POSTGRESQL = {
    "prepare_threshold": 0,
    "connect_timeout": BUSY_TIMEOUT_S,
    "application_name": "suivant",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_POSTGRESQL_OPTIONS = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2 -c tcp_user_timeout=20000"
)

# Checks for free disk space by a sort that exceeds its memory: it writes a temporary file as large as what a press may
# need at most. Free space inside one table's file would prove nothing, since other tables can't use it. Unlike a table,
# even a temporary one, a sort needs no privilege.
_LITTLE_MEMORY = "set local work_mem = '64kB'"
_TAKE_ROOM = (
    "select count(*) from (select lpad(n::text, 1000) as row from generate_series(1, 100) n order by row) as sorted"
)


def open_engine(address: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """The engine for `sqlite:///path` or `postgresql://…`. It connects at its first use, not here.

    `busy_timeout_s`: the longest wait for a lock or for a connection of the pool. Raises WrongAddress if the address
    is neither.
    """
    url = _parsed(address)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, busy_timeout_s)
    return _open_postgresql(url, busy_timeout_s)


def open_driver_connection(engine: Engine) -> DriverConnection:
    """A driver connection outside the pool, for one thread at a time. Whoever opens it closes it.

    sqlite3: only an explicit BEGIN (IMMEDIATE) starts a transaction. psycopg: the first statement starts one, every
    statement is prepared, and none has a time-out. On `sqlite://` (in memory) it is the engine's only connection.
    """
    with faults_of(engine):
        pooled = engine.raw_connection()
        connection: DriverConnection = pooled.driver_connection  # type: ignore[assignment]
        if not isinstance(engine.pool, StaticPool):
            pooled.detach()
        if isinstance(connection, psycopg.Connection):
            try:
                _plan_once(connection)
            except psycopg.Error:
                connection.close()
                raise
        if isinstance(connection, BoundedConnection):
            # After a time-out, an abandoned commit could still happen, or the server hold a site's lock for no hub.
            connection.answer_limit_s = None
        return connection


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server which does not answer, and is then closed.

    Such a server's machine still acknowledges what it gets, so neither keepalives nor the server's own time-outs end
    the wait. `answer_limit_s`: the time-out in seconds, None for none.
    """

    answer_limit_s: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.answer_limit_s if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - it has no public name
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise NoAnswer(f"no answer within {self.answer_limit_s:.0f} s") from None


class NoAnswer(psycopg.OperationalError):
    """The server does not answer, or a statement takes longer than anybody waits."""


@contextlib.contextmanager
def however_long(connection: object) -> Iterator[None]:
    """Within this context, statements on the driver connection have no time-out."""
    if not isinstance(connection, BoundedConnection):
        yield
        return
    before, connection.answer_limit_s = connection.answer_limit_s, None
    try:
        yield
    finally:
        connection.answer_limit_s = before


def _plan_once(connection: "psycopg.Connection[Any]") -> None:
    """Makes PostgreSQL plan each prepared statement once: planning a press costs more than running it.

    Planning took 0.45 ms and running 0.15 ms (docs/decisions/0002). Each of the writer's statements has one right plan,
    by its index, so a plan made while a table is empty must not scan it; the outbox soon renews the statistics.
    """
    for setting in ("plan_cache_mode = force_generic_plan", "enable_seqscan = off", "jit = off"):
        connection.execute(f"set {setting}".encode())
    connection.commit()


def of_one_moment(engine: Engine) -> Engine:
    """The engine for reads of several statements: all statements of a transaction see what was committed at its start.

    By default, on PostgreSQL each statement sees a later moment, and a page could give an old picture a new revision.
    """
    if engine.dialect.name == "sqlite":
        return engine  # its read transactions see one moment anyway
    return engine.execution_options(isolation_level="REPEATABLE READ")


def first_generation(engine: Engine, site: str, now_ms: int) -> int:
    """The site's generation in ms since 1970; the site's first start on this database sets it to `now_ms`."""
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        found = connection.scalar(select(SiteRow.generation_ms).where(SiteRow.site == site))
        if found is not None:
            return found
        connection.execute(insert(SiteRow).values(site=site, generation_ms=now_ms))
        return now_ms


def try_to_store(engine: Engine, site: str) -> None:
    """Stores a row and deletes it again. Raises a DatabaseFault: reading alone reveals no full disk and no standby.

    Also checks for free disk space, since on a full disk a row may still fit into an existing file, but not a press.
    """
    row = {"site": site, "day": "", "series": "try"}
    file = sqlite_file(engine)
    if file is not None and is_full(file.parent):
        raise DiskFull(str(file), f"less than {LEAST_FREE_BYTES // 1024} KiB is free")
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        connection.execute(insert(CounterRow).values(**row, last=0))
        connection.execute(delete(CounterRow).filter_by(**row))
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(_LITTLE_MEMORY)
            connection.exec_driver_sql(_TAKE_ROOM)


def renew_generation(engine: Engine, now_ms: int) -> int:
    """Starts a new generation of every site after a backup was put back, so that nodes accept its older pictures.

    Returns how many sites there are. The new generation is greater than the old one even if the clock is behind.
    """
    next_ms = case((SiteRow.generation_ms >= now_ms, SiteRow.generation_ms + 1), else_=now_ms)
    with faults_of(engine), engine.execution_options(write=True).begin() as connection:
        return connection.execute(update(SiteRow).values(generation_ms=next_ms)).rowcount


def sqlite_file(engine: Engine) -> Path | None:
    """The file of an SQLite engine; None for PostgreSQL and for a database in memory."""
    name = engine.url.database if engine.dialect.name == "sqlite" else None
    return None if name in _IN_MEMORY else Path(str(name)).resolve()


def sqlite_files(engine: Engine) -> list[Path]:
    """That file and the two that SQLite makes beside it while it is open, whether they exist or not."""
    file = sqlite_file(engine)
    return [Path(f"{file}{end}") for end in ("", "-wal", "-shm")] if file else []


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # ValueError: its port is not a number
        raise WrongAddress(_SETTING, "it cannot be read") from None
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        _refuse_all_but_a_file(url)
        return url
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        _refuse_secrets(url)
        return url.set(drivername="postgresql+psycopg")
    raise WrongAddress(_SETTING, f"{url.drivername!r} is neither sqlite nor postgresql")


def _refuse_all_but_a_file(url: URL) -> None:
    if url.host or url.username or url.password or url.port:
        raise WrongAddress(_SETTING, "an SQLite file has no host, user or password, and begins after three slashes")
    if url.query:
        raise WrongAddress(_SETTING, "an SQLite file takes no query; write a ? in its name as %3F")


def _refuse_secrets(url: URL) -> None:
    for key in _SECRET_KEYS & url.query.keys():
        where = "a password belongs in the file that SUIVANT_DATABASE_PASSWORD_FILE names"
        raise WrongAddress(_SETTING, f"{key!r} is in its query, but {where}")


def _open_postgresql(url: URL, busy_timeout_s: float) -> Engine:
    options = f"{_POSTGRESQL_OPTIONS} -c lock_timeout={round(busy_timeout_s * 1000)}"

    def connect(_dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **named)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise WrongEncoding(place_of(url), str(encoding))
        connection.answer_limit_s = ANSWER_LIMIT_S
        return connection

    try:
        engine = create_engine(
            url,
            connect_args={**_POSTGRESQL, "options": options},
            pool_size=POOL_SIZE,
            pool_timeout=busy_timeout_s,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ArgumentError:  # a wrong host or port in its query
        raise WrongAddress(_SETTING, "it cannot be read") from None
    event.listen(engine, "do_connect", connect)
    return engine


def _open_sqlite(url: URL, busy_timeout_s: float) -> Engine:
    arguments = {"isolation_level": None, "timeout": busy_timeout_s, "check_same_thread": False}
    if url.database in _IN_MEMORY:
        engine = create_engine(url, connect_args=arguments, hide_parameters=True, poolclass=StaticPool)
    else:
        # Resolved once: if a symbolic link is changed later, no connection may open another file.
        url = url.set(database=str(Path(str(url.database)).resolve()))
        engine = create_engine(
            url, connect_args=arguments, hide_parameters=True, pool_size=POOL_SIZE, pool_timeout=busy_timeout_s
        )
        event.listen(engine, "do_connect", _FileOfEngine())
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


class _FileOfEngine:
    """Creates a missing database file at the first connection, and never again: an empty one would hide a loss.

    Only this user may read the file, since it will hold visitors' names and password hashes; SQLite itself would go by
    the umask. The two files that SQLite makes beside it get the same mode.
    """

    def __init__(self) -> None:
        self._was_there = False

    def __call__(self, _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
        file = Path(arguments[0])
        if not self._was_there:
            # If it can't be created, SQLite itself reports that in a moment.
            with contextlib.suppress(OSError):
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._was_there = os.path.exists(file)  # noqa: PTH110 - Path.exists raises where it may not look
        arguments[0], options["uri"] = f"{file.as_uri()}?mode=rw", True


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=wal", "synchronous=full", "foreign_keys=on"):
        connection.execute(f"pragma {pragma}").close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that writes after another one has written fails at once, whatever the busy time-out is.
    writes = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def require_folder(engine: Engine) -> None:
    """Raises a DatabaseFault if an SQLite file cannot be opened or created; SQLite itself does not say why."""
    file = sqlite_file(engine)
    if file is None:
        return
    # From the root down, because nothing below a closed folder can be examined.
    closed = next((each for each in reversed(file.parents) if each.is_dir() and not _may(each, os.X_OK)), None)
    if closed is not None:
        raise DatabaseOfAnotherUser(str(file), f"the folder {closed} belongs to {_owner(closed)}")
    if not file.parent.is_dir():
        raise FolderMissing(str(file), f"its folder {file.parent} does not exist")
    if file.exists() and not _may(file, os.R_OK):
        raise DatabaseOfAnotherUser(str(file), f"it belongs to {_owner(file)}")
    log_file = Path(f"{file}-wal")
    if not file.exists() and log_file.exists() and log_file.stat().st_size:
        raise DatabaseReplaced(str(file), f"it is gone, but {log_file.name} still has the last changes")
    if not _may(file.parent, os.W_OK):
        raise DatabaseNotWritable(str(file), f"its folder {file.parent} is not writable")


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _owner(path: Path) -> str:
    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
