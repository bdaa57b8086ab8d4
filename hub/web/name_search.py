"""Names as people look for them: accents, case, hyphens and apostrophes do not matter, in any script."""

import re
import unicodedata

# Letters that Unicode does not take apart into a plain one and its mark.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "þ": "th", "æ": "ae", "œ": "oe"})
_JOINERS = frozenset("-'’ʼ‘‐‑‒–—−`´")


def folded(text: str) -> str:
    """Words of plain lower-case letters and digits with one space between: `Anne-Zoé d’Œuf` is `anne zoe d oeuf`."""
    return " ".join(_words(_letters(text)))


def search_words(name: str) -> tuple[str, ...]:
    """What a name may be found by: its folded words, and those that a hyphen or an apostrophe joins as one, `doeuf`."""
    plain = _letters(name)
    joined = _words("".join(sign for sign in plain if sign not in _JOINERS))
    return tuple(dict.fromkeys([*_words(plain), *joined]))


def is_found(query: str, name: str) -> bool:
    """Whether every word of a folded query begins a word of the name."""
    words = search_words(name)
    return all(any(word.startswith(asked) for word in words) for asked in query.split())


def _letters(text: str) -> str:
    """Lower case without marks; what only steers how text is set (a joiner, a direction) is left out."""
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(sign for sign in parts if unicodedata.category(sign)[0] != "M" and not _steers(sign)).translate(
        _PLAIN
    )


def _steers(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf"


def _words(plain: str) -> list[str]:
    return re.findall(r"[^\W_]+", plain)
