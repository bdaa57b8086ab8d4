"""The catalogue of a program's words in the language of SUIVANT_LANGUAGE."""

import gettext
from pathlib import Path

from protocol.environment import WrongSetting

LOCALE = Path(__file__).parent / "locale"


def catalogue_in(domain: str, language: str) -> gettext.NullTranslations:
    """Raises WrongSetting where there is no built catalogue of that language; English needs none."""
    if language == "en":
        return gettext.NullTranslations()
    try:
        return gettext.translation(domain, LOCALE, languages=[language])
    except FileNotFoundError as error:
        wanted = "en, or a language with a built catalogue, such as fr"
        raise WrongSetting("SUIVANT_LANGUAGE", language, wanted) from error
