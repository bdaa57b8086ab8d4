"""Opening hours, local days and the end of a day. Pure: moments are arguments, in ms since 1970 UTC."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.site import EVERY_DAY, Service, Site

_DAY = timedelta(days=1)
# In every zone, midnight and clock changes fall on a quarter of an hour since 2023 at the latest (the tz database).
_QUARTER_S = 900


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(moment_ms: int, zone: str) -> datetime:
    """The local date and time of a moment."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(_zone(zone))


@lru_cache(maxsize=64)
def _day_of_quarter(quarter: int, zone: str) -> str:
    return datetime.fromtimestamp(quarter * _QUARTER_S, UTC).astimezone(_zone(zone)).date().isoformat()


def local_day(moment_ms: int, zone: str) -> str:
    """The site's calendar day at a moment, `2026-11-24`."""
    return _day_of_quarter(moment_ms // (_QUARTER_S * 1000), zone)


@lru_cache(maxsize=256)
def minute_of(clock_time: str) -> int:
    """Minutes since midnight of `8:30`; `24:00` is 1440."""
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


@lru_cache(maxsize=16)
def _moment_ms(day: date, minute: int, zone: str) -> int:
    whole_days, minute = divmod(minute, 1440)
    at = datetime.combine(day + whole_days * _DAY, time(minute // 60, minute % 60), _zone(zone))
    return int(at.timestamp() * 1000)


def _within(service: Service, moment_ms: int, zone: str, first: str, last: str) -> bool:
    now = local(moment_ms, zone)
    if EVERY_DAY[now.weekday()] not in service.days:
        return False
    return minute_of(first) <= now.hour * 60 + now.minute < minute_of(last)


def issues_tickets(service: Service, moment_ms: int, zone: str) -> bool:
    """Whether the service issues tickets at this moment: from `opens` to `last_ticket`."""
    return _within(service, moment_ms, zone, service.opens, service.last_ticket)


def is_open(service: Service, moment_ms: int, zone: str) -> bool:
    """Whether the service is in its opening hours: from `opens` to `closes`."""
    return _within(service, moment_ms, zone, service.opens, service.closes)


@dataclass(frozen=True, slots=True)
class Opening:
    """A local day and the time on it, `8:30`."""

    day: date
    opens: str


def next_opening(services: Iterable[Service], moment_ms: int, zone: str) -> Opening | None:
    """The next opening, which is within a week; None if no service ever opens."""
    now = local(moment_ms, zone)
    today_minute = now.hour * 60 + now.minute
    for ahead in range(8):
        day = now.date() + ahead * _DAY
        openings = [
            service.opens
            for service in services
            if EVERY_DAY[day.weekday()] in service.days and (ahead > 0 or minute_of(service.opens) > today_minute)
        ]
        if openings:
            return Opening(day, min(openings, key=minute_of))
    return None


def day_end_ms(site: Site, day: str) -> int:
    """When a local day ends: `day_end_delay_min` after the last closing of any service."""
    last = max((minute_of(service.closes) for service in site.services), default=1440)
    return _moment_ms(date.fromisoformat(day), last + site.day_end_delay_min, site.zone)


def next_day_ms(day: str, zone: str) -> int:
    """When the local day after `day` begins."""
    return _moment_ms(date.fromisoformat(day), 1440, zone)


def day_end_for_ms(site: Site, day: str, appointment_ms: int) -> int:
    """When a local day ends for a ticket: at midnight, if its appointment is after the day's end."""
    end_ms = day_end_ms(site, day)
    return end_ms if appointment_ms < end_ms else next_day_ms(day, site.zone)


def outlives_from_ms(site: Site, day: str, now_ms: int) -> int:
    """The appointment time from which tickets outlive the end of a day.

    Until the next day begins, they include the appointments later that evening.
    """
    next_ms = next_day_ms(day, site.zone)
    return min(day_end_ms(site, day), next_ms) if now_ms < next_ms else next_ms


def is_over(site: Site, day: str, now_ms: int) -> bool:
    """Whether this day has ended. No ticket of it may wait on: it would come first the next day."""
    return day_end_ms(site, day) <= now_ms


def is_over_for(site: Site, day: str, appointment_ms: int, now_ms: int) -> bool:
    """Whether this day has ended for a ticket with this appointment time; 0 for a ticket without an appointment."""
    return is_over(site, day, now_ms) and appointment_ms < outlives_from_ms(site, day, now_ms)


def last_ended_day(site: Site, moment_ms: int) -> str:
    """The latest local day that has ended."""
    day = local(moment_ms, site.zone).date()
    while day_end_ms(site, day.isoformat()) > moment_ms:
        day -= _DAY
    return day.isoformat()
