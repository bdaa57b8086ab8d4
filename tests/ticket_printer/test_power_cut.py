"""What a restart does with presses that a power cut left, and what a failing disk does to a press."""

from pathlib import Path

import pytest

from nodes.runtime import Inbox
from nodes.ticket_printer.app import Shell, _note_last_paper
from nodes.ticket_printer.events import (
    Keep,
    Print,
)
from nodes.ticket_printer.spool import ENTRIES_MOST, Entry, Spool, Step
from protocol.messages import (
    Abandon,
    IssueTicket,
    Printed,
)
from tests.ticket_printer.dispenser import Dispenser


def left_at(step: Step) -> Dispenser:
    entry = Entry("019ab2c0-0000-7000-8000-000000000001", "019ab2c0-0000-7000-8000-000000000002", "etat-civil", step)
    return Dispenser((entry,))


@pytest.mark.parametrize(
    ("step", "told", "sure"),
    [
        (Step.ASKED, Abandon, None),
        (Step.PRINTING, Printed, False),
        (Step.PRINTED, Printed, True),
        (Step.UNSURE, Printed, False),
        (Step.ABANDONED, Abandon, None),
    ],
)
def test_a_restart_tells_what_is_known_and_prints_nothing(step: Step, told: type, sure: bool | None) -> None:
    dispenser = left_at(step)
    [word] = dispenser.sent(told)
    assert (word.id, word.of) == ("019ab2c0-0000-7000-8000-000000000002", "019ab2c0-0000-7000-8000-000000000001")
    if sure is not None:
        assert word.sure == sure
    dispenser.issue(IssueTicket(id=word.of, service="etat-civil"))
    dispenser.wait(60_000)
    assert dispenser.of(Print) == []


class NothingAround:
    """Stands in for printer and pins; notes what a program that was told to stop still asks of them."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def perform(self, effect: object) -> None:
        self.asked.append(effect)


def test_a_ticket_that_was_about_to_be_printed_when_the_program_was_told_to_stop_is_abandoned(tmp_path: Path) -> None:
    """Its step was on disk, but that event was behind the signal in the inbox: nothing went to the printer."""
    spool, around, inbox = Spool(tmp_path / "spool.sqlite"), NothingAround(), Inbox()
    shell = Shell(around, spool, around, inbox.put)
    dispenser = Dispenser()
    dispenser.press()
    [asked] = dispenser.asked()
    dispenser.issue(asked)
    for keep in dispenser.of(Keep):
        shell.perform(keep)
    [before] = spool.entries()
    _note_last_paper(inbox, dispenser.core, shell)
    [after] = spool.entries()
    spool.close()
    assert (before.step, after.step, around.asked) == (Step.PRINTING, Step.ABANDONED, [])
    assert [word.of for word in Dispenser((after,)).sent(Abandon)] == [asked.id]


def test_a_spool_that_is_full_takes_no_more_presses() -> None:
    entries = tuple(
        Entry(f"019ab2c0-0000-7000-8000-{n:012d}", f"019ab2c0-0001-7000-8000-{n:012d}", "a", Step.ABANDONED)
        for n in range(ENTRIES_MOST)
    )
    dispenser = Dispenser(entries)
    dispenser.press()
    assert dispenser.asked() == []


def test_a_full_disk_refuses_the_press(dispenser: Dispenser) -> None:
    dispenser.disk_fails = {Step.ASKED}
    dispenser.press()
    dispenser.wait(10_000)
    assert dispenser.asked() == []
    assert dispenser.sent(Abandon) == []
    assert dispenser.core.condition().warnings == ("spool_failed",)


def test_a_disk_that_fills_up_before_the_print_gives_the_ticket_back(dispenser: Dispenser) -> None:
    dispenser.disk_fails = {Step.PRINTING}
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    assert dispenser.of(Print) == []
    assert len(dispenser.sent(Abandon)) == 1


def test_a_disk_that_fills_up_after_the_print_still_tells_the_hub(dispenser: Dispenser) -> None:
    dispenser.disk_fails = {Step.PRINTED}
    dispenser.press()
    dispenser.issue(dispenser.asked()[0])
    dispenser.print_ended()
    assert [each.sure for each in dispenser.sent(Printed)] == [True]
