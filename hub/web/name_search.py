"""Matches names as people search for them: accents, case, hyphens and apostrophes do not matter, in any script."""

import re
import unicodedata

# Letters that Unicode does not decompose into a base letter and a mark.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "þ": "th", "æ": "ae", "œ": "oe"})
_JOINERS = frozenset("-'’ʼ‘‐‑‒–—−`´")


def folded(text: str) -> str:
    """Reduce a text to lower-case words of base letters and digits: `Anne-Zoé d’Œuf` becomes `anne zoe d oeuf`."""
    return " ".join(_words(_letters(text)))


def search_words(name: str) -> tuple[str, ...]:
    """Return the words that find a name: its folded words, and those that a hyphen or an apostrophe joins, `doeuf`."""
    plain = _letters(name)
    joined = _words("".join(sign for sign in plain if sign not in _JOINERS))
    return tuple(dict.fromkeys([*_words(plain), *joined]))


def is_found(query: str, name: str) -> bool:
    """Whether every word of a folded query begins a word of the name."""
    words = search_words(name)
    return all(any(word.startswith(asked) for word in words) for asked in query.split())


def _letters(text: str) -> str:
    """Lower-case a text, and leave out combining marks and format characters (joiners, directions)."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(sign for sign in parts if unicodedata.category(sign)[0] != "M" and not _steers(sign)).translate(
        _PLAIN
    )


def _steers(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf"


def _words(plain: str) -> list[str]:
    return re.findall(r"[^\W_]+", plain)
