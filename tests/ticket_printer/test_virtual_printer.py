"""The virtual printer obeys what a real printer's reference says."""

import errno
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nodes.ticket_printer.virtual_printer.device import Faults, LinkCut, UnknownFault, VirtualPrinter, fault_named
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.virtual_printer.server import PaperFolder

CUT = b"\x1dV\x00"
ASK = b"\x10\x04"


class Bench:
    def __init__(self) -> None:
        self.papers: list[Paper] = []
        self.printer = VirtualPrinter(self.papers.append)

    def text(self, data: bytes) -> tuple[str, ...]:
        self.printer.receive(data + CUT)
        return self.papers[-1].text

    def height(self, data: bytes) -> int:
        self.printer.receive(data + CUT)
        return self.papers[-1].image.size[1]

    def ink(self, data: bytes) -> tuple[int, int, int, int]:
        self.printer.receive(data + CUT)
        box = self.papers[-1].image.convert("L").point([255 - level for level in range(256)]).getbbox()
        assert box is not None
        return box


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize(
    ("page", "encoding"), [(0, "cp437"), (2, "cp850"), (16, "cp1252"), (19, "cp858"), (71, "cp1252")]
)
def test_signs_are_read_on_the_page_that_was_chosen(bench: Bench, page: int, encoding: str) -> None:
    assert bench.text(b"\x1b@\x1bt" + bytes([page]) + "é è à ç ù".encode(encoding) + b"\n") == ("é è à ç ù",)


def test_a_reset_goes_back_to_page_437(bench: Bench) -> None:
    assert bench.text(b"\x1bt\x10\x1b@" + "é".encode("cp437") + b"\n") == ("é",)


def test_bytes_may_come_one_by_one(bench: Bench) -> None:
    data = b"\x1b@\x1bt\x10\x1d!\x11A\n\x1dv0\x00\x01\x00\x02\x00\xff\xff\x1d(k\x03\x001C\x04" + CUT
    for byte in data:
        bench.printer.receive(bytes([byte]))
    [paper] = bench.papers
    assert paper.text == ("A",)
    assert bench.printer.complaints == ()


def test_a_double_sign_is_twice_as_wide_and_high(bench: Bench) -> None:
    single, double = bench.ink(b"\x1b@H\n"), bench.ink(b"\x1b@\x1d!\x11H\n")
    assert double[2] - double[0] == pytest.approx(2 * (single[2] - single[0]), abs=2)
    assert double[3] - double[1] == pytest.approx(2 * (single[3] - single[1]), abs=2)
    assert bench.ink(b"\x1b@\x1b!\x30H\n") == double


def test_lines_are_aligned(bench: Bench) -> None:
    left, middle, right = (bench.ink(b"\x1b@\x1ba" + bytes([n]) + b"H\n") for n in (0, 1, 2))
    assert left[0] < 12 < middle[0] < 300 < right[0]
    assert right[2] <= 576


def test_bold_underlined_and_inverse_signs_have_more_ink(bench: Bench) -> None:
    def darkness(data: bytes) -> int:
        bench.printer.receive(b"\x1b@" + data + b"H\n" + CUT)
        return bench.papers[-1].image.convert("L").histogram()[0]

    plain = darkness(b"")
    assert plain < darkness(b"\x1bE\x01") < darkness(b"\x1dB\x01")
    assert plain < darkness(b"\x1b-\x01")
    assert darkness(b"\x1bM\x01") < plain


def test_feeds_move_the_paper(bench: Bench) -> None:
    assert bench.height(b"\x1b@\x1bJ\x64") == 100
    assert bench.height(b"\x1b@\x1bd\x03") == 90
    assert bench.height(b"\x1b@\x1b3\x14\x1bd\x03") == 60
    assert bench.height(b"\x1b@\x1b3\x14\x1b2\n") == 30
    assert bench.height(b"\x1b@\n\n") == 60


def test_a_line_that_is_too_wide_goes_on_below_and_is_complained_of(bench: Bench) -> None:
    assert bench.text(b"\x1b@" + b"x" * 50 + b"\n") == ("x" * 48, "xx")
    assert len(bench.printer.complaints) == 1


def test_a_picture_is_drawn_bit_by_bit(bench: Bench) -> None:
    assert bench.ink(b"\x1b@\x1dv0\x00\x02\x00\x03\x00" + b"\x00\x80" + b"\x00\x00" + b"\x00\x01") == (8, 0, 16, 3)


def test_an_unknown_command_is_complained_of_and_passed_over(bench: Bench) -> None:
    assert bench.text(b"\x1b@\x1bZ\x01A\n") == ("A",)
    assert bench.printer.complaints == ("unknown command or value: ESC 0x5a 0x01",)


def test_a_roll_that_is_never_cut_ends(bench: Bench) -> None:
    bench.printer.receive(b"\x1bJ\xff" * 200)
    assert any("without a cut" in sentence for sentence in bench.printer.complaints)


@pytest.mark.parametrize(
    ("faults", "answers"),
    [
        (Faults(), b"\x12\x12\x12\x12"),
        (Faults(near_end=True), b"\x12\x12\x12\x1e"),
        (Faults(paper_out=True), b"\x1a\x32\x12\x7e"),
        (Faults(cover_open=True), b"\x1a\x16\x12\x12"),
        (Faults(mute=True), b""),
    ],
)
def test_questions_are_answered_as_epson_says(bench: Bench, faults: Faults, answers: bytes) -> None:
    bench.printer.fail(faults)
    assert bench.printer.receive(b"".join(ASK + bytes([n]) for n in (1, 2, 3, 4))) == answers


def test_a_fence_is_answered_after_what_stands_before_it(bench: Bench) -> None:
    assert bench.printer.receive(b"A\n\x1dr") == b""
    assert bench.printer.receive(b"\x01") == b"\x00"


def test_a_question_inside_a_picture_is_answered_and_still_drawn(bench: Bench) -> None:
    assert bench.printer.receive(b"\x1b@\x1dv0\x00\x01\x00\x03\x00" + ASK + b"\x01") == b"\x12"
    bench.printer.receive(CUT)
    assert bench.papers[-1].image.size[1] == 3


def test_without_paper_questions_are_answered_and_nothing_is_printed_until_there_is_some(bench: Bench) -> None:
    bench.printer.fail(Faults(paper_out=True))
    assert bench.printer.receive(b"A\n" + CUT + b"\x1dr\x01" + ASK + b"\x01") == b"\x1a"
    assert bench.papers == []
    assert bench.printer.fail(Faults()) == b"\x00"
    assert bench.papers[0].text == ("A",)


def test_the_roll_ends_in_the_middle_of_a_ticket(bench: Bench) -> None:
    bench.printer.fail(Faults(paper_left_dots=50))
    bench.printer.receive(b"A\nB\nC\n" + CUT)
    assert bench.printer.receive(ASK + b"\x01") == b"\x1a"
    bench.printer.fail(Faults())
    assert bench.papers[0].text == ("A", "B", "C")


def test_answers_come_one_late(bench: Bench) -> None:
    bench.printer.fail(Faults(late=True))
    assert bench.printer.receive(ASK + b"\x01") == b""
    assert bench.printer.receive(b"\x1dr\x01") == b"\x12"
    assert bench.printer.receive(ASK + b"\x01") == b"\x00"


def test_answers_come_joined(bench: Bench) -> None:
    bench.printer.fail(Faults(joined=True))
    assert bench.printer.receive(ASK + b"\x01") == b""
    assert bench.printer.receive(b"\x1dr\x01") == b"\x12\x00"


def test_the_link_is_cut_after_so_many_bytes(bench: Bench) -> None:
    bench.printer.fail(Faults(link_left_bytes=2))
    with pytest.raises(LinkCut):
        bench.printer.receive(b"A\nB\n")
    assert bench.text(b"") == ("A",)


@pytest.mark.parametrize("name", ["none", "mute", "paper_out", "near_end", "cover_open", "late", "joined"])
def test_a_fault_has_a_name(name: str) -> None:
    assert (fault_named(name) == Faults()) == (name == "none")


def test_a_fault_may_have_a_number() -> None:
    assert fault_named("paper_left_dots:300") == Faults(paper_left_dots=300)


@pytest.mark.parametrize("name", ["", "fire", "mute:3", "paper_left_dots", "paper_left_dots:-1"])
def test_an_unknown_fault_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownFault, match="paper_out"):
        fault_named(name)


def test_papers_are_numbered_on_where_an_earlier_run_stopped(tmp_path: Path, bench: Bench) -> None:
    told: list[str] = []
    for _ in range(2):
        folder = PaperFolder(tmp_path / "paper", lambda name, _paper: told.append(name))
        VirtualPrinter(folder).receive(b"A\n" + CUT)
    assert told == ["000001.png", "000002.png"]
    assert sorted(path.name for path in (tmp_path / "paper").iterdir()) == told


class HalfSaved:
    """A picture of which the disk takes only half."""

    def save(self, path: Path, **_options: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_is_left_no_half_of_a_paper(tmp_path: Path) -> None:
    folder = PaperFolder(tmp_path)
    with capture_logs() as logs, pytest.raises(OSError, match="No space left"):
        folder(Paper(HalfSaved(), ()))
    assert [(entry["event"], entry["name"]) for entry in logs] == [("paper.not_saved", "000001.png")]
    assert list(tmp_path.iterdir()) == []
