"""How a ticket looks, in dots: the boxes are those of the project's drawing of it."""

from itertools import pairwise

import pytest
import segno
import zxingcpp
from PIL import Image, ImageChops

from nodes.ticket_printer import lettering, picture
from nodes.ticket_printer.picture import Code, Text, TooMuchForPaper, arrange, draw
from nodes.ticket_printer.pictures import samples
from nodes.ticket_printer.ticket import Ticket, ticket_of
from nodes.ticket_printer.words import words_in
from protocol.instants import from_wire
from protocol.messages import TicketPrinterConfig
from tests.ticket_printer.hub import CONFIG, ticket_reply

ID = "019ab2c0-0000-7000-8000-000000000000"
Box = tuple[int, int, int, int]
# From the drawing: left, top, right and bottom of the ink; right and bottom are exclusive.
DRAWN: dict[str, Box] = {
    "mark": (28, 26, 80, 74),
    "town": (100, 40, 410, 64),
    "rule": (24, 104, 552, 110),
    "service": (27, 134, 173, 164),
    "appointment": (384, 141, 551, 164),
    "dashes": (24, 376, 542, 380),
    "label": (24, 406, 243, 428),
    "range": (26, 448, 503, 490),
    "ahead": (25, 525, 449, 559),
    "hints": (297, 627, 552, 839),
    "date": (26, 909, 458, 936),
    "absent": (24, 947, 503, 975),
}


def ticket(config: TicketPrinterConfig = CONFIG, *, duplicate: bool = False, **changes: object) -> Ticket:
    fields: dict[str, object] = {"appointment_at": from_wire("2026-11-24T09:25:00.000Z")}
    return ticket_of(ticket_reply(ID, **(fields | changes)), config, words_in("fr"), duplicate=duplicate)


def config_with(**changes: str) -> TicketPrinterConfig:
    fields = {name: getattr(CONFIG, name) for name in CONFIG.__struct_fields__}
    return TicketPrinterConfig(**(fields | changes))


def ink(image: Image.Image, within: Box) -> Box:
    box = ImageChops.invert(image.crop(within).convert("L")).getbbox()
    assert box is not None, f"nothing is drawn within {within}"
    return box[0] + within[0], box[1] + within[1], box[2] + within[0], box[3] + within[1]


def about(box: Box, slack: int) -> Box:
    return box[0] - slack, box[1] - slack, box[2] + slack, box[3] + slack


def samples_drawn() -> list[tuple[str, Ticket]]:
    return list(samples(words_in("fr")).items())


@pytest.mark.parametrize("piece", DRAWN)
def test_each_line_stands_where_the_drawing_has_it(piece: str) -> None:
    found = ink(draw(ticket()), about(DRAWN[piece], 6))
    # 5 dots are 0.6 mm; hinting moves a letter by a dot or two.
    assert found == pytest.approx(DRAWN[piece], abs=5)


def test_the_number_is_17_millimetres_high_and_fits_the_paper() -> None:
    left, top, right, bottom = ink(draw(ticket()), (0, 190, 576, 370))
    assert bottom - top == pytest.approx(142, abs=2)
    assert (left, right) == pytest.approx((24, 547), abs=4)


@pytest.mark.parametrize("number", ["W000", "W0000", "WW00000"])
def test_a_wide_number_shrinks_to_536_dots(number: str) -> None:
    left, _, right, _ = ink(draw(ticket(number=number)), (0, 190, 576, 340))
    assert right - left <= 537
    assert left >= 19
    assert right <= 557


def test_letter_and_digits_stand_a_fifth_of_their_size_apart() -> None:
    size = picture.NUMBER_SIZE
    joined = picture.number_width("A", "012", size) - lettering.ink_width("A012", size, lettering.NUMBER_WEIGHT)
    assert joined == pytest.approx(0.2 * size, abs=6)


@pytest.mark.parametrize(("name", "sample"), samples_drawn())
def test_no_ink_leaves_the_paper_or_its_margin(name: str, sample: Ticket) -> None:
    image = draw(sample)
    left, top, right, bottom = ink(image, (0, 0, *image.size))
    assert left >= 20, name
    assert right <= 557, name
    assert top >= 18, name
    assert bottom <= image.size[1] - 18, name


@pytest.mark.parametrize(("name", "sample"), samples_drawn())
def test_no_text_is_smaller_than_28_dots(name: str, sample: Ticket) -> None:
    sizes = [piece.size for piece in arrange(sample).pieces if isinstance(piece, Text)]
    assert min(sizes) >= 28, name


@pytest.mark.parametrize(("name", "sample"), samples_drawn())
def test_no_line_touches_the_one_below_it(name: str, sample: Ticket) -> None:
    baselines = sorted({(piece.y, piece.size) for piece in arrange(sample).pieces if isinstance(piece, Text)})
    for (above, _), (below, size) in pairwise(baselines):
        assert below == above or below - above >= size * 0.7 + 8, name


@pytest.mark.parametrize(("name", "sample"), samples_drawn())
def test_a_phone_reads_the_code_of_who_waits(name: str, sample: Ticket) -> None:
    read = [code.text for code in zxingcpp.read_barcodes(draw(sample).convert("L"))]
    assert read == [follow for follow in [sample.follow] if follow is not None], name


def test_the_code_has_8_dots_a_module_and_4_modules_of_white_around() -> None:
    drawn = ticket()
    [code] = [piece for piece in arrange(drawn).pieces if isinstance(piece, Code)]
    assert code.module == 8
    image = draw(drawn).convert("L")
    zone = (code.x - 32, code.y - 32, code.x + code.side + 32, code.y + code.side + 32)
    assert ink(image, zone) == (code.x, code.y, code.x + code.side, code.y + code.side)
    expected = segno.make(drawn.follow, micro=False, error="m").matrix
    for row, modules in enumerate(expected):
        for column, dark in enumerate(modules):
            left, top = code.x + 8 * column, code.y + 8 * row
            # The four corners of the module: whole dots, none of them half filled.
            corners = {image.getpixel((left + x, top + y)) for x in (0, 7) for y in (0, 7)}
            assert corners == {0 if dark else 255}


@pytest.mark.parametrize("length", [10, 60, 120, 190])
def test_a_longer_address_makes_a_larger_code_that_is_still_read(length: int) -> None:
    long = ticket(config_with(follow_url="https://trois-tilleuls.example/" + "a" * length + "/"))
    [read] = zxingcpp.read_barcodes(draw(long).convert("L"))
    assert read.text == long.follow


def test_an_address_beyond_any_code_is_refused_in_a_sentence() -> None:
    endless = ticket(config_with(follow_url="https://trois-tilleuls.example/" + "a" * 5_000))
    with pytest.raises(TooMuchForPaper, match="shorten it"):
        draw(endless)


def test_a_double_name_breaks_at_its_hyphens() -> None:
    assert lettering.break_lines("Trois-Tilleuls-lès-Grandes-Œuvres", 28, 600, 300, 3) == (
        "Trois-Tilleuls-lès-",
        "Grandes-Œuvres",
    )


def test_lines_hold_all_words_and_none_of_the_spaces_between() -> None:
    assert lettering.break_lines("une ligne et une autre", 28, 600, 140, 5) == ("une ligne", "et une", "autre")


def test_a_name_without_spaces_breaks_inside_the_word_and_ends_in_an_ellipsis() -> None:
    endless = ticket(config_with(town="A" * 200), service_name="B" * 200)
    lines = [piece.text for piece in arrange(endless).pieces if isinstance(piece, Text)]
    assert any(line.startswith("AAA") and line.endswith("…") for line in lines)
    assert any(line.startswith("BBB") and line.endswith("…") for line in lines)


def test_a_picture_is_black_and_white_and_576_wide() -> None:
    image = draw(ticket())
    assert (image.mode, image.size[0]) == ("1", 576)


def test_a_duplicate_has_a_black_band_and_all_else_of_the_ticket() -> None:
    once, twice = draw(ticket()), draw(ticket(duplicate=True))
    assert twice.size[1] == once.size[1] + 64
    assert twice.getpixel((30, 140)) == 0
    below = twice.crop((0, 174, *twice.size))
    assert ImageChops.difference(below.convert("L"), once.crop((0, 110, *once.size)).convert("L")).getbbox() is None
