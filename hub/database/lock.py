"""One hub serves a site: a second one refuses to start.

On PostgreSQL a session's advisory lock, which falls with its connection; on SQLite a locked file beside the
database's, which falls with the process. Neither is left behind by a crash.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import psycopg
from sqlalchemy import Engine, inspect, select

from hub.database.engine import open_driver_connection, require_folder, sqlite_file
from hub.database.faults import (
    DatabaseFault,
    DatabaseNotWritable,
    DatabaseReplaced,
    SiteTaken,
    fault_of,
    faults_of,
    place_of,
)
from hub.database.tables import SiteRow


class SiteLock(Protocol):
    """Held from `hold_site` until `release`, or until the database drops it."""

    def check(self) -> bool:
        """Whether it was held without a break since the last check; call it about once a second.

        False: the database had dropped it and it is held anew. Raises SiteTaken where another hub was faster,
        DatabaseReplaced where the file is no longer the one that was there at the first check, another DatabaseFault
        where the database is away.
        """
        ...

    def release(self) -> None: ...


def hold_site(engine: Engine, site: str) -> SiteLock:
    """Takes the site for this hub; to be done before anything is written, an upgrade too.

    Raises SiteTaken where another hub has it, or another DatabaseFault.
    """
    if engine.dialect.name == "postgresql":
        return _PostgresqlLock(engine, site)
    require_folder(engine)
    file = sqlite_file(engine)
    return _FileLock(f"{file}.{site}.lock", site, file) if file else _NoLock()


@contextlib.contextmanager
def hold_all_sites(engine: Engine, *, but: str = "") -> Iterator[None]:
    """No hub is at work on this database meanwhile. `but`: a site that the caller holds already.

    Raises SiteTaken where one is, or another DatabaseFault.
    """
    with faults_of(engine), engine.connect() as connection:
        is_empty = not inspect(connection).has_table(SiteRow.__tablename__)
        sites = [] if is_empty else connection.scalars(select(SiteRow.site)).all()
    with contextlib.ExitStack() as held:
        for site in sites:
            if site != but:
                held.callback(hold_site(engine, site).release)
        yield


def site_key(site: str) -> int:
    """The advisory lock's number for a site: 64 bits, signed."""
    digest = hashlib.blake2b(site.encode(), digest_size=8, person=b"suivant").digest()
    return int.from_bytes(digest, "big", signed=True)


class _PostgresqlLock:
    def __init__(self, engine: Engine, site: str) -> None:
        self._engine = engine
        self._site = site
        self._connection = self._take()

    def check(self) -> bool:
        try:
            self._connection.execute("select 1")
            return True
        except psycopg.Error:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = self._take()
        return False

    def release(self) -> None:
        # Said and answered: a server sees the end of a connection only some time after its client.
        with contextlib.suppress(psycopg.Error):
            self._connection.execute("select pg_advisory_unlock_all()")
        self._connection.close()

    def _take(self) -> "psycopg.Connection[Any]":
        connection = open_driver_connection(self._engine)
        assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the engine's dialect says so
        try:
            connection.autocommit = True
            row = connection.execute("select pg_try_advisory_lock(%s)", [site_key(self._site)]).fetchone()
        except psycopg.Error as error:
            connection.close()
            raise fault_of(error, place_of(self._engine.url)) from error
        if row is not None and row[0]:
            return connection
        connection.close()
        raise SiteTaken(place_of(self._engine.url), f"site {self._site}")


class _FileLock:
    """Watches the database's file too: one that was moved away is written on, by whoever has it open, and read by
    nobody else.
    """

    def __init__(self, path: str, site: str, database: Path) -> None:
        place = str(database)
        self._database = database
        # A first start makes it after this.
        self._identity = _identity(database)
        self._file = _open(path, place)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read(20).strip()
            self._file.close()
            raise SiteTaken(place, f"site {site} (process {holder or 'unknown'})") from None
        # For people alone: the lock is on the open file, not in what it says. Of a full disk the database says more.
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            os.write(self._file.fileno(), f"{os.getpid()}\n".encode())

    def check(self) -> bool:
        found = _identity(self._database)
        self._identity = self._identity or found
        if found != self._identity:
            raise DatabaseReplaced(str(self._database), "another file is in its place" if found else "it is gone")
        return True

    def release(self) -> None:
        # The file stays: taking it away would let two hubs lock two files of the same name.
        self._file.close()


class _NoLock:
    """A database in memory is nobody else's."""

    def check(self) -> bool:
        return True

    def release(self) -> None: ...


def _identity(file: Path) -> tuple[int, int] | None:
    """None where there is no such file. Raises a DatabaseFault where that can't be said."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseFault(str(file), str(error.strerror)) from error
    return found.st_dev, found.st_ino


def _open(path: str, place: str) -> IO[str]:
    try:
        return open(path, "a+", encoding="ascii", opener=_private)
    except OSError as error:
        raise DatabaseNotWritable(place, f"its lock file {path}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    # Of another user's run a lock file may be read, so that it can be named.
    return os.open(path, flags, 0o644)
