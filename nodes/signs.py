"""Reduces text that people wrote to the characters of a font or a printer. Pure."""

import unicodedata
from collections.abc import Callable

NO_BREAK_SPACE = "\u00a0"
# Characters with a look-alike that every font and printer has.
_ALIKE = str.maketrans({"\u202f": NO_BREAK_SPACE, "\u2010": "-", "\u2011": "-", "\u02bc": "’"})
# Lexend, as `make assets` builds it, has these besides the letters of Western and Central Europe.
_MORE = frozenset("ƒȘșȚțẞˆ˜–—‘’‚“”„†•…″‹›€™−")


def in_lexend(sign: str) -> bool:
    return " " <= sign <= "~" or NO_BREAK_SPACE <= sign <= "ž" or sign in _MORE


def shown(text: str, has: Callable[[str], bool]) -> str:
    """The text on one line, in NFC, with only characters for which `has` is true.

    A missing character loses its accent or else becomes `?`: a name with a gap is still readable, unlike one with a
    wrong character.
    """
    # In text copied from a PDF or typed on a Mac, an accent may be a character of its own.
    composed = unicodedata.normalize("NFC", text).translate(_ALIKE)
    return "".join(_shown(sign, has) for sign in composed)


def _shown(sign: str, has: Callable[[str], bool]) -> str:
    if sign == NO_BREAK_SPACE:
        return sign
    if sign.isspace():
        return " "
    if not sign.isprintable():
        return ""
    if has(sign):
        return sign
    plain = "".join(part for part in unicodedata.normalize("NFKD", sign) if has(part))
    return plain or ("" if unicodedata.category(sign).startswith("M") else "?")
