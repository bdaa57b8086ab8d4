"""Draws the ticket as one 1-bit picture, 576 dots wide, for printers on paper of 80 mm.

`arrange` places the pieces, so that tests can measure them; `draw` makes the dots. Lengths are in dots (8 to the
millimetre). Vertical positions are baselines, since text is centred and stacked by its capitals.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import segno
from PIL import Image, ImageDraw

from nodes.ticket_printer.lettering import (
    BOLD,
    LEAST_SIZE,
    NUMBER_WEIGHT,
    break_lines,
    fit_lines,
    fit_size,
    font,
    ink_edges,
    ink_width,
)
from nodes.ticket_printer.ticket import Ticket

WIDTH = 576
LEFT, RIGHT = 24, 552
# The right edge of lines beside the code: closer to the paper's edge, so that 'Suivez votre place' fits.
HINT_RIGHT = 556
NUMBER_SIZE, NUMBER_WIDTH = 196, 536
# The gap between letter and digits, in em.
NUMBER_GAP = 0.2
LINE = 38
# The distance between baselines of larger text, in em.
LEADING = 1.3
# The largest size, and the least at which a text that fits on one line stays on one.
HEADLINE_SIZES, NOTE_SIZES = (52, 42), (34, 29)
# Enough for the longest title of a hall at the least size.
NOTE_LINES = 7
MODULE, QUIET = 8, 4
# Half a millimetre: for smaller modules a phone must come closer than it can focus.
LEAST_MODULE = 4
# Fits 'téléphone.' at size 28. If less is left beside the code, the hints go below it.
HINT_LEAST_WIDTH = 190
MIDDLE_GREY = 128
QR_GAP = 32

# The town's mark: three lime leaves, each a pointed oval: centre, half length, half width, degrees from upright.
_LEAVES = ((54.0, 39.0, 13.4, 10.0, 0.0), (40.0, 63.6, 13.4, 9.8, 240.0), (68.0, 63.6, 13.4, 9.8, 120.0))
_MARK_OVERSAMPLE = 8


class TooMuchForPaper(ValueError):
    """The follow address is longer than a QR code on this paper can hold."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its origin at `x` on the baseline `y`; white on a black band."""

    x: int
    y: int
    size: int
    weight: int
    text: str
    white: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code with its upper left module at (x, y), without quiet zone; `rows` holds modules, where 1 is dark."""

    x: int
    y: int
    module: int
    rows: tuple[bytes, ...]

    @property
    def side(self) -> int:
        return self.module * len(self.rows)


@dataclass(frozen=True, slots=True)
class Mark:
    """The town's mark at its place in the upper left corner."""


Piece = Text | Bar | Code | Mark


@dataclass(frozen=True, slots=True)
class Arrangement:
    height: int
    pieces: tuple[Piece, ...]


def arrange(ticket: Ticket) -> Arrangement:
    """Place each piece. A text that does not fit shrinks down to size 28, then breaks into lines, then ends in `…`.

    Raises TooMuchForPaper if the follow address is too long for a QR code of this width.
    """
    pieces: list[Piece] = [Mark()]
    y = _head(ticket, pieces)
    if ticket.service is not None:
        y = _service(ticket.service, ticket.appointment, pieces, y)
    if ticket.number is not None:
        y = _number(ticket.number, pieces, y)
    y = _told(ticket, pieces, y)
    if ticket.follow is not None:
        y = _follow(ticket, ticket.follow, pieces, y)
    y = _foot(ticket, pieces, y)
    return Arrangement(y + 36, tuple(pieces))


def draw(ticket: Ticket) -> Image.Image:
    """A picture in mode `1`, 576 wide: 0 is ink."""
    arrangement = arrange(ticket)
    canvas = Image.new("L", (WIDTH, arrangement.height), 255)
    pen = ImageDraw.Draw(canvas)
    for piece in arrangement.pieces:
        _draw(canvas, pen, piece)
    # Printers have no grey. A threshold keeps stems straighter than the font's own 1-bit hinting does.
    return canvas.point(_threshold()).convert("1", dither=Image.Dither.NONE)


def qr_code(text: str, width: int) -> tuple[int, tuple[bytes, ...]]:
    """The dots per module on paper `width` dots wide, quiet zone included, and the modules in rows.

    The code is the smallest that holds the text at error level M; it uses a higher level if the size stays the same.
    Raises TooMuchForPaper if there is none, or none that a phone could read.
    """
    try:
        rows = segno.make(text, micro=False, error="m").matrix
    except segno.DataOverflowError as error:
        raise TooMuchForPaper(_too_long(text, width)) from error
    module = min(MODULE, width // (len(rows) + 2 * QUIET))
    if module < LEAST_MODULE:
        raise TooMuchForPaper(_too_long(text, width))
    return module, tuple(bytes(row) for row in rows)


def _too_long(text: str, width: int) -> str:
    return f"the follow address has {len(text)} characters, more than a QR code of {width} dots can hold: shorten it"


# --- from top to foot; each function takes the last position used and returns the next ---


def _head(ticket: Ticket, pieces: list[Piece]) -> int:
    size = fit_size(ticket.town, 30, BOLD, RIGHT - 100)
    baseline = 63
    if size is not None:
        pieces.append(_text_at(100, baseline, size, BOLD, ticket.town))
    else:
        # The first two lines are centred on the mark.
        lines = break_lines(ticket.town, LEAST_SIZE, BOLD, RIGHT - 100, 3)
        pieces.extend(_text_at(100, 44 + row * LINE, LEAST_SIZE, BOLD, line) for row, line in enumerate(lines))
        baseline = 44 + (len(lines) - 1) * LINE
    rule = baseline + 41
    pieces.append(Bar(LEFT, rule, RIGHT, rule + 6))
    if ticket.duplicate is None:
        return rule + 6
    top = rule + 6 + 16
    width = ink_width(ticket.duplicate, 36, NUMBER_WEIGHT)
    pieces.append(Bar(LEFT, top, RIGHT, top + 48))
    middle = (WIDTH - width) // 2
    origin = _origin(middle, ticket.duplicate, 36, NUMBER_WEIGHT)
    pieces.append(Text(origin, top + 37, 36, NUMBER_WEIGHT, ticket.duplicate, white=True))
    return top + 48


def _service(service: str, appointment: str | None, pieces: list[Piece], y: int) -> int:
    """Service left and appointment right on one line, or on a line each if both are too wide."""
    baseline = y + 54
    if appointment is None:
        return _lines(pieces, service, baseline, 35, 3)
    width = ink_width(appointment, 34, BOLD)
    size = fit_size(service, 35, BOLD, RIGHT - LEFT - width - 24)
    if size is not None:
        pieces.append(_text_at(LEFT, baseline, size, BOLD, service))
        pieces.append(_text_at(RIGHT - width, baseline, 34, BOLD, appointment))
        return baseline
    baseline = _lines(pieces, service, baseline, 35, 3) + 44
    pieces.append(_text_at(LEFT, baseline, 34, BOLD, appointment))
    return baseline


def _number(number: tuple[str, str], pieces: list[Piece], y: int) -> int:
    letter, digits = number
    size = NUMBER_SIZE
    while size > LEAST_SIZE and number_width(letter, digits, size) > NUMBER_WIDTH:
        size -= 1
    width = number_width(letter, digits, size)
    # A number wider than the other lines is centred on the paper.
    left = LEFT if width <= RIGHT - LEFT else (WIDTH - width) // 2
    baseline = y + 44 + round(size * 0.7)
    if letter:
        pieces.append(_text_at(left, baseline, size, NUMBER_WEIGHT, letter))
    pieces.append(
        _text_at(left + width - ink_width(digits, size, NUMBER_WEIGHT), baseline, size, NUMBER_WEIGHT, digits)
    )
    dash = baseline + 30
    pieces.extend(Bar(x, dash, min(x + 14, RIGHT), dash + 4) for x in range(LEFT, RIGHT, 24))
    return dash + 4


def number_width(letter: str, digits: str, size: int) -> int:
    """The width of a number's ink, gap included."""
    if not letter:
        return ink_width(digits, size, NUMBER_WEIGHT)
    left = ink_edges(letter, size, NUMBER_WEIGHT)[0]
    right = ink_edges(digits, size, NUMBER_WEIGHT)[1]
    return round(font(NUMBER_WEIGHT, size).getlength(letter) + NUMBER_GAP * size) + right - left


def _told(ticket: Ticket, pieces: list[Piece], y: int) -> int:
    """The headline in large letters, then the notes, then how many people are ahead."""
    if ticket.label is not None:
        label = _lines(pieces, ticket.label, y + 47, LEAST_SIZE, 1)
        baseline = _lines(pieces, ticket.headline, label + 62, 53, 2)
    elif ticket.number is not None and not ticket.notes:
        baseline = _lines(pieces, ticket.headline, y + 58, 40, 2)
    else:
        baseline = _block(pieces, ticket.headline, y + 42, HEADLINE_SIZES, 2)
    for place, note in enumerate(ticket.notes):
        baseline = _block(pieces, note, baseline + (26 if place else 34), NOTE_SIZES, NOTE_LINES)
    return baseline if ticket.ahead is None else _lines(pieces, ticket.ahead, baseline + 61, 36, 2)


def _follow(ticket: Ticket, follow: str, pieces: list[Piece], y: int) -> int:
    """The code with its quiet zone, and the hints: beside it, or below it if the code is wide."""
    module, rows = qr_code(follow, WIDTH)
    top = y + 57
    # The quiet zone is 4 modules wide, wherever the other lines begin.
    code = Code(QUIET * module, top, module, rows)
    pieces.append(code)
    left = code.x + code.side + QR_GAP
    if HINT_RIGHT - left < HINT_LEAST_WIDTH:
        return _hints(ticket, pieces, LEFT, top + code.side + QUIET * module + 20, RIGHT - LEFT)
    beside = _hint_lines(ticket, HINT_RIGHT - left)
    # The last hint line ends level with the code; many lines begin at the code's top.
    first = max(top + code.side - 1 - (len(beside) - 1) * LINE, top + 20)
    pieces.extend(_text_at(left, first + row * LINE, LEAST_SIZE, BOLD, line) for row, line in enumerate(beside) if line)
    return max(top + code.side, first + (len(beside) - 1) * LINE)


def _hints(ticket: Ticket, pieces: list[Piece], left: int, baseline: int, width: int) -> int:
    for row, line in enumerate(_hint_lines(ticket, width)):
        if line:
            pieces.append(_text_at(left, baseline + row * LINE, LEAST_SIZE, BOLD, line))
    return baseline + (len(_hint_lines(ticket, width)) - 1) * LINE


def _hint_lines(ticket: Ticket, width: int) -> tuple[str, ...]:
    first = break_lines(ticket.follow_hint, LEAST_SIZE, BOLD, width, 5)
    second = break_lines(ticket.screens_hint, LEAST_SIZE, BOLD, width, 3)
    return (*first, "", *second)


def _foot(ticket: Ticket, pieces: list[Piece], y: int) -> int:
    rule = y + 40
    pieces.append(Bar(LEFT, rule, RIGHT, rule + 4))
    baseline = _lines(pieces, ticket.date, rule + 4 + 46, LEAST_SIZE, 2)
    return (
        baseline if ticket.absent_hint is None else _lines(pieces, ticket.absent_hint, baseline + LINE, LEAST_SIZE, 3)
    )


def _lines(pieces: list[Piece], text: str, baseline: int, size: int, most: int) -> int:
    """One line at the largest size that fits, else `most` lines of the least size; returns the last baseline."""
    fitting = fit_size(text, size, BOLD, RIGHT - LEFT)
    if fitting is not None:
        pieces.append(_text_at(LEFT, baseline, fitting, BOLD, text))
        return baseline
    lines = break_lines(text, LEAST_SIZE, BOLD, RIGHT - LEFT, most)
    for row, line in enumerate(lines):
        pieces.append(_text_at(LEFT, baseline + row * LINE, LEAST_SIZE, BOLD, line))
    return baseline + (len(lines) - 1) * LINE


def _block(pieces: list[Piece], text: str, top: int, sizes: tuple[int, int], most: int) -> int:
    """At most `most` lines below `top`, at the largest size that fits; returns the last baseline."""
    largest, least_of_one = sizes
    alone = fit_size(text, largest, BOLD, RIGHT - LEFT) or 0
    size, lines = fit_lines(text, largest, BOLD, RIGHT - LEFT, 1 if alone >= least_of_one else most)
    first, leading = top + round(size * 0.7), round(size * LEADING)
    for row, line in enumerate(lines):
        pieces.append(_text_at(LEFT, first + row * leading, size, BOLD, line))
    return first + (len(lines) - 1) * leading


# --- text ---


def _text_at(ink_left: int, baseline: int, size: int, weight: int, text: str) -> Text:
    return Text(_origin(ink_left, text, size, weight), baseline, size, weight, text)


def _origin(ink_left: int, text: str, size: int, weight: int) -> int:
    """The x at which to set the text so that its ink begins at `ink_left`."""
    return ink_left - ink_edges(text, size, weight)[0]


# --- dots ---


def _draw(canvas: Image.Image, pen: ImageDraw.ImageDraw, piece: Piece) -> None:
    match piece:
        case Text():
            face = font(piece.weight, piece.size)
            pen.text((piece.x, piece.y), piece.text, fill=255 if piece.white else 0, font=face, anchor="ls")
        case Bar():
            pen.rectangle((piece.left, piece.top, piece.right - 1, piece.bottom - 1), fill=0)
        case Code():
            for left, top in _dark_modules(piece):
                pen.rectangle((left, top, left + piece.module - 1, top + piece.module - 1), fill=0)
        case Mark():
            _draw_mark(canvas)


def _dark_modules(code: Code) -> Iterator[tuple[int, int]]:
    for row, modules in enumerate(code.rows):
        for column, dark in enumerate(modules):
            if dark:
                yield code.x + column * code.module, code.y + row * code.module


def _draw_mark(canvas: Image.Image) -> None:
    size = (90, 84)
    large = Image.new("L", (size[0] * _MARK_OVERSAMPLE, size[1] * _MARK_OVERSAMPLE), 255)
    for x, y, length, width, turn in _LEAVES:
        # A pointed oval is the intersection of two discs: drawn upright, turned, and pasted over the others.
        leaf = Image.new("L", large.size, 255)
        ImageDraw.Draw(leaf).polygon(_pointed_oval(x, y, length, width), fill=0)
        turned = leaf.rotate(-turn, center=(x * _MARK_OVERSAMPLE, y * _MARK_OVERSAMPLE), fillcolor=255)
        large.paste(0, mask=turned.point(lambda level: 255 - level))
    canvas.paste(large.resize(size, Image.Resampling.BOX), (0, 0))


def _pointed_oval(x: float, y: float, length: float, width: float) -> list[tuple[float, float]]:
    radius = (length**2 + width**2) / (2 * width)
    steps = [length * step / 24 for step in range(-24, 25)]
    half = [(radius**2 - along**2) ** 0.5 - (radius - width) for along in steps]
    right = [(x + across, y + along) for along, across in zip(steps, half, strict=True)]
    left = [(x - across, y + along) for along, across in zip(steps, half, strict=True)]
    return [(a * _MARK_OVERSAMPLE, b * _MARK_OVERSAMPLE) for a, b in (*right, *reversed(left))]


def _threshold() -> list[int]:
    return [0 if level < MIDDLE_GREY else 255 for level in range(256)]
