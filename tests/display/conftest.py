"""A painter without a screen, and the French words from their source."""

import gettext
from io import BytesIO

import pygame
import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from nodes.display.painter import Fonts
from nodes.display.words import DOMAIN, Words
from nodes.language import LOCALE


@pytest.fixture(scope="session")
def fonts() -> Fonts:
    pygame.display.init()
    pygame.display.set_mode((1, 1))
    return Fonts()


@pytest.fixture(scope="session")
def words() -> Words:
    with (LOCALE / f"fr/LC_MESSAGES/{DOMAIN}.po").open("rb") as source:
        compiled = BytesIO()
        write_mo(compiled, read_po(source, locale="fr"))
    compiled.seek(0)
    return Words(gettext.GNUTranslations(compiled))
