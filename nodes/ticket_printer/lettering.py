"""Measures and breaks text in the ticket's font. Pure, except that it reads the fonts.

Lengths are in dots, 8 to the millimetre.
"""

import re
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).parents[1] / "assets" / "fonts"
BOLD, NUMBER_WEIGHT = 600, 700
# Capitals of 2.5 mm, which can still be read without one's glasses.
LEAST_SIZE = 28
# The step between the sizes that are tried.
_STEP = 2
_PARTS = re.compile(r"[^ -]*(?:-+| +|$)")


def ink_width(text: str, size: int, weight: int) -> int:
    left, right = ink_edges(text, size, weight)
    return right - left


@lru_cache(maxsize=512)
def ink_edges(text: str, size: int, weight: int) -> tuple[int, int]:
    """Where the text's ink begins and ends, relative to its origin; (0, 0) without ink.

    Pillow's own box includes the side bearings of the glyphs, which would indent an F by 12 dots.
    """
    mask, (left, _) = font(weight, size).getmask2(text, mode="L", anchor="ls")
    box = mask.getbbox()
    return (0, 0) if box is None else (round(left) + box[0], round(left) + box[2])


@lru_cache(maxsize=32)
def font(weight: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"Lexend-{weight}.ttf"), size, layout_engine=ImageFont.Layout.BASIC)


def fit_size(text: str, size: int, weight: int, width: int) -> int | None:
    """The largest size up to `size` at which the text is at most `width` wide; None if size 28 is still too wide."""
    for smaller in range(size, LEAST_SIZE - 1, -1):
        if ink_width(text, smaller, weight) <= width:
            return smaller
    return None


def fit_lines(text: str, size: int, weight: int, width: int, most: int) -> tuple[int, tuple[str, ...]]:
    """The largest size up to `size` at which the text takes at most `most` lines of whole words, and these lines.

    If even size 28 is too large for that, the text is broken by `break_lines`.
    """
    for smaller in range(size, LEAST_SIZE, -_STEP):
        lines = break_lines(text, smaller, weight, width, most)
        if _words(" ".join(lines)) == _words(text):
            return smaller, lines
    return LEAST_SIZE, break_lines(text, LEAST_SIZE, weight, width, most)


def break_lines(text: str, size: int, weight: int, width: int, most: int) -> tuple[str, ...]:
    """The text in at most `most` lines of `width`, broken after spaces and hyphens, else inside a word.

    A text that is too long ends in `…`.
    """
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
    # Break after a space or a hyphen, which stays on its line.
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
