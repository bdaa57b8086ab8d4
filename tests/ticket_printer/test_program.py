"""The whole node, as it is started on a Pi, with a virtual printer and the real broker."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from nodes.__main__ import main
from nodes.ticket_printer.app import run as run_ticket_printer
from nodes.ticket_printer.virtual_printer.device import Faults, VirtualPrinter
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import TcpPrinter
from protocol.environment import WrongSetting
from protocol.messages import Abandon, CheckIn, CommandKind, IssueTicket, NodeCommand, Printed
from protocol.topics import NodeTopic
from tests.broker import SITE
from tests.ticket_printer.hub import NODE, TOPICS, ScriptedHub, check_in_reply
from tests.ticket_printer.keyboard import Scanner, scan
from tests.ticket_printer.program import Program

LED = 22
A, C = 5, 6
Start = Callable[..., Program]


class Printer:
    """A network printer that outlives the program, and its papers."""

    def __init__(self) -> None:
        self.papers: list[Paper] = []
        self._came = threading.Condition()
        self.served = TcpPrinter(VirtualPrinter(self._cut))

    @property
    def settings(self) -> dict[str, str]:
        return {"SUIVANT_PRINTER": f"network:127.0.0.1:{self.served.port}", "SUIVANT_PRINTER_PAPER": "text"}

    @property
    def numbers(self) -> list[str]:
        """The number in large type on each paper, in order."""
        return [line.replace(" ", "") for paper in self.papers for line in paper.text if line.startswith("A ")]

    def fail(self, **faults: bool | int) -> None:
        self.served.fail(Faults(**faults))  # type: ignore[arg-type]

    def wait_papers(self, count: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.papers) >= count, 20), f"{len(self.papers)} papers"

    def _cut(self, paper: Paper) -> None:
        with self._came:
            self.papers.append(paper)
            self._came.notify_all()


@pytest.fixture
def printer() -> Iterator[Printer]:
    made = Printer()
    yield made
    made.served.close()


def height(paper: Path) -> int:
    with Image.open(paper) as image:
        return image.size[1]


def ready(start: Start, **settings: str) -> Program:
    program = start(**settings)
    program.wait_shown(led=LED, on=True)
    # On a busy machine this may still be a flash that says that the hub is away.
    program.wait_logged("hub.heard")
    return program


def test_a_press_gives_one_ticket_and_the_hub_hears_that_it_is_printed(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    program.press(A)
    program.wait_paper("000001.png")
    [printed] = hub.asked(Printed)
    [asked] = hub.asked(IssueTicket)
    assert (printed.of, printed.sure, asked.service) == (asked.id, True, "etat-civil")
    with Image.open(program.papers[0]) as paper:
        assert paper.size[0] == 576


def test_two_visitors_at_two_buttons_get_a_ticket_each(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    program.say({"pin": A, "pressed": True})
    program.say({"pin": C, "pressed": True})
    program.wait_paper("000002.png")
    hub.wait(lambda: len(hub.ledger.printed) == 2, "two printed")
    assert {each.service for each in hub.asked(IssueTicket)} == {"etat-civil", "identite"}


def test_what_the_hub_does_not_answer_is_abandoned_and_not_printed(hub: ScriptedHub, start: Start) -> None:
    hub.silent = {IssueTicket}
    program = ready(start)
    program.press(A)
    [asked] = hub.asked(IssueTicket)
    [abandon] = hub.asked(Abandon)
    assert abandon.of == asked.id
    assert program.papers == []


def test_without_paper_a_press_asks_for_nothing_until_there_is_some(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    program.say({"fault": "paper_out"})
    program.wait_shown(printer="paper_out")
    program.press(A)
    program.wait_shown(led=LED, on=False)
    program.say({"fault": "none"})
    program.wait_shown(printer="ready")
    assert hub.requests == []
    program.press(C)
    program.wait_paper("000001.png")
    [asked] = hub.asked(IssueTicket)
    assert asked.service == "identite"


def test_paper_that_ends_in_the_middle_of_a_ticket_is_told_and_a_whole_one_follows(
    hub: ScriptedHub, start: Start
) -> None:
    program = ready(start)
    program.say({"fault": "paper_left_dots:300"})
    program.press(A)
    [printed] = hub.asked(Printed)
    assert printed.sure is False
    program.wait_shown(printer="paper_out")
    program.say({"fault": "none"})
    # The printer first prints the rest of its data, then the ticket marked as a duplicate, which is higher.
    program.wait_paper("000002.png")
    first, second = (height(paper) for paper in program.papers)
    assert second == first + 64
    assert len(hub.asked(IssueTicket)) == 1


def test_a_code_is_checked_in_and_its_slip_comes_out(hub: ScriptedHub, start: Start) -> None:
    hub.arrivals["K7M2Q9"] = check_in_reply("")
    program = ready(start)
    program.say({"type": "code", "code": "K7M2Q9"})
    program.wait_paper("000001.png")
    [asked] = hub.asked(CheckIn)
    assert asked.code == "K7M2Q9"
    program.say({"type": "code", "code": "NOBODYS1"})
    program.wait_paper("000002.png")
    ticket, short = (height(paper) for paper in program.papers)
    assert short < ticket * 0.6


@pytest.mark.parametrize("line", [{"type": "code", "code": ""}, {"type": "code"}, {"type": "scan", "code": "K7M2Q9"}])
def test_a_simulated_scan_that_is_none_is_answered_and_stops_nothing(
    hub: ScriptedHub, start: Start, line: dict[str, str]
) -> None:
    program = ready(start)
    program.say(line)
    assert "not understood" in program.wait_shown_key("error")
    program.press(A)
    program.wait_paper("000001.png")


def test_a_scanner_at_its_port_checks_in_and_may_be_plugged_out_and_in(
    hub: ScriptedHub, start: Start, tmp_path: Path
) -> None:
    hub.arrivals["K7m2Q9"] = check_in_reply("")
    scanner = Scanner(tmp_path / "event-kbd")
    program = ready(start, SUIVANT_SCANNERS=str(scanner.path))
    hub.wait_warning("scanner_away")
    scanner.plug_in()
    scanner.send(scan("K7m2Q9"))
    program.wait_paper("000001.png")
    assert [each.code for each in hub.asked(CheckIn)] == ["K7m2Q9"]
    scanner.unplug()


def test_a_fault_that_is_none_is_answered_and_stops_nothing(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    program.say({"fault": "fire"})
    assert "no fault 'fire'" in program.wait_shown_key("error")
    program.press(A)
    program.wait_paper("000001.png")


def test_a_test_print_comes_out_and_is_no_ticket(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    command = NodeCommand(id="019ab2c0-0000-7000-8000-00000000c0de", command=CommandKind.TEST_PRINT)
    hub.publish(TOPICS.node(NODE, NodeTopic.COMMAND), command)
    program.wait_paper("000001.png")
    assert hub.requests == []


def test_rubbish_as_an_answer_stops_nothing(hub: ScriptedHub, start: Start) -> None:
    program = ready(start)
    topic = TOPICS.node(NODE, NodeTopic.REPLY)
    for rubbish in (b"", b"\xff", b"[]", b'{"v":2,"type":"ticket"}', b'{"v":1,"type":"ticket","id":7}', b"x" * 17_000):
        hub.publish_raw(topic, rubbish)
    program.press(A)
    program.wait_paper("000001.png")


def test_a_paper_that_comes_out_while_the_program_is_stopped_is_known_to_be_printed(
    hub: ScriptedHub, start: Start, printer: Printer
) -> None:
    program = ready(start, **printer.settings)
    program.press(A)
    printer.wait_papers(1)
    assert program.stop() == 0
    ready(start, **printer.settings)
    [printed] = hub.asked(Printed)
    assert printed.sure is True
    assert printer.numbers == ["A001"]


# --- kill -9 at each step ---


def test_killed_before_the_answer_the_ticket_is_abandoned(hub: ScriptedHub, start: Start, printer: Printer) -> None:
    hub.silent = {IssueTicket}
    program = ready(start, **printer.settings)
    program.press(A)
    [asked] = hub.asked(IssueTicket)
    program.kill()
    hub.silent = set()
    ready(start, **printer.settings)
    hub.wait(lambda: asked.id in hub.ledger.abandoned, "the abandon")
    assert printer.papers == []


def test_killed_while_printing_the_ticket_is_unsure_and_never_printed_again(
    hub: ScriptedHub, start: Start, printer: Printer
) -> None:
    # With a silent printer the program waits for its answer for a second.
    printer.fail(mute=True)
    program = ready(start, **printer.settings)
    program.press(A)
    printer.wait_papers(1)
    program.kill()
    printer.fail()
    ready(start, **printer.settings)
    [printed] = hub.asked(Printed)
    assert printed.sure is False
    assert printer.numbers == ["A001"]


def test_after_a_start_the_rest_of_a_ticket_that_broke_off_is_cut_off_before_the_next_one(
    hub: ScriptedHub, start: Start, printer: Printer
) -> None:
    program = ready(start, **printer.settings)
    printer.fail(link_left_bytes=300)
    program.press(A)
    [broken] = hub.asked(Printed)
    assert broken.sure is False
    hub.wait(lambda: broken.of in hub.ledger.printed, "the hub knows of it")
    program.kill()
    printer.fail()
    program = ready(start, **printer.settings)
    program.press(A)
    printer.wait_papers(2)
    rest, whole = printer.papers
    assert "A 002" not in rest.text
    assert "A 001" not in whole.text
    assert "A 002" in whole.text


def test_killed_before_the_hub_knew_the_print_is_told_again_with_the_same_id(
    hub: ScriptedHub, start: Start, printer: Printer
) -> None:
    hub.silent = {Printed}
    program = ready(start, **printer.settings)
    program.press(A)
    [before] = hub.asked(Printed)
    program.kill()
    hub.silent = set()
    ready(start, **printer.settings)
    hub.wait(lambda: hub.ledger.printed, "printed")
    assert hub.asked(Printed) == [before]
    assert hub.ledger.printed == {before.of: True}
    assert printer.numbers == ["A001"]


def test_killed_before_the_hub_knew_of_the_abandon_it_is_told_again_with_the_same_id(
    hub: ScriptedHub, start: Start, printer: Printer
) -> None:
    hub.silent = {IssueTicket, Abandon}
    program = ready(start, **printer.settings)
    program.press(A)
    [before] = hub.asked(Abandon)
    program.kill()
    hub.silent = set()
    ready(start, **printer.settings)
    hub.wait(lambda: before.of in hub.ledger.abandoned, "the abandon")
    assert hub.asked(Abandon) == [before]


def test_killed_after_all_was_told_nothing_is_told_again(hub: ScriptedHub, start: Start, printer: Printer) -> None:
    program = ready(start, **printer.settings)
    program.press(A)
    hub.wait(lambda: hub.ledger.printed, "printed")
    program.press(C)
    hub.wait(lambda: len(hub.ledger.printed) == 2, "two printed")
    program.kill()
    told = len(hub.requests)
    program = ready(start, **printer.settings)
    program.press(A)
    hub.wait(lambda: len(hub.ledger.printed) == 3, "three printed")
    # The report on the second ticket may have been on its way at the kill; that on the first was forgotten long before.
    again = [each for each in hub.requests[told:] if isinstance(each, Printed)]
    assert {each.of for each in again} <= set(list(hub.ledger.printed)[1:])


@pytest.mark.torture
def test_killed_at_random_no_number_is_printed_twice_and_none_is_lost(
    hub: ScriptedHub, start: Start, printer: Printer, torture: bool
) -> None:
    chance = random.Random(20261125)
    program = ready(start, **printer.settings)
    for _ in range(100 if torture else 6):
        program.press(chance.choice((A, C)))
        # Not a wait for something: the random moment of the kill is the example.
        threading.Event().wait(chance.uniform(0, 0.12))
        program.kill()
        program = ready(start, **printer.settings)
    hub.wait(
        lambda: all(each in hub.ledger.printed or each in hub.ledger.abandoned for each in hub.ledger.numbers), "all"
    )
    ledger = hub.ledger
    assert len(printer.numbers) == len(set(printer.numbers))
    issued = {number: request for request, number in ledger.numbers.items()}
    for number in printer.numbers:
        assert issued[number] in ledger.printed, f"{number} was printed and the hub does not know"
        assert issued[number] not in ledger.abandoned, f"{number} was printed and abandoned"
    for request, sure in ledger.printed.items():
        if sure:
            assert ledger.numbers[request] in printer.numbers


# --- settings ---


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SUIVANT_PRINTER", "lp0", "SUIVANT_PRINTER is 'lp0': it should be virtual:FOLDER, file:/dev/usb/lp0"),
        ("SUIVANT_PRINTER_PAPER", "papyrus", "it should be one of picture, text"),
        ("SUIVANT_PRINTER_PROFILE", "Teleprinter", "a printer profile of python-escpos"),
        ("SUIVANT_PRINTER_PROFILE", "POS-5890", "SUIVANT_PRINTER_PAPER=text"),
        ("SUIVANT_SCANNERS", "event0", "it should be at most 4 different absolute paths"),
        ("SUIVANT_SCANNERS", "/dev/a,/dev/a", "it should be at most 4 different absolute paths"),
        ("SUIVANT_SCANNERS", "/dev/a,/dev/b,/dev/c,/dev/d,/dev/e", "it should be at most 4 different absolute paths"),
        ("SUIVANT_LANGUAGE", "xx", "a language with a built catalogue"),
    ],
)
def test_a_wrong_setting_stops_the_program_in_a_sentence(
    broker: object, tmp_path: Path, setting: str, value: str, said: str
) -> None:
    status, words = Program.refused(broker, tmp_path, **{setting: value})  # type: ignore[arg-type]
    assert status == 2
    assert said in words
    assert len(words.splitlines()) == 1


def test_only_a_simulated_dispenser_starts_without_the_setting_of_its_printer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["ticket-printer", "--help"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  SUIVANT_PRINTER ")]
    assert line.endswith(" (required, except with --simulated)")
    with pytest.raises(WrongSetting, match=r"SUIVANT_PRINTER is not set: it should be virtual:FOLDER, file:/dev/usb/"):
        run_ticket_printer({"SUIVANT_NODE": NODE, "SUIVANT_SITE": SITE}, None)


def test_a_spool_that_another_program_holds_is_tried_again_by_a_new_start(broker: object, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state/spool.sqlite", isolation_level=None)) as looking:
        looking.execute("create table looked_at (a)")
        looking.execute("begin exclusive")
        status, words = Program.refused(broker, tmp_path)  # type: ignore[arg-type]
    assert status == 75
    assert "spool.sqlite cannot be used: database is locked" in words
    assert len(words.splitlines()) == 1


def test_a_spool_that_cannot_be_opened_is_a_wrong_setting(broker: object, tmp_path: Path) -> None:
    (tmp_path / "state/spool.sqlite").mkdir(parents=True)
    status, words = Program.refused(broker, tmp_path)  # type: ignore[arg-type]
    assert status == 2
    assert "SUIVANT_STATE_DIR" in words
