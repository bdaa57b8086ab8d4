"""The queue on disk: what must still be told to the hub, or asked of it, after a power cut.

A step is on the disk before the action it names is done. Bounded: the core refuses presses beyond `ENTRIES_MOST`.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

_log = structlog.get_logger()

# A dispenser whose hub is away refuses presses at once, so only repeated crashes leave this many entries.
ENTRIES_MOST = 200

_TABLE = """
create table if not exists press (
    id text primary key,
    follow_id text not null,
    service text not null,
    step text not null
) strict
"""
_ENTRIES = "select id, follow_id, service, step from press"


class Step(StrEnum):
    """How far a press has come: only the steps that a restart must distinguish."""

    ASKED = "asked"  # the hub is asked, or will be; nothing has been printed
    PRINTING = "printing"  # the paper goes to the printer
    PRINTED = "printed"  # it came out; the hub must be told
    UNSURE = "unsure"  # it may have come out; the hub must be told
    ABANDONED = "abandoned"  # nothing came out, and nothing will; the hub must be told


@dataclass(frozen=True, slots=True)
class Entry:
    """One press. `id`: of its request for a ticket. `follow_id`: of the `printed` or `abandon` request that ends it."""

    id: str
    follow_id: str
    service: str
    step: Step


# A step that this version does not know is read as UNSURE: a paper may have come out, so the hub keeps the ticket.
_STEPS = {step.value: step for step in Step}


# Errors that no restart cures, unlike a lock, a full disk or a failing one.
_OUT_OF_REACH = (PermissionError, NotADirectoryError, IsADirectoryError)


# SQLite's errors for a header with a wrong version or format.
_OF_A_HEADER = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_ERROR)


class SpoolBroken(OSError):
    """The disk did not take a step."""


class SpoolOutOfReach(SpoolBroken):
    """This program may not open or write the file."""


class Spool:
    """One SQLite file. A call returns once its change is on the disk, and raises SpoolBroken if it is not.

    The constructor raises SpoolOutOfReach if only another folder or other permissions would help.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            if not path.exists() or not _is_damaged(path, error):
                fault = _fault(path)
                kind = SpoolOutOfReach if isinstance(fault, _OUT_OF_REACH) else SpoolBroken
                raise kind(f"{path} cannot be used: {fault or error}") from error
            # A dispenser must print again after a power cut damaged its file, which is set aside for inspection.
            aside = path.replace(path.with_suffix(".broken"))
            _log.exception("spool.broken", path=str(path), aside=str(aside), reason=str(error))
            self._database = self._open_anew()
            for entry in _readable(aside):
                self.keep(entry)

    def entries(self) -> tuple[Entry, ...]:
        """The entries of an earlier run in the order of their ids, which is that of the presses."""
        return tuple(map(_entry, self._run(f"{_ENTRIES} order by id")))

    def keep(self, entry: Entry) -> None:
        self._run(
            "insert into press values (?, ?, ?, ?) on conflict (id) do update set step = excluded.step",
            (entry.id, entry.follow_id, entry.service, entry.step.value),
        )

    def forget(self, request_id: str) -> None:
        self._run("delete from press where id = ?", (request_id,))

    def close(self) -> None:
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        # Autocommit: each statement is a transaction, and none stays open between two steps.
        database = sqlite3.connect(self._path, isolation_level=None)
        database.text_factory = _text
        try:
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = full")
            database.execute(_TABLE)
            _check(database)
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _open_anew(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            raise SpoolBroken(f"{self._path} cannot be made anew: {error}") from error

    def _run(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise SpoolBroken(f"{self._path} cannot be read or written: {error}") from error


def _fault(path: Path) -> OSError | None:
    """Why a file, or one that SQLite keeps beside it, cannot be opened.

    SQLite has one error for a full card and for missing permissions.
    """
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    try:
        for each in [path, *filter(Path.exists, beside)]:
            each.open("ab").close()
    except OSError as error:
        return error
    return None


def _is_damaged(path: Path, error: sqlite3.DatabaseError) -> bool:
    """Whether the file's content is wrong. An OperationalError is mostly trouble that passes, such as a lock."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return error.sqlite_errorcode in _OF_A_HEADER and _fault(path) is None


def _check(database: sqlite3.Connection) -> None:
    """Raises DatabaseError if the file is damaged. Reading the table alone would miss a damaged index page.

    A file whose header says that it is read-only can be read, and would then take no step.
    """
    database.execute("delete from press where false")
    [(said,)] = database.execute("pragma integrity_check(1)").fetchall()
    if said != "ok":
        raise sqlite3.DatabaseError(said)


def _text(data: bytes) -> str:
    """Decode leniently: a byte that a power cut damaged spoils one word and must not make the other rows unreadable."""
    return data.decode(errors="replace")


def _entry(row: tuple[str, ...]) -> Entry:
    return Entry(row[0], row[1], row[2], _STEPS.get(row[3], Step.UNSURE))


def _readable(aside: Path) -> list[Entry]:
    """The entries that can still be read from a damaged file, without its index; the rest is lost."""
    found: list[Entry] = []
    try:
        with closing(sqlite3.connect(aside)) as database:
            database.text_factory = _text
            found.extend(map(_entry, database.execute(f"{_ENTRIES} not indexed")))
    except sqlite3.Error as error:
        _log.exception("spool.entries_lost", path=str(aside), read=len(found), reason=str(error))
    return found
