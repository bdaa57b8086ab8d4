"""What becomes of characters that people typed: the font has every character that is drawn."""

from unicodedata import normalize

import pytest
from fontTools.ttLib import TTFont

from nodes.display.draw import Weight
from nodes.display.layout.canvas import printable
from nodes.display.painter import ASSETS
from nodes.ticket_printer.ticket import printable as printable_on_paper


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("L’HAŸ-LES-ROSES", "L’HAŸ-LES-ROSES"),
        ("Œuvres « à Łódź », Timișoara", "Œuvres « à Łódź », Timișoara"),
        (normalize("NFD", "Besançon, État civil"), "Besançon, État civil"),
        ("Rez\u2011de\u2011jardin", "Rez-de-jardin"),
        ("10\u202f%, 10\u2009000", "10\u00a0%, 10 000"),
        ("№ 5, ﬁn, Hà Nội", "No 5, fin, Hà Noi"),
        ("→ ✓ x\u0302", "? ? x"),
        ("deux\nlignes\x1b\u200b@", "deux lignes@"),
    ],
)
def test_a_text_is_shown_in_signs_that_a_display_has(written, shown):
    assert printable(written) == shown


def held(weight: Weight) -> set[str]:
    with TTFont(ASSETS / f"fonts/Lexend-{weight.value}.ttf") as font:
        return {chr(code) for code in font.getBestCmap()}


@pytest.mark.parametrize("printed", [printable, printable_on_paper], ids=["display", "paper"])
def test_no_sign_of_any_alphabet_is_drawn_as_an_empty_box(printed):
    in_every_weight = set.intersection(*map(held, Weight))
    # The two planes with all alphabets and pictographs.
    signs = map(chr, range(0x20000))
    assert {sign for sign in signs if not set(printed(sign)) <= in_every_weight} == set()
