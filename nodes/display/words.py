"""The displays' words, from their own catalogue."""

import gettext
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from nodes.language import catalogue_in

DOMAIN = "display"
_MINUTES_AN_HOUR = 60
_DAYS_A_WEEK = 7


def _marked(message: str) -> str:
    """Mark a message for the catalogue; it is translated later."""
    return message


_WEEKDAYS = (
    _marked("Monday"),
    _marked("Tuesday"),
    _marked("Wednesday"),
    _marked("Thursday"),
    _marked("Friday"),
    _marked("Saturday"),
    _marked("Sunday"),
)
_MONTHS = (
    _marked("January"),
    _marked("February"),
    _marked("March"),
    _marked("April"),
    _marked("May"),
    _marked("June"),
    _marked("July"),
    _marked("August"),
    _marked("September"),
    _marked("October"),
    _marked("November"),
    _marked("December"),
)


class WordsSettings(Struct, frozen=True, kw_only=True):
    """A display's language setting."""

    language: Annotated[
        str,
        Meta(pattern=r"^[a-z]{2}\Z", extra={"wanted": "fr or en"}, description="language of the texts on the display"),
    ] = "fr"


@dataclass(frozen=True, slots=True)
class Words:
    """A display's words in one language; untranslated text stays English."""

    catalogue: gettext.NullTranslations

    @property
    def latest_calls(self) -> str:
        return self.catalogue.gettext("Latest calls")

    @property
    def desk(self) -> str:
        return self.catalogue.gettext("Desk")

    @property
    def waiting(self) -> str:
        return self.catalogue.gettext("Waiting")

    @property
    def welcome(self) -> str:
        return self.catalogue.gettext("Welcome")

    @property
    def take_a_ticket(self) -> str:
        return self.catalogue.gettext("Take a ticket at the dispenser")

    @property
    def closed(self) -> str:
        return self.catalogue.gettext("Closed")

    @property
    def waiting_for_server(self) -> str:
        return self.catalogue.gettext("Waiting for the server")

    @property
    def may_be_old(self) -> str:
        return self.catalogue.gettext("What is shown may be old. Ask at reception.")

    def opens(self, time: str, day: date | None, today: date) -> str:
        """The opening: time only for today, with the weekday for the six days after, with the date for later days."""
        if day is None or day <= today:
            return self.catalogue.gettext("Opens at {time}").format(time=time)
        if (day - today).days < _DAYS_A_WEEK:
            return self.catalogue.gettext("Opens {weekday} at {time}").format(weekday=self._weekday(day), time=time)
        return self.catalogue.gettext("Opens on {day} at {time}").format(day=self.day(day), time=time)

    def offline_since(self, seconds: int) -> str:
        minutes, rest = divmod(seconds, 60)
        if minutes < _MINUTES_AN_HOUR:
            return self.catalogue.gettext("Offline for {time}").format(time=f"{minutes}:{rest:02d}")
        hours, minutes = divmod(minutes, 60)
        return self.catalogue.gettext("Offline for {hours} h {minutes}").format(hours=hours, minutes=f"{minutes:02d}")

    def made_at(self, time: str, day: date, today: date) -> str:
        """When the picture was made: the time if it was today, else the day, since the time no longer matters."""
        if day == today:
            return self.catalogue.gettext("What is shown is from {time}. Ask at reception.").format(time=time)
        return self.catalogue.gettext("What is shown is from {day}. Ask at reception.").format(day=self.day(day))

    def day(self, day: date) -> str:
        weekday = self._weekday(day)
        month = self.catalogue.gettext(_MONTHS[day.month - 1])
        if day.day == 1:
            return self.catalogue.gettext("{weekday} 1 {month}").format(weekday=weekday, month=month)
        return self.catalogue.gettext("{weekday} {day} {month}").format(weekday=weekday, day=day.day, month=month)

    def _weekday(self, day: date) -> str:
        return self.catalogue.gettext(_WEEKDAYS[day.weekday()])


def words_in(language: str) -> Words:
    """The displays' words in a language. Raises WrongSetting if it has no built catalogue."""
    return Words(catalogue_in(DOMAIN, language))
