"""One hub serves a site: a second one refuses to start.

On PostgreSQL the hub holds a session-level advisory lock, which ends with its connection. On SQLite it locks a file
beside the database; that lock ends with the process. So a crash leaves no lock behind.
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
        """Whether the lock was held without a break since the last check; call it about once a second.

        False: the database had dropped the lock, and it was taken again. Raises SiteTaken if another hub was faster,
        DatabaseReplaced if the file is no longer the one of the first check, another DatabaseFault if the database is
        away.
        """
        ...

    def release(self) -> None: ...


def hold_site(engine: Engine, site: str) -> SiteLock:
    """Takes the site for this hub. Call it before anything is written, even by an upgrade.

    Raises SiteTaken if another hub holds the site, or another DatabaseFault.
    """
    if engine.dialect.name == "postgresql":
        return _PostgresqlLock(engine, site)
    require_folder(engine)
    file = sqlite_file(engine)
    return _FileLock(f"{file}.{site}.lock", site, file) if file else _NoLock()


@contextlib.contextmanager
def hold_all_sites(engine: Engine, *, but: str = "") -> Iterator[None]:
    """Holds all sites of the database, so that no hub uses it meanwhile. `but`: a site that the caller holds already.

    Raises SiteTaken if a hub holds one of them, or another DatabaseFault.
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
        # Unlocks and waits for the answer: the server notices a closed connection only some time later.
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
    """Also watches the database file: after it is moved, whoever has it open writes on, and nobody else sees that."""

    def __init__(self, path: str, site: str, database: Path) -> None:
        place = str(database)
        self._database = database
        # None at a first start, which makes the file later.
        self._identity = _identity(database)
        self._file = _open(path, place)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read(20).strip()
            self._file.close()
            raise SiteTaken(place, f"site {site} (process {holder or 'unknown'})") from None
        # The process id is only for people: the lock is on the open file, whatever it contains. The error of a full
        # disk is left to the database, which says more.
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
        # The file stays: deleting it would let two hubs lock two files of the same name.
        self._file.close()


class _NoLock:
    """For a database in memory, which no other process can open."""

    def check(self) -> bool:
        return True

    def release(self) -> None: ...


def _identity(file: Path) -> tuple[int, int] | None:
    """The file's device and inode; None if it does not exist. Raises a DatabaseFault if that can't be determined."""
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
    return os.open(path, flags, 0o600)
