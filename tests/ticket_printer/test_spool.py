"""The queue on disk."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from structlog.testing import capture_logs

from nodes.ticket_printer.spool import Entry, Spool, SpoolBroken, SpoolOutOfReach, Step

FIRST = Entry("019ab2c0-0000-7000-8000-000000000001", "019ab2c0-0000-7000-8000-000000000002", "etat-civil", Step.ASKED)
SECOND = Entry("019ab2c0-0000-7000-8000-000000000003", "019ab2c0-0000-7000-8000-000000000004", "identite", Step.ASKED)

# The user nobody of Debian.
NOBODY = 65_534


def entry_at(step: Step) -> Entry:
    return Entry(FIRST.id, FIRST.follow_id, FIRST.service, step)


def read(path: Path) -> tuple[Entry, ...]:
    spool = Spool(path)
    entries = spool.entries()
    spool.close()
    return entries


def test_what_is_kept_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    spool.keep(SECOND)
    spool.keep(FIRST)
    spool.close()
    assert read(tmp_path / "spool.sqlite") == (FIRST, SECOND)


def test_a_later_step_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    for step in Step:
        spool.keep(entry_at(step))
        assert spool.entries() == (entry_at(step),)
    spool.close()


def test_what_is_forgotten_stays_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    spool.keep(FIRST)
    spool.forget(FIRST.id)
    spool.forget(SECOND.id)
    spool.close()
    assert read(tmp_path / "spool.sqlite") == ()


@pytest.mark.parametrize("step", Step)
def test_a_step_is_on_the_disk_when_the_call_returns(tmp_path: Path, step: Step) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from nodes.ticket_printer.spool import Entry, Spool, Step; "
        f"Spool(Path(sys.argv[1])).keep(Entry({FIRST.id!r}, {FIRST.follow_id!r}, 'etat-civil', Step({step.value!r}))); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "spool.sqlite")], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert read(tmp_path / "spool.sqlite") == (entry_at(step),)


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    assert spool._database.execute("pragma synchronous").fetchone() == (2,)
    spool.close()


def test_a_file_that_a_power_cut_broke_is_put_aside_and_the_dispenser_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(b"not a database at all" * 500)
    spool = Spool(path)
    spool.keep(FIRST)
    spool.close()
    assert read(path) == (FIRST,)
    assert (tmp_path / "spool.broken").read_bytes().startswith(b"not a database")


def pages(path: Path, kind: str) -> list[int]:
    """The offsets in the file at which the pages of the table or of its index begin."""
    with closing(sqlite3.connect(path)) as database:
        roots = database.execute("select rootpage from sqlite_schema where type = ?", (kind,)).fetchall()
        [(size,)] = database.execute("pragma page_size").fetchall()
    return [(root - 1) * size for (root,) in roots]


def break_page(path: Path, kind: str) -> bytes:
    data = bytearray(path.read_bytes())
    for start in pages(path, kind):
        data[start : start + 4_096] = bytes(4_096)
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize(("kind", "left"), [("index", (FIRST, SECOND)), ("table", ())])
def test_of_a_file_with_a_broken_page_is_kept_what_can_be_read(
    tmp_path: Path, kind: str, left: tuple[Entry, ...]
) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.keep(SECOND)
    spool.keep(FIRST)
    spool.close()
    broken = break_page(path, kind)
    with capture_logs() as logs:
        assert read(path) == left
    assert [entry["event"] for entry in logs] == ["spool.broken"] + ["spool.entries_lost"] * (not left)
    assert read(path) == left
    assert (tmp_path / "spool.broken").read_bytes() == broken


# The offsets of the write version and of the schema format in the header of an SQLite file.
@pytest.mark.parametrize(("offset", "left"), [(18, (FIRST,)), (47, ())])
def test_a_file_whose_header_is_damaged_is_put_aside_and_kept_what_can_be_read(
    tmp_path: Path, offset: int, left: tuple[Entry, ...]
) -> None:
    """SQLite calls the file read-only or of an unknown format, as it calls trouble that passes."""
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.keep(FIRST)
    spool.close()
    data = bytearray(path.read_bytes())
    data[offset] = 9
    path.write_bytes(data)
    assert read(path) == left
    assert read(path) == left
    assert (tmp_path / "spool.broken").read_bytes() == data


def test_a_file_that_another_program_holds_is_not_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spool.sqlite"
    changed_by(path, "pragma journal_mode = delete")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **{**named, "timeout": 0}))
    with closing(connect(path)) as other:
        other.execute("begin exclusive")
        with pytest.raises(SpoolBroken, match="locked"):
            Spool(path)
    assert not (tmp_path / "spool.broken").exists()
    assert read(path) == (FIRST,)


def changed_by(path: Path, statement: str) -> None:
    """Make a spool that holds the first entry, and change it directly in the database."""
    spool = Spool(path)
    spool.keep(FIRST)
    spool._database.execute(statement)
    spool.close()


def test_a_broken_sign_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    changed_by(path, "update press set service = cast(x'ff61' as text)")
    assert read(path) == (Entry(FIRST.id, FIRST.follow_id, "\ufffda", Step.ASKED),)


def test_a_step_of_another_version_may_have_come_out(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    changed_by(path, "update press set step = 'folded'")
    assert read(path) == (entry_at(Step.UNSURE),)


def test_a_folder_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SpoolBroken, match="cannot be used"):
        Spool(tmp_path / "nowhere" / "spool.sqlite")


def test_a_place_that_no_new_start_makes_better_is_told_from_trouble_that_passes(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").mkdir()
    with pytest.raises(SpoolOutOfReach, match="cannot be used"):
        Spool(tmp_path / "spool.sqlite")


@pytest.fixture
def folder_of_a_user() -> Iterator[Path]:
    """A folder of the ordinary user who runs the test: root would be stopped by no missing right."""
    is_root = os.geteuid() == 0
    with TemporaryDirectory() as name:
        if is_root:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(0)


@pytest.mark.parametrize("beside", ["-wal", "-shm"])
def test_a_file_beside_it_that_may_not_be_written_is_no_damage(folder_of_a_user: Path, beside: str) -> None:
    path = folder_of_a_user / "spool.sqlite"
    spool = Spool(path)
    spool.keep(FIRST)
    left_by_a_power_cut = [(each, each.read_bytes()) for each in folder_of_a_user.iterdir()]
    spool.close()
    for each, data in left_by_a_power_cut:
        each.write_bytes(data)
    locked = folder_of_a_user / f"spool.sqlite{beside}"
    locked.chmod(0o400)
    for _ in range(2):
        with pytest.raises(SpoolOutOfReach, match=f"Permission denied.*{beside}"):
            Spool(path)
    locked.chmod(0o600)
    assert read(path) == (FIRST,)
    assert not path.with_suffix(".broken").exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_card_that_takes_nothing_is_trouble_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """SQLite gives the same error for a file without access rights and for a full card."""
    (tmp_path / "spool.sqlite").mkdir()

    def refuse(*_given: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SpoolBroken, match="cannot be used") as broken:
        Spool(tmp_path / "spool.sqlite")
    assert not isinstance(broken.value, SpoolOutOfReach)


def test_a_disk_that_takes_nothing_is_said_in_a_sentence(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    other = sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)
    spool._database.execute("pragma busy_timeout = 10")
    other.execute("begin immediate")
    with pytest.raises(SpoolBroken, match="cannot be read or written"):
        spool.keep(FIRST)
    other.execute("rollback")
    other.close()
    spool.keep(FIRST)
    spool.close()


def test_an_old_folder_is_left_as_it_was(tmp_path: Path) -> None:
    assert read(tmp_path / "spool.sqlite") == ()
    assert [path.name for path in tmp_path.iterdir()] == ["spool.sqlite"]
