"""Copies an SQLite database while the hub works on it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from hub.database.engine import require_folder, sqlite_file
from hub.database.faults import DatabaseFault, FileMissing, faults_of, place_of

# The database is only read, so these errors come from writing the copy.
_OF_WRITING = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")


class NoBackup(DatabaseFault):
    sentence = "the database {place} was not copied: {cause}"


def back_up(engine: Engine, copy: Path) -> int:
    """Copies what is committed at one moment, while commands go on. Returns the copy's size in bytes.

    The copy holds names and password hashes, so only its owner may read it. Raises a DatabaseFault if there is no
    SQLite file, or if the copy exists already or can't be made.
    """
    file, place = sqlite_file(engine), place_of(engine.url)
    if engine.dialect.name == "postgresql":
        raise NoBackup(place, "copy a PostgreSQL database with pg_dump --format=custom, see docs/operations.md")
    if file is None:
        raise NoBackup(place, "it exists only in the memory of the program that opened it")
    require_folder(engine)
    if not file.exists():
        raise FileMissing(place, "there is no such file")
    taken = f"{copy} exists already, and is not overwritten: choose another name"
    if os.path.lexists(copy):
        raise NoBackup(place, taken)
    # Written under another name first: whatever interrupts this, half a copy must not pass for a whole one.
    part = copy.with_name(f"{copy.name}.part")
    left = f"{part} exists: another backup is running, or one was interrupted; if none is running, delete this file"
    _make(part, place, copy, taken=left)
    try:
        with faults_of(engine), closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            _copy(source, target, place, copy)
        _name(part, place, copy, taken=taken)
    finally:
        part.unlink(missing_ok=True)
    return copy.stat().st_size


def _make(file: Path, place: str, copy: Path, *, taken: str) -> None:
    """Makes an empty file that only its owner may read. `taken`: the cause to give if the file exists."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise NoBackup(place, taken) from None
    except OSError as error:
        raise NoBackup(place, f"{copy} cannot be created ({error.strerror})") from None


def _name(part: Path, place: str, copy: Path, *, taken: str) -> None:
    """Gives the complete copy its name in one step, without overwriting anything."""
    try:
        os.link(part, copy)
    except FileExistsError:
        raise NoBackup(place, taken) from None
    except OSError:
        # FAT and some network shares have no hard links; only there, a kill between these steps leaves an empty copy.
        _make(copy, place, copy, taken=taken)
        part.rename(copy)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, place: str, copy: Path) -> None:
    try:
        source.backup(target)
    except sqlite3.Error as error:
        if not str(getattr(error, "sqlite_errorname", "")).startswith(_OF_WRITING):
            raise
        cause = f"{copy} cannot be written ({error}): free some space there, or write the copy to another disk"
        raise NoBackup(place, cause) from error
