"""What is shown of a text that people wrote: in signs that a font or a printer has. Pure."""

import unicodedata
from collections.abc import Callable

NO_BREAK_SPACE = "\u00a0"
# Signs that look like one that everything has.
_ALIKE = str.maketrans({"\u202f": NO_BREAK_SPACE, "\u2010": "-", "\u2011": "-", "\u02bc": "’"})
# Lexend, as `make assets` builds it, has these beside the letters of Western and Central Europe.
_MORE = frozenset("ƒȘșȚțẞˆ˜–—‘’‚“”„†•…″‹›€™−")


def in_lexend(sign: str) -> bool:
    return " " <= sign <= "~" or NO_BREAK_SPACE <= sign <= "ž" or sign in _MORE


def shown(text: str, has: Callable[[str], bool]) -> str:
    """The text on one line, its letters composed, in signs for which `has` holds.

    What is lacking loses its accent, else becomes `?`: a name with a hole is still read, a wrong sign is not.
    """
    # Copied from a PDF or typed on a Mac, an accent may be a sign of its own.
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
