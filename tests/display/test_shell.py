"""The warnings that a display sends when its disk does not keep what it should."""

import errno
from pathlib import Path

import pytest
import structlog

from nodes.display.app import Shell, Warnings
from nodes.display.core import KeepHall, KeepPlayed, Warned
from nodes.display.kept import KeptFiles
from nodes.runtime import Inbox

HALL, PLAYED = KeepHall(b"a picture"), KeepPlayed(("a",))


class Disk(KeptFiles):
    """Refuses pictures with the error `full`, unless that is 0; the short list of ids still fits."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.full = errno.ENOSPC

    def keep_hall(self, payload: bytes) -> None:
        if self.full:
            raise OSError(self.full, "the disk says no")
        super().keep_hall(payload)


class Told:
    """A shell, of which tests see only what it keeps and which warnings it gives."""

    def __init__(self, folder: Path) -> None:
        self.disk, self._inbox = Disk(folder), Inbox()
        # A display's other parts are not used here.
        self._shell = Shell(None, None, None, None, self.disk, Warnings(self._inbox))  # type: ignore[arg-type]

    def keep(self, *effects: KeepHall | KeepPlayed) -> None:
        for effect in effects:
            self._shell.perform(effect)

    def warnings(self) -> list[tuple[str, ...]]:
        """The warnings given to telemetry, at each change."""
        said = []
        while isinstance(event := self._inbox.take(0), Warned):
            said.append(event.warnings)
        return said


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_a_disk_that_takes_one_file_and_not_the_other_is_warned_of_all_the_time(told: Told):
    told.keep(*[HALL, PLAYED] * 20)
    assert told.warnings() == [("disk: the last picture of the hall could not be saved",)]


def test_a_disk_that_says_no_is_one_line_a_reason(told: Told):
    with structlog.testing.capture_logs() as lines:
        told.keep(*[HALL] * 20)
        told.disk.full = errno.EROFS
        told.keep(*[HALL, PLAYED] * 20)
    assert [line["event"] for line in lines] == ["state.not_kept"] * 2
    assert [line["reason"] for line in lines] == ["[Errno 28] the disk says no", "[Errno 30] the disk says no"]


def test_a_disk_that_takes_it_again_is_told_and_the_next_no_is_said(told: Told):
    with structlog.testing.capture_logs() as lines:
        told.keep(HALL)
        told.disk.full = 0
        told.keep(HALL)
        told.disk.full = errno.ENOSPC
        told.keep(HALL)
    assert told.warnings() == [
        ("disk: the last picture of the hall could not be saved",),
        (),
        ("disk: the last picture of the hall could not be saved",),
    ]
    assert len(lines) == 2
