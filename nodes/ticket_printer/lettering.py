"""How wide words are in the ticket's letters, and where their lines break. Pure but for reading the fonts once.

Lengths are dots: 8 a millimetre.
"""

import re
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).parents[1] / "assets" / "fonts"
BOLD, NUMBER_WEIGHT = 600, 700
# Capitals of 2.5 mm: what an eye without its glasses still reads.
LEAST_SIZE = 28
# Sizes that are tried one after the other lie so far apart.
_STEP = 2
_PARTS = re.compile(r"[^ -]*(?:-+| +|$)")


def ink_width(text: str, size: int, weight: int) -> int:
    left, right = ink_edges(text, size, weight)
    return right - left


@lru_cache(maxsize=512)
def ink_edges(text: str, size: int, weight: int) -> tuple[int, int]:
    """Where the text's ink begins and ends, counted from where it is set; (0, 0) without ink.

    Pillow's own box holds the white that a sign carries before and behind it: an F would stand 12 dots in.
    """
    mask, (left, _) = font(weight, size).getmask2(text, mode="L", anchor="ls")
    box = mask.getbbox()
    return (0, 0) if box is None else (round(left) + box[0], round(left) + box[2])


@lru_cache(maxsize=32)
def font(weight: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"Lexend-{weight}.ttf"), size, layout_engine=ImageFont.Layout.BASIC)


def fit_size(text: str, size: int, weight: int, width: int) -> int | None:
    """The largest size up to `size` at which the text is at most `width` wide; None where 28 dots are too wide."""
    for smaller in range(size, LEAST_SIZE - 1, -1):
        if ink_width(text, smaller, weight) <= width:
            return smaller
    return None


def fit_lines(text: str, size: int, weight: int, width: int, most: int) -> tuple[int, tuple[str, ...]]:
    """The largest size up to `size` at which the text takes at most `most` lines with its words whole, and the lines.

    Where 28 dots are too large for that, it is broken as `break_lines` does.
    """
    for smaller in range(size, LEAST_SIZE, -_STEP):
        lines = break_lines(text, smaller, weight, width, most)
        if _words(" ".join(lines)) == _words(text):
            return smaller, lines
    return LEAST_SIZE, break_lines(text, LEAST_SIZE, weight, width, most)


def break_lines(text: str, size: int, weight: int, width: int, most: int) -> tuple[str, ...]:
    """The text in at most `most` lines of `width`, broken after spaces and hyphens, else inside a word."""
    lines: list[str] = []
    rest = text
    while rest and len(lines) < most:
        before = rest
        line, rest = _first_line(rest, size, weight, width)
        lines.append(line)
    if rest:
        lines[-1] = _shorten(before, size, weight, width)
    return tuple(lines)


def _words(text: str) -> list[str]:
    # A line may end after a hyphen.
    return [word for word in text.replace("-", "- ").split(" ") if word]


def _first_line(text: str, size: int, weight: int, width: int) -> tuple[str, str]:
    if ink_width(text, size, weight) <= width:
        return text, ""
    # After a space or a hyphen, which stay where they are.
    parts = _PARTS.findall(text)
    line = parts[0]
    for part in parts[1:]:
        if ink_width((line + part).rstrip(), size, weight) > width:
            break
        line += part
    cut = len(line.rstrip())
    while cut > 1 and ink_width(line[:cut], size, weight) > width:
        cut -= 1
    return line[:cut], text[cut:].lstrip(" ")


def _shorten(text: str, size: int, weight: int, width: int) -> str:
    kept = text
    while kept and ink_width(kept.rstrip() + "…", size, weight) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"
