"""The colours in the style sheet itself, measured by WCAG's formula."""

import re
from pathlib import Path

import pytest

import hub.web

STYLE = (Path(hub.web.__file__).parent / "static/desk.css").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6});", STYLE))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    pairs = [digit * 2 for digit in digits] if len(digits) == 3 else re.findall("..", digits)
    parts = [int(pair, 16) / 255 for pair in pairs]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(COLOURS[one]), luminance(COLOURS[other])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("encre", "papier", 15.7), ("encre", "page", 14.1), ("encre", "blanc", 16.3), ("encre", "band", 7),
        ("papier", "encre", 15.7), ("papier", "encre2", 12.9), ("gris", "page", 8.1), ("gris", "papier", 9.1),
        ("gris", "blanc", 9.4), ("gris", "off", 7.1), ("gris", "band", 7), ("off-text", "page", 5.1),
        ("on-accent", "accent", 8.8), ("encre", "accent-pale", 13.2), ("encre", "ambre", 10.1),
        ("ambre-texte", "ambre-pale", 7.6), ("encre", "ambre-pale", 7), ("bleu", "bleu-pale", 7.2),
        ("bleu", "blanc", 7), ("trait-fort", "page", 3), ("trait-fort", "blanc", 3), ("encre3", "encre", 3),
    ],
)  # fmt: skip
def test_every_pair_that_the_page_uses_can_be_read(text: str, ground: str, least: float) -> None:
    assert contrast(text, ground) >= least


def test_nothing_is_seen_through_shadowed_or_blurred() -> None:
    assert not re.search(r"opacity|gradient|blur\(|rgba|filter:", STYLE)
