"""The gettext catalogue for the language of SUIVANT_LANGUAGE."""

import gettext
from pathlib import Path

from protocol.environment import WrongSetting

LOCALE = Path(__file__).parent / "locale"


def catalogue_in(domain: str, language: str) -> gettext.NullTranslations:
    """Load a catalogue; English needs none. Raises WrongSetting if that language has no built catalogue."""
    if language == "en":
        return gettext.NullTranslations()
    try:
        return gettext.translation(domain, LOCALE, languages=[language])
    except FileNotFoundError as error:
        wanted = "en, or a language with a built catalogue, such as fr"
        raise WrongSetting("SUIVANT_LANGUAGE", language, wanted) from error
