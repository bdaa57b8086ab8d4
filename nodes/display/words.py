"""The words of displays, from their own catalogue."""

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
    """Marks a message for the catalogue where it is translated later."""
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
    """What a display says its words in."""

    language: Annotated[
        str, Meta(pattern=r"^[a-z]{2}\Z", extra={"wanted": "fr or en"}, description="language of what the display says")
    ] = "fr"


@dataclass(frozen=True, slots=True)
class Words:
    """One language. What is not translated stays English."""

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
        """A weekday alone names the six days after today; from then on it takes the date."""
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
        """The day alone where it is not today's: how many minutes ago it was, matters no more."""
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
    """Raises WrongSetting where there is no built catalogue of that language."""
    return Words(catalogue_in(DOMAIN, language))
