"""The site as it is configured: halls, services, desks and nodes. Plain data; `hub.config` reads it from a file."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from protocol.messages import Name, Role

MINUTE_MS = 60_000
DAY_MS = 86_400_000

# Never I, O or Q: from afar they read as 1 and 0 (the look's own rule for letters).
Letter = Annotated[str, Meta(pattern=r"^[A-HJ-NPR-Z]$")]
# Local time of a day, 8:30; 24:00 is its end.
ClockTime = Annotated[str, Meta(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
Minutes = Annotated[int, Meta(ge=0, le=1440)]


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


EVERY_DAY = tuple(Weekday)
WORKING_DAYS = EVERY_DAY[:5]


class Hall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A waiting room. `title` is read by people; a message has at most 46 signs, so that it fits the band."""

    name: Name
    title: str
    messages: tuple[Annotated[str, Meta(max_length=46)], ...] = ()


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a visitor comes for. `short` has at most 10 signs: a display's row holds no more.

    Tickets are issued from `opens` to `last_ticket`; `closes` is when the desks expect to be done.
    """

    name: Name
    letter: Letter
    title: str
    hall: Name
    short: Annotated[str, Meta(max_length=10)]
    days: tuple[Weekday, ...] = WORKING_DAYS
    opens: ClockTime = "8:30"
    last_ticket: ClockTime = "16:45"
    closes: ClockTime = "17:00"
    target_wait_min: Minutes = 20
    priority_head_start_min: Minutes = 60
    early_call_min: Minutes = 10
    absence_delay_min: Minutes = 5
    checks_in: bool = True
    strict: bool = False


class Help(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service a desk only helps out with: its tickets count as due that much later there."""

    service: Name
    delay_min: Minutes = 20


class Desk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A numbered counter. `number` is on its plaque; `place` is said where it is announced in another hall."""

    name: Name
    number: Annotated[str, Meta(pattern=r"^[1-9][0-9]?$")]
    hall: Name
    serves: tuple[Name, ...]
    helps: tuple[Help, ...] = ()
    place: str | None = None
    confirms_arrivals: bool = False


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Raspberry Pi and what it is for. `pins`: service name to BCM pin of its button, on a dispenser."""

    name: Name
    role: Role
    desk: Name | None = None
    hall: Name | None = None
    button_pin: int = 17
    led_pin: int = 27
    diagonal_in: float = 55.0
    farthest_m: float = 5.0
    pins: dict[Name, int] = {}


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One building. `zone`: IANA name. `day_end_delay_min`: from the last closing to the end of the day."""

    name: Name
    town: str
    zone: str
    halls: tuple[Hall, ...]
    services: tuple[Service, ...]
    desks: tuple[Desk, ...]
    nodes: tuple[Node, ...] = ()
    day_end_delay_min: Minutes = 60
    follow_url: str = "http://127.0.0.1/t/"
