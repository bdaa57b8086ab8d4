"""Tickets in the printer's own letters, read back from the paper that a virtual printer makes."""

from dataclasses import replace

import pytest
import zxingcpp
from escpos.capabilities import CAPABILITIES  # type: ignore[import-untyped]

from nodes.ticket_printer.paper import Style, as_picture, as_text, break_columns, fits, paper
from nodes.ticket_printer.picture import TooMuchForPaper, draw
from nodes.ticket_printer.pictures import samples
from nodes.ticket_printer.ticket import Ticket
from nodes.ticket_printer.virtual_printer.device import VirtualPrinter
from nodes.ticket_printer.virtual_printer.interpreter import Paper
from nodes.ticket_printer.words import words_in

SAMPLES = samples(words_in("fr"))


def printed(data: bytes, width_dots: int = 576) -> Paper:
    papers: list[Paper] = []
    printer = VirtualPrinter(papers.append, width_dots)
    printer.receive(data)
    assert printer.complaints == ()
    [paper] = papers
    return paper


def test_accents_come_out_right_on_the_real_code_page() -> None:
    signs = "éèàçùâêîôû œŒ€«»É ’"
    ticket = SAMPLES["ticket"]
    told = {name: getattr(ticket, name) for name in ticket.__dataclass_fields__}
    text = printed(as_text(Ticket(**(told | {"service": signs})), "TM-T20II")).text
    assert signs in text


def test_a_page_left_by_an_earlier_job_spoils_no_accent() -> None:
    assert "État civil" in printed(b"\x1bt\x02" + as_text(SAMPLES["ticket"], "TM-T20II")).text


@pytest.mark.parametrize("name", SAMPLES)
def test_all_words_of_a_ticket_are_on_the_paper(name: str) -> None:
    ticket = SAMPLES[name]
    text = " ".join(" ".join(printed(as_text(ticket, "TM-T20II")).text).split())
    always = (ticket.town, ticket.headline, ticket.date, *ticket.notes, " ".join(ticket.number or ()))
    perhaps = (ticket.service, ticket.label, ticket.ahead, ticket.absent_hint, ticket.duplicate, ticket.appointment)
    for words in (*always, *perhaps):
        assert (words or "").replace("\u00a0", " ") in text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_phone_reads_the_printers_own_code_of_who_waits(name: str) -> None:
    image = printed(as_text(SAMPLES[name], "TM-T20II")).image
    read = [code.text for code in zxingcpp.read_barcodes(image.convert("L"))]
    assert read == [follow for follow in [SAMPLES[name].follow] if follow is not None]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_is_wider_than_a_58_mm_paper(name: str) -> None:
    printed(as_text(SAMPLES[name], "NT-5890K") + b"\x1dV\x00", width_dots=384)


def following(signs: int) -> Ticket:
    """A ticket whose follow address has this many characters."""
    return replace(SAMPLES["ticket"], follow="https://trois-tilleuls.example/".ljust(signs, "a"))


@pytest.mark.parametrize("signs", [60, 90, 140, 208])
def test_a_long_address_is_read_from_a_58_mm_paper(signs: int) -> None:
    ticket = following(signs)
    image = printed(as_text(ticket, "NT-5890K") + b"\x1dV\x00", width_dots=384).image
    assert [code.text for code in zxingcpp.read_barcodes(image.convert("L"))] == [ticket.follow]


def test_an_address_that_no_code_on_the_paper_holds_is_refused_in_a_sentence() -> None:
    with pytest.raises(TooMuchForPaper, match="384 dots can hold: shorten it"):
        as_text(following(1_000), "NT-5890K")


def test_a_display_of_100_dots_is_no_printer() -> None:
    assert "this one has 100" in (fits("OCD-100", Style.TEXT) or "")


def test_a_text_ticket_is_a_hundredth_of_a_picture() -> None:
    assert len(as_text(SAMPLES["ticket"], "TM-T20II")) < 1_000 < len(as_picture(SAMPLES["ticket"]))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_picture_comes_out_dot_by_dot(name: str) -> None:
    assert printed(as_picture(SAMPLES[name])).image.tobytes() == draw(SAMPLES[name]).tobytes()


def test_a_printer_that_cannot_cut_feeds_instead() -> None:
    data = as_text(SAMPLES["ticket"], "POS-5890")
    assert b"\x1dV" not in data
    assert data.endswith(b"\x1bd\x06")


@pytest.mark.parametrize(
    ("profile", "style", "right"),
    [
        ("TM-T20II", Style.PICTURE, True),
        ("default", Style.PICTURE, True),
        ("POS-5890", Style.TEXT, True),
        ("POS-5890", Style.PICTURE, False),
        ("Teleprinter", Style.TEXT, False),
    ],
)
def test_a_picture_needs_a_printer_as_wide_as_it(profile: str, style: Style, right: bool) -> None:
    assert (fits(profile, style) is None) == right


@pytest.mark.parametrize("profile", CAPABILITIES["profiles"])
def test_a_profile_that_is_accepted_at_the_start_prints_every_ticket(profile: str) -> None:
    if fits(profile, Style.TEXT) is None:
        for ticket in SAMPLES.values():
            assert paper(ticket, Style.TEXT, profile)


def test_a_printer_without_western_letters_is_told_from_an_unknown_one() -> None:
    assert "CP1252" in (fits("TM-U220", Style.TEXT) or "")
    assert "CP1252" not in (fits("Teleprinter", Style.TEXT) or "")


def test_a_printer_of_unknown_width_is_a_known_printer() -> None:
    assert fits("TUP500", Style.TEXT) is None


def test_a_style_is_chosen_by_its_name() -> None:
    ticket = SAMPLES["ticket"]
    assert paper(ticket, Style("picture"), "TM-T20II") == as_picture(ticket)
    assert paper(ticket, Style("text"), "TM-T20II") == as_text(ticket, "TM-T20II")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("un deux trois", ["un deux", "trois"]),
        ("anticonstitutionnellement", ["anticonst", "itutionne", "llement"]),
        ("Saint-Maur-des", ["Saint-", "Maur-des"]),
        ("il\u00a0est là", ["il\u00a0est là"]),
    ],
)
def test_lines_break_between_words(text: str, lines: list[str]) -> None:
    assert break_columns(text, 9) == lines
