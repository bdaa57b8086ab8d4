"""The layout's canvas: it takes units of the reference screen and makes shapes in pixels of the real one.

The reference is a 55-inch screen of 1920 × 1080, or the same upright; a unit is one of its pixels.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

from nodes.display.draw import (
    Align,
    Arrow,
    Box,
    Colour,
    Fill,
    Icon,
    Logo,
    Picture,
    Pointer,
    Ring,
    Rounded,
    Shape,
    Stripes,
    Text,
    Ticket,
    Weight,
)
from nodes.display.palette import ACCENT, PAPER
from nodes.display.sizes import CAPITAL_EM, Screen
from nodes.signs import in_lexend, shown

# The advance width of a text in pixels, by text, weight and em in pixels.
Measure = Callable[[str, Weight, int], int]
Area = tuple[float, float, float, float]

REFERENCE_LONG = 1920
REFERENCE_SHORT = 1080
# The gap between the letter and the digits of a number, in em.
NUMBER_GAP_EM = 0.2
TEXT_MOST = 200
LETTERS_MOST = 40
# Lexend has no tabular digits: each digit of a running time has its own slot, so that its neighbours do not move.
DIGIT_SLOT_EM = 0.66


# Cached, since each text is asked for several times to be measured and drawn.
@lru_cache(maxsize=512)
def printable(text: str) -> str:
    """The text in characters that the font has, cut to a length that can still be read."""
    return shown(text[:TEXT_MOST], in_lexend)


def split_number(number: str) -> tuple[str, str]:
    """Split `A012` into its series and its digits."""
    series = number.rstrip("0123456789")
    return series, number[len(series) :]


def _reference(screen: Screen) -> tuple[int, int]:
    return (REFERENCE_SHORT, REFERENCE_LONG) if screen.portrait else (REFERENCE_LONG, REFERENCE_SHORT)


def scale_of(screen: Screen) -> float:
    """Pixels per unit."""
    width, height = _reference(screen)
    return min(screen.width / width, screen.height / height)


class Canvas:
    """Takes shapes in units, in painting order. `shift`, in units, moves all shapes except those of full width."""

    def __init__(self, screen: Screen, measure: Measure, shift: tuple[int, int] = (0, 0)) -> None:
        self.screen = screen
        self.width, self.height = _reference(screen)
        self.scale = scale_of(screen)
        self._measure = measure
        self._left = (screen.width - self.width * self.scale) / 2 + shift[0] * self.scale
        self._top = (screen.height - self.height * self.scale) / 2 + shift[1] * self.scale
        self._shapes: list[Shape] = []

    @property
    def picture(self) -> Picture:
        return tuple(self._shapes)

    def em_px(self, em: float) -> int:
        """An em in pixels, at least 1."""
        return max(1, self.px(em))

    def px(self, units: float) -> int:
        return round(units * self.scale)

    def _x(self, x: float) -> int:
        return round(self._left + x * self.scale)

    def _y(self, y: float) -> int:
        return round(self._top + y * self.scale)

    def _box(self, area: Area) -> Box:
        x, y, width, height = area
        left, top = self._x(x), self._y(y)
        return Box(left, top, self._x(x + width) - left, self._y(y + height) - top)

    # --- full width: to the edges of a screen of any shape, and not shifted ---------------------------------------

    def ground(self, colour: Colour) -> None:
        self._shapes.append(Fill(Box(0, 0, self.screen.width, self.screen.height), colour))

    def band(self, top: float, colour: Colour) -> float:
        """Fill from `top` to the screen's lower edge. Returns how much lower its middle is than on the reference."""
        y = self._y(top)
        self._shapes.append(Fill(Box(0, y, self.screen.width, max(0, self.screen.height - y)), colour))
        below = (self.screen.height / self.scale - self.height) / 2
        return below / 2

    def stripes(self, height: float, pitch: float, colour: Colour) -> None:
        """Stripes along the upper and the lower edge of the screen."""
        high = self.px(height)
        for y in (0, self.screen.height - high):
            self._shapes.append(Stripes(Box(0, y, self.screen.width, high), self.px(pitch), colour))

    # --- shapes ------------------------------------------------------------------------------------------------

    def rule(self, area: Area, colour: Colour) -> None:
        self._shapes.append(Fill(self._box(area), colour))

    def row(self, area: Area, radius: float, colour: Colour) -> None:
        self._shapes.append(Rounded(self._box(area), self.px(radius), colour))

    def outline(self, area: Area, radius: float, thickness: float, colour: Colour) -> None:
        self._shapes.append(Ring(self._box(area), self.px(radius), self.px(thickness), colour))

    def ticket(self, area: Area, radius: float, notch: float, colour: Colour = PAPER) -> None:
        self._shapes.append(Ticket(self._box(area), self.px(radius), self.px(notch), colour))

    def plaque(self, area: Area, radius: float, inset: float, thickness: float) -> None:
        """An enamel plate with a keyline whose corners are concentric with the plate's."""
        x, y, width, height = area
        self.row(area, radius, ACCENT)
        inner = (x + inset, y + inset, width - 2 * inset, height - 2 * inset)
        self.outline(inner, radius - inset, thickness, PAPER)

    def arrow(self, area: Area, thickness: float, colour: Colour) -> None:
        self._shapes.append(Arrow(self._box(area), self.px(thickness), colour))

    def pointer(self, area: Area, colour: Colour) -> None:
        self._shapes.append(Pointer(self._box(area), colour))

    def icon(self, name: str, x: float, y: float, side: float, colour: Colour) -> None:
        self._shapes.append(Icon(name, self._box((x, y, side, side)), colour))

    def logo(self, x: float, y: float, side: float) -> None:
        self._shapes.append(Logo(self._box((x, y, side, side)), PAPER))

    # --- words -------------------------------------------------------------------------------------------------

    def width_of(self, text: str, weight: Weight, em: float) -> float:
        return self._measure(printable(text), weight, self.em_px(em)) / self.scale

    def fit(self, text: str, weight: Weight, em: float, width: float) -> float:
        """The largest size up to `em` at which the text is at most `width` wide."""
        return self.shrunk(em, lambda em: self.width_of(text, weight, em), width)

    def shrunk(self, em: float, wide: Callable[[float], float], room: float) -> float:
        """The largest size up to `em` at which `wide(size)` is at most `room`, found in whole pixels at the end."""
        room = max(room, 0)
        if wide(em) <= room:
            return em
        em *= room / wide(em)
        while self.em_px(em) > 1 and wide(em) > room:
            em = (self.em_px(em) - 1) / self.scale
        return em

    def text(
        self, text: str, x: float, baseline: float, em: float, weight: Weight, colour: Colour, align: Align = Align.LEFT
    ) -> None:
        shown = printable(text)
        if shown:
            self._shapes.append(Text(shown, self._x(x), self._y(baseline), self.em_px(em), weight, colour, align))

    def running(self, text: str, x: float, baseline: float, em: float, weight: Weight, colour: Colour) -> None:
        """A text whose digits change: each is centred in its own slot."""
        for digits, run in groupby(text, str.isdigit):
            if digits:
                for digit in run:
                    self.text(digit, x + DIGIT_SLOT_EM * em / 2, baseline, em, weight, colour, Align.CENTRE)
                    x += DIGIT_SLOT_EM * em
                continue
            words = "".join(run)
            self.text(words, x, baseline, em, weight, colour)
            x += self.width_of(words, weight, em)

    def running_width(self, text: str, weight: Weight, em: float) -> float:
        digits = sum(sign.isdigit() for sign in text)
        words = (self.width_of("".join(run), weight, em) for digit, run in groupby(text, str.isdigit) if not digit)
        return digits * DIGIT_SLOT_EM * em + sum(words)

    def number(self, number: str, x: float, baseline: float, em: float, colour: Colour) -> None:
        series, digits = split_number(number)
        if series:
            self.text(series, x, baseline, em, Weight.SEMIBOLD, colour)
            x += self.width_of(series, Weight.SEMIBOLD, em) + NUMBER_GAP_EM * em
        if digits:
            self.text(digits, x, baseline, em, Weight.SEMIBOLD, colour)

    def number_width(self, number: str, em: float) -> float:
        series, digits = split_number(number)
        gap = NUMBER_GAP_EM * em if series and digits else 0
        return self.width_of(series, Weight.SEMIBOLD, em) + gap + self.width_of(digits, Weight.SEMIBOLD, em)

    def fit_number(self, number: str, letters: str, em: float, width: float) -> float:
        """One size for all numbers with these letters, so that the size never changes; it also fits this number."""
        every = [number, *(f"{letter}000" for letter in sorted(set(letters))[:LETTERS_MOST])]
        return self.shrunk(em, lambda em: max(self.number_width(each, em) for each in every), width)

    def wrap(self, text: str, weight: Weight, em: float, width: float) -> list[str]:
        """Break the text at spaces into lines of at most `width`; a single word may be wider."""
        lines: list[str] = []
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width_of(longer, weight, em) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def halves(text: str, wide: Callable[[str], float]) -> list[str]:
    """The text in two lines, the wider one as narrow as possible; in one line if it has no space."""
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    splits = [[text[:place], text[place + 1 :]] for place in spaces]
    return min(splits, key=lambda lines: max(map(wide, lines)), default=[text])


def baseline_in(top: float, height: float, em: float) -> float:
    """The baseline that centres capitals in a height."""
    return top + height / 2 + em * CAPITAL_EM / 2
