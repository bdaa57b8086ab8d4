"""The bytes of a ticket for an ESC/POS printer, in one of two styles. Pure."""

from enum import StrEnum

from PIL import Image, ImageChops

from nodes.ticket_printer import picture
from nodes.ticket_printer.ticket import Ticket
from nodes.ticket_printer.tidy_escpos import BaseProfile, Dummy

RESET = b"\x1b@"
# One band, at 72 bytes a row, fits into even a small printer's memory.
BAND_ROWS = 96
# GS V 66 0: feeds the last line to the cutter and cuts, leaving the paper attached at one point.
FEED_AND_PART_CUT = b"\x1dVB\x00"
CODE_PAGE = "CP1252"
NUMBER_SCALE_MOST = 6
QR_LEVEL_M = 1
# Dots on paper of 58 mm. Narrower profiles in python-escpos's list are customer displays.
LEAST_WIDTH = 384
# The width of one character in the font that python-escpos calls `a`.
_COLUMN_DOTS = 12


class Style(StrEnum):
    PICTURE = "picture"  # the ticket as it is drawn, for printers on 80 mm with memory and a fast line
    TEXT = "text"  # the printer's own letters and QR code: a few hundred bytes


def paper(ticket: Ticket, style: Style, profile: str) -> bytes:
    """What to send, from the reset to the cut. `profile` is a printer's name in python-escpos, used by TEXT.

    Raises TooMuchForPaper if the ticket's follow address is too long for a QR code.
    """
    return as_picture(ticket) if style is Style.PICTURE else as_text(ticket, profile)


def fits(profile: str, style: Style) -> str | None:
    """None if a printer of that profile can print in that style, else what would be right."""
    try:
        printer = Dummy(profile=profile).profile
    except KeyError:
        return "a printer profile of python-escpos, such as TM-T20II, POS-5890 or default"
    width = _dots(printer)
    if style is Style.PICTURE and width is not None and width < picture.WIDTH:
        return f"a printer at least {picture.WIDTH} dots wide (this one has {width}), or set SUIVANT_PRINTER_PAPER=text"
    if width is not None and width < LEAST_WIDTH:
        return f"a printer at least {LEAST_WIDTH} dots wide (this one has {width})"
    if style is Style.TEXT and CODE_PAGE not in printer.get_code_pages():
        return f"a printer with the code page {CODE_PAGE}, such as TM-T20II, POS-5890 or default"
    return None


def _dots(printer: BaseProfile) -> int | None:
    """How wide the printer prints; None if python-escpos does not know."""
    width = printer.profile_data["media"]["width"].get("pixels")
    return width if isinstance(width, int) else None


def as_picture(ticket: Ticket) -> bytes:
    return RESET + raster(picture.draw(ticket)) + FEED_AND_PART_CUT


def raster(image: Image.Image) -> bytes:
    """A picture in mode `1` as GS v 0 commands, in bands of 96 rows."""
    # Pillow packs 8 pixels into a byte like the printer, but 1 is white there and ink here.
    dots = ImageChops.invert(image.convert("1"))
    row_bytes = (dots.width + 7) // 8
    bands = []
    for top in range(0, dots.height, BAND_ROWS):
        band = dots.crop((0, top, dots.width, min(top + BAND_ROWS, dots.height)))
        head = b"\x1dv0\x00" + row_bytes.to_bytes(2, "little") + band.height.to_bytes(2, "little")
        bands.append(head + band.tobytes())
    return b"".join(bands)


def as_text(ticket: Ticket, profile: str) -> bytes:
    printer = Dummy(profile=profile)
    columns = printer.profile.get_columns("a")
    printer.hw("INIT")
    # ESC @ may have reset the code page without python-escpos knowing: set it explicitly.
    printer.charcode(CODE_PAGE)
    lines = _Lines(printer, columns, _dots(printer.profile) or columns * _COLUMN_DOTS)
    lines.write(ticket.town, bold=True)
    lines.write("-" * columns)
    if ticket.duplicate is not None:
        lines.write(ticket.duplicate, bold=True, wide=True, align="center")
    if ticket.service is not None:
        lines.pair(ticket.service, ticket.appointment)
    if ticket.number is not None:
        lines.number(ticket.number)
    if ticket.label is not None:
        lines.write(ticket.label)
    lines.write(ticket.headline, bold=True, wide=True)
    for note in ticket.notes:
        lines.write(note)
    if ticket.ahead is not None:
        lines.write(ticket.ahead, bold=True)
    if ticket.follow is not None:
        lines.write(ticket.follow_hint)
        lines.code(ticket.follow)
        lines.write(ticket.screens_hint)
    lines.write("-" * columns)
    lines.write(ticket.date)
    if ticket.absent_hint is not None:
        lines.write(ticket.absent_hint)
    printer.cut()
    return bytes(printer.output)


class _Lines:
    """Writes lines and codes that fit on the paper; lines are broken between words at the printer's column count."""

    def __init__(self, printer: Dummy, columns: int, dots: int) -> None:
        self._printer = printer
        self._columns = columns
        self._dots = dots

    def write(self, text: str, *, bold: bool = False, wide: bool = False, align: str = "left") -> None:
        scale = 2 if wide else 1
        self._printer.set(align=align, bold=bold, custom_size=True, width=scale, height=scale)
        for line in break_columns(text, self._columns // scale):
            self._printer._raw(encode(line) + b"\n")  # noqa: SLF001 - its text() guesses a code page for every sign
        self._printer.set(align="left", bold=False, normal_textsize=True)

    def pair(self, left: str, right: str | None) -> None:
        if right is None:
            self.write(left, bold=True)
            return
        room = self._columns - len(right) - 1
        if len(left) > room:
            self.write(left, bold=True)
            self.write(right, bold=True)
            return
        self.write(left.ljust(self._columns - len(right)) + right, bold=True)

    def code(self, text: str) -> None:
        module, _ = picture.qr_code(text, self._dots)
        # A printer adds no quiet zone around its code: feed 4 modules with ESC J.
        quiet = b"\x1bJ" + bytes([module * picture.QUIET])
        self._printer.set(align="center")
        self._printer._raw(quiet)  # noqa: SLF001 - it has no feed by dots
        self._printer.qr(text, native=True, size=module, ec=QR_LEVEL_M)
        self._printer._raw(quiet)  # noqa: SLF001 - it has no feed by dots
        self._printer.set(align="left")

    def number(self, number: tuple[str, str]) -> None:
        text = " ".join(part for part in number if part)
        scale = max(1, min(NUMBER_SCALE_MOST, self._columns // len(text)))
        self._printer.set(align="center", bold=True, custom_size=True, width=scale, height=scale)
        self._printer._raw(encode(text) + b"\n")  # noqa: SLF001
        self._printer.set(align="left", bold=False, normal_textsize=True)


def encode(text: str) -> bytes:
    """The text in Windows-1252, without no-break spaces, which some printers draw as another character."""
    return text.replace("\u00a0", " ").encode("cp1252", errors="replace")


def break_columns(text: str, columns: int) -> list[str]:
    """The text in lines of at most `columns` characters; a no-break space keeps its words together if they fit."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) <= columns:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        rest = word
        while len(rest) > columns:
            cut = rest.rfind("-", 0, columns) + 1 or columns
            lines[-1] = rest[:cut]
            lines.append("")
            rest = rest[cut:]
        lines[-1] = rest
    return [line.rstrip() for line in lines if line.strip()] or [""]
