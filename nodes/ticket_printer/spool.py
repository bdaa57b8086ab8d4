"""The queue on disk: what must still be told to the hub, or asked of it, after the power went.

A step is on the disk before what it speaks of is done. Bounded: the core refuses presses beyond `ENTRIES_MOST`.
"""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

# A dispenser whose hub is away refuses presses at once; so many are left over only by a run of crashes.
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
    """How far a press has come. Only the steps that a restart must tell apart are here."""

    ASKED = "asked"  # the hub is asked, or will be; nothing has been printed
    PRINTING = "printing"  # the paper goes to the printer
    PRINTED = "printed"  # it came out; the hub is to hear it
    UNSURE = "unsure"  # it may have come out; the hub is to hear it
    ABANDONED = "abandoned"  # nothing came out, and nothing will; the hub is to hear it


@dataclass(frozen=True, slots=True)
class Entry:
    """One press. `id`: of the request for a ticket. `follow_id`: of the `printed` or `abandon` that ends it."""

    id: str
    follow_id: str
    service: str
    step: Step


# A step that this version does not know: a paper may have come out, and the hub keeps its ticket.
_STEPS = {step.value: step for step in Step}


# What no new start makes better; a lock, a full disk and one that fails may pass.
_OUT_OF_REACH = (PermissionError, NotADirectoryError, IsADirectoryError)


class SpoolBroken(OSError):
    """The disk did not take a step."""


class SpoolOutOfReach(SpoolBroken):
    """The file is none that this program may open and write."""


class Spool:
    """One SQLite file; each call has reached the disk when it returns. Raises SpoolBroken where it has not.

    At its start it raises SpoolOutOfReach where only another folder, or other rights, would help.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            if not path.exists() or isinstance(error, sqlite3.OperationalError):
                fault = _fault(path)
                kind = SpoolOutOfReach if isinstance(fault, _OUT_OF_REACH) else SpoolBroken
                raise kind(f"{path} cannot be used: {fault or error}") from error
            # A dispenser must print again after a power cut that broke its file; the file is kept for a look.
            aside = path.replace(path.with_suffix(".broken"))
            structlog.get_logger().exception("spool.broken", path=str(path), aside=str(aside), reason=str(error))
            self._database = self._open()
            for entry in _readable(aside):
                self.keep(entry)

    def entries(self) -> tuple[Entry, ...]:
        """Those of an earlier run, in the order of their ids, which is that of the presses."""
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
        # One statement, one transaction: none is left open between two steps.
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

    def _run(self, statement: str, values: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise SpoolBroken(f"{self._path} did not take a step: {error}") from error


def _fault(path: Path) -> OSError | None:
    """Why a file cannot be opened: SQLite says the same of a full card as of missing rights."""
    try:
        path.open("ab").close()
    except OSError as error:
        return error
    return None


def _check(database: sqlite3.Connection) -> None:
    """Raises DatabaseError. A page of the index alone may be broken, which a look at the table does not meet."""
    [(said,)] = database.execute("pragma integrity_check(1)").fetchall()
    if said != "ok":
        raise sqlite3.DatabaseError(said)


def _text(data: bytes) -> str:
    """A sign that a power cut broke makes one word wrong; it must not keep all others from being read."""
    return data.decode(errors="replace")


def _entry(row: tuple[str, ...]) -> Entry:
    return Entry(row[0], row[1], row[2], _STEPS.get(row[3], Step.UNSURE))


def _readable(aside: Path) -> list[Entry]:
    """What can still be read of a broken file, without its index; the rest is lost."""
    found: list[Entry] = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(aside)) as database:
        database.text_factory = _text
        found.extend(map(_entry, database.execute(f"{_ENTRIES} not indexed")))
    return found
