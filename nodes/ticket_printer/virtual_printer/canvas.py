"""The virtual printer's paper roll: rows of dots that grow downwards until they are cut."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_FONT = Path(__file__).parents[2] / "assets" / "fonts" / "Lexend-500.ttf"
# Width and height in dots of one character in fonts A and B of an 80 mm printer.
CELLS = {"A": (12, 24), "B": (9, 17)}
# The longest roll without a cut: 5 m of paper.
ROLL_DOTS_MOST = 40_000
MIDDLE_GREY = 128
_GLYPH_EM = 0.92
_BASELINE = 0.78


class Align(StrEnum):
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Style:
    """How a character is printed; `width` and `height` are the multiples, 1 to 8, of its cell."""

    font: str = "A"
    width: int = 1
    height: int = 1
    bold: bool = False
    underline: bool = False
    inverse: bool = False

    @property
    def cell(self) -> tuple[int, int]:
        width, height = CELLS[self.font]
        return width * self.width, height * self.height


PLAIN = Style()


class RollTooLong(ValueError):
    """More was printed without a cut than is kept."""


class Canvas:
    """A roll `width` dots wide; `take` returns what was printed since the last call. 0 is ink."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._image = Image.new("L", (width, 1_024), 255)
        self._used = 0

    @property
    def used_dots(self) -> int:
        return self._used

    def feed(self, dots: int) -> None:
        self._room(dots)
        self._used += dots

    def image(self, dots: Image.Image, align: Align) -> None:
        """Print a picture in mode `L` from the current row on; what is too wide is lost, as on paper."""
        self._room(dots.height)
        left = {Align.LEFT: 0, Align.CENTER: (self.width - dots.width) // 2, Align.RIGHT: self.width - dots.width}[
            align
        ]
        self._image.paste(dots, (max(0, left), self._used))
        self._used += dots.height

    def line(self, signs: list[tuple[str, Style]], align: Align, spacing_dots: int) -> None:
        """Print one line of characters, aligned at the bottom; an empty line only feeds by the spacing."""
        height = max((style.cell[1] for _, style in signs), default=0)
        if height:
            row = Image.new("L", (sum(style.cell[0] for _, style in signs), height), 255)
            x = 0
            for sign, style in signs:
                row.paste(_glyph(sign, style), (x, height - style.cell[1]))
                x += style.cell[0]
            self.image(row, align)
        self.feed(max(0, spacing_dots - height))

    def take(self) -> Image.Image:
        """Cut: returns the paper as a picture in mode `1` and starts a new one."""
        paper = self._image.crop((0, 0, self.width, max(1, self._used))).convert("1", dither=Image.Dither.NONE)
        self._image = Image.new("L", (self.width, 1_024), 255)
        self._used = 0
        return paper

    def _room(self, dots: int) -> None:
        wanted = self._used + dots
        if wanted > ROLL_DOTS_MOST:
            raise RollTooLong(f"{wanted} dots were printed without a cut; at most {ROLL_DOTS_MOST} are kept")
        if wanted <= self._image.height:
            return
        longer = Image.new("L", (self.width, max(wanted, 2 * self._image.height)), 255)
        longer.paste(self._image, (0, 0))
        self._image = longer


@lru_cache(maxsize=512)
def _glyph(sign: str, style: Style) -> Image.Image:
    """One character in its cell; our font is not monospaced, so a wide character is compressed."""
    width, height = style.cell
    face = ImageFont.truetype(str(_FONT), round(height * _GLYPH_EM), layout_engine=ImageFont.Layout.BASIC)
    natural = max(1, round(face.getlength(sign)))
    drawn = Image.new("L", (natural, height), 255)
    pen = ImageDraw.Draw(drawn)
    for shift in range(1 + max(1, height // 48) if style.bold else 1):
        pen.text((shift, height * _BASELINE), sign, fill=0, font=face, anchor="ls")
    wished = min(width, round(natural * style.width / style.height))
    if wished != natural:
        drawn = drawn.resize((max(1, wished), height))
    cell = Image.new("L", (width, height), 255)
    cell.paste(drawn, ((width - drawn.width) // 2, 0))
    if style.underline:
        ImageDraw.Draw(cell).rectangle((0, height - 2, width, height), fill=0)
    return cell.point([0 if (level < MIDDLE_GREY) != style.inverse else 255 for level in range(256)])
