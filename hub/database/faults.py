"""What can be wrong with a database: one exception per fault, whose sentence says what, where and what to do."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree


class DatabaseFault(Exception):
    """The database cannot be used. `place` is its file, or its address with the password hidden."""

    sentence = "the database {place} reported an error: {cause}"

    def __init__(self, place: str, cause: str = "") -> None:
        super().__init__(self.sentence.format(place=place, cause=cause))
        self.place = place
        self.cause = cause


class WrongAddress(DatabaseFault):
    """The address is wrong. `place` is the setting's name: an unreadable address may have a password anywhere."""

    sentence = (
        "{place} is not a valid database address ({cause}): write sqlite:///path/to/file or postgresql://user@host/name"
    )


class DatabaseMissing(DatabaseFault):
    sentence = "the database {place} does not exist ({cause}): create it, or correct SUIVANT_DATABASE_URL"


class WrongEncoding(DatabaseFault):
    sentence = "the database {place} is not in UTF-8 ({cause}): create another one with createdb --encoding=UTF8"


class FileMissing(DatabaseMissing):
    sentence = (
        "the database {place} does not exist ({cause}): create it with `suivant database upgrade`, or start the hub"
    )


class FolderMissing(FileMissing):
    sentence = "the database {place} does not exist ({cause}): create the folder, owned by the hub's user"


class DatabaseReplaced(DatabaseMissing):
    sentence = (
        "the file {place} is not the one that the hub opened ({cause}): put that one back, with its -wal and -shm "
        "files beside it, then start the hub again"
    )


class DatabaseOfAnotherUser(DatabaseFault):
    sentence = (
        "this user may not read the database {place} ({cause}): run the command as the hub's user with sudo -u, or "
        "make the hub's user its owner with chown"
    )


class DatabaseUnreachable(DatabaseFault):
    sentence = "the database server of {place} does not answer ({cause}): start it, or correct SUIVANT_DATABASE_URL"


class DatabaseRefusesLogin(DatabaseFault):
    sentence = (
        "the database {place} refuses the login ({cause}): correct the user in SUIVANT_DATABASE_URL, or the password "
        "in the file that SUIVANT_DATABASE_PASSWORD_FILE names"
    )


class DatabaseLocked(DatabaseFault):
    sentence = "the database {place} is locked by another program ({cause}): end that program"


class DatabaseBusy(DatabaseFault):
    sentence = "the database {place} keeps the hub waiting ({cause}): end the program that holds it, or check its disk"


class DatabaseNotWritable(DatabaseFault):
    sentence = "the database {place} cannot be written ({cause}): allow the hub's user to write to it"


class DiskFull(DatabaseFault):
    sentence = "the disk of the database {place} is full ({cause}): free some space"


class DiskFails(DatabaseFault):
    sentence = "the disk of the database {place} fails ({cause}): check the disk, then restore a backup if needed"


class DatabaseDamaged(DatabaseFault):
    sentence = "the database {place} is damaged, or is not a database ({cause}): restore a backup, or name another one"


class DatabaseNewer(DatabaseFault):
    sentence = (
        "the database {place} belongs to a later version of Suivant (it is at {cause}): "
        "install that version, or restore the backup taken before the upgrade"
    )


class DatabaseOlder(DatabaseFault):
    sentence = "the database {place} does not have this version's tables ({cause}): run `suivant database upgrade`"


class SiteTaken(DatabaseFault):
    sentence = (
        "another hub already serves {cause} on the database {place}: stop it first, since a site has only one hub"
    )


class UpgradeWaits(SiteTaken):
    sentence = (
        "the tables of the database {place} are of an earlier version, and a hub is running on it, {cause}: first stop "
        "all hubs of this database, then start them one after the other"
    )


def kinds(of: type[DatabaseFault] = DatabaseFault) -> Iterator[type[DatabaseFault]]:
    """This class and all its subclasses."""
    yield of
    for each in of.__subclasses__():
        yield from kinds(each)


# In WAL mode, SQLite's shared-memory file takes 32 KiB at once, and a press takes as much.
LEAST_FREE_BYTES = 64 * 1024

# An extended result code's name starts with the primary one's: SQLITE_IOERR_WRITE, SQLITE_READONLY_DIRECTORY.
_SQLITE: tuple[tuple[str, type[DatabaseFault]], ...] = (
    ("SQLITE_BUSY", DatabaseLocked),
    ("SQLITE_LOCKED", DatabaseLocked),
    ("SQLITE_READONLY", DatabaseNotWritable),
    ("SQLITE_PERM", DatabaseNotWritable),
    ("SQLITE_FULL", DiskFull),
    ("SQLITE_IOERR", DiskFails),
    ("SQLITE_CANTOPEN", DatabaseMissing),
    ("SQLITE_CORRUPT", DatabaseDamaged),
    ("SQLITE_NOTADB", DatabaseDamaged),
)

# By PostgreSQL's SQLSTATE, or by its first two characters, which name its class.
_SQLSTATE: dict[str, type[DatabaseFault]] = {
    "3D000": DatabaseMissing,
    "28": DatabaseRefusesLogin,
    "53100": DiskFull,
    "58030": DiskFails,
    "XX001": DatabaseDamaged,
    "XX002": DatabaseDamaged,
    "55P03": DatabaseLocked,
    "25006": DatabaseNotWritable,
    "42501": DatabaseNotWritable,
    "08": DatabaseUnreachable,
    "57": DatabaseUnreachable,
}

# A failed login has no SQLSTATE (libpq does not pass it on), so only its English text can be matched.
_LOGIN_TEXT: tuple[tuple[str, type[DatabaseFault]], ...] = (
    ("does not exist", DatabaseMissing),
    ("authentication failed", DatabaseRefusesLogin),
    ("no password supplied", DatabaseRefusesLogin),
    ("no pg_hba.conf entry", DatabaseRefusesLogin),
)


def place_of(url: URL) -> str:
    """The database as an error names it: its file, or its address without password and other parameters."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    # Written as in the setting: SQLAlchemy would add its driver and turn each slash of a socket's folder into %2F.
    server = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    where = [(key, url.query[key]) for key in ("host", "port") if key in url.query]
    return f"{server}?{urlencode(where, doseq=True, safe='/:,')}" if where else server


# What the drivers, SQLAlchemy and its pool raise.
ERRORS = (DBAPIError, NoConnectionFree, sqlite3.Error, psycopg.Error)


def fault_of(error: BaseException, place: str) -> DatabaseFault:
    """The fault behind one of ERRORS; for other errors see `hub.failures`."""
    if isinstance(error, DatabaseFault):
        return error
    if isinstance(error, NoConnectionFree):
        return DatabaseBusy(place, "no connection to it became free")
    driver = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    cause = _cause(driver)
    if isinstance(driver, sqlite3.Error):
        kind = _sqlite_kind(driver, place)
    elif isinstance(driver, psycopg.Error):
        kind = _postgresql_kind(driver, cause)
    else:
        kind = DatabaseFault
    return kind(place, cause)


@contextmanager
def faults_of(engine: Engine) -> Iterator[None]:
    """Turns each of ERRORS that is raised within into a DatabaseFault."""
    try:
        yield
    except ERRORS as error:
        raise fault_of(error, place_of(engine.url)) from error


def _sqlite_kind(error: sqlite3.Error, place: str) -> type[DatabaseFault]:
    name = getattr(error, "sqlite_errorname", "") or ""
    kind = next((kind for start, kind in _SQLITE if name.startswith(start)), DatabaseFault)
    # SQLite reports a full disk for the database's own file only, not for the two files that it makes beside it.
    unclear = kind in {DiskFails, DatabaseMissing}
    return DiskFull if unclear and is_full(Path(place).parent) else kind


def is_full(folder: Path) -> bool:
    """Whether the disk has too little room for what an SQLite database in the folder takes at once."""
    try:
        free = os.statvfs(folder)
    except OSError:
        return False
    return free.f_bavail * free.f_frsize < LEAST_FREE_BYTES


def _postgresql_kind(error: psycopg.Error, cause: str) -> type[DatabaseFault]:
    state = error.sqlstate or ""
    if state:
        return _SQLSTATE.get(state) or _SQLSTATE.get(state[:2]) or DatabaseFault
    if not isinstance(error, psycopg.OperationalError):
        return DatabaseFault
    return next((kind for text, kind in _LOGIN_TEXT if text in cause), DatabaseUnreachable)


def _cause(error: BaseException) -> str:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary  # without the detail, which quotes the row
    text = str(error).strip() or type(error).__name__
    # psycopg writes one line for each address it tried; the last line holds the reason.
    last = text.splitlines()[-1].strip().lstrip("- ")
    return last.removeprefix("connection failed: ")
