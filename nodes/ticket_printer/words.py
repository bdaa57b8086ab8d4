"""The ticket's words, from its own catalogue."""

import gettext
from dataclasses import dataclass

from nodes.language import catalogue_in

DOMAIN = "ticket_printer"


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `one` and `many` translate from English; untranslated text stays English."""

    catalogue: gettext.NullTranslations

    def one(self, message: str) -> str:
        return self.catalogue.gettext(message)

    def many(self, singular: str, plural: str, count: int) -> str:
        return self.catalogue.ngettext(singular, plural, count)


def words_in(language: str) -> Words:
    """The ticket's words in a language. Raises WrongSetting if it has no built catalogue."""
    return Words(catalogue_in(DOMAIN, language))
