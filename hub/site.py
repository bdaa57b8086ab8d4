"""The configured site: halls, services, desks and nodes. Plain data; `hub.config` reads it from the site file."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.environment import like
from protocol.messages import Name, Role

MINUTE_MS = 60_000
DAY_MS = 86_400_000

# Never I, O or Q: from a distance they look like 1 and 0 (a rule of the displays' design).
Letter = Annotated[str, like(r"^[A-HJ-NPR-Z]$", "one capital letter other than I, O and Q, which look like 1 and 0")]
# A local time of day, such as 8:30; 24:00 is the end of the day.
ClockTime = Annotated[
    str, like(r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$", "a time of day, such as 8:30, up to 24:00")
]
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
    """A waiting room. `title` is read by people; a message has at most 46 characters, so that it fits the band."""

    name: Name
    title: str
    messages: tuple[Annotated[str, Meta(max_length=46)], ...] = ()


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a visitor comes for. `short` has at most 10 characters: a display's row holds no more.

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
    """A service that a desk only helps out with: there its tickets count as due `delay_min` later."""

    service: Name
    delay_min: Minutes = 20


class Desk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A numbered counter. `number` is on its plaque; `place` is added when it is announced in another hall.

    `place` has at most 24 characters: with so many, its line of a call shrinks to half its size.
    """

    name: Name
    number: Annotated[str, like(r"^[1-9][0-9]?$", "a number from 1 to 99")]
    hall: Name
    serves: tuple[Name, ...]
    helps: tuple[Help, ...] = ()
    place: Annotated[str, Meta(max_length=24)] | None = None
    confirms_arrivals: bool = False


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Raspberry Pi and what it is for. `pins`: service name to BCM pin of its button, on a dispenser.

    `hall`: where it stands. A dispenser has one too: it tells visitors who check in for another hall where to go.
    """

    name: Name
    role: Role
    desk: Name | None = None
    hall: Name | None = None
    button_pin: int = 17
    led_pin: int = 27
    diagonal_in: float = 55.0
    farthest_m: float = 5.0
    pins: dict[Name, int] = {}


# A slug of w.c.s. or Chrono: of a form, an agenda, a trigger or a status.
Slug = Annotated[
    str, like(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", "a slug as Publik's addresses show it, such as rendez-vous-mairie")
]
# The path of a value in a form's JSON, keys joined by dots: `workflow.data.rdv_response.booking_id`.
JsonPath = Annotated[
    str,
    like(
        r"^[^.\s]+(\.[^.\s]+)*$", "keys joined by dots, such as workflow.data.rdv_response.booking_id", max_length=200
    ),
]
WebAddress = Annotated[
    str,
    like(
        r"^https?://[^\s?#]+$",
        "an address that begins with https://, without spaces, ? and #, such as https://demarches.example.fr",
        max_length=300,
    ),
]
Day = Annotated[str, like(r"^\d{4}-\d{2}-\d{2}$", "a day, such as 2026-12-25")]


class BookingForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One appointment form of w.c.s., or a part of it, and the service its bookings are for.

    `start` is the path of a time, or of the id of a meeting slot, which contains the time. `code` is the path of the
    code on the visitor's confirmation; without it, that code is the booking's id. `agenda` is the path of the agenda's
    slug, for `agendas`. If any `agendas`, `meeting_types` or form `statuses` are named, only bookings with one of them
    count. A form in one of `cancelled_statuses` is a cancelled booking.
    """

    service: Name
    form: Slug
    booking: JsonPath
    start: JsonPath
    names: tuple[JsonPath, ...] = ()
    code: JsonPath | None = None
    agenda: JsonPath | None = None
    agendas: tuple[Slug, ...] = ()
    meeting_types: tuple[Slug, ...] = ()
    statuses: tuple[str, ...] = ()
    cancelled_statuses: tuple[str, ...] = ()


class Triggers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What w.c.s. is told: the name of a trigger for each event, None if it is not told.

    `how`: jumps, which belong to the form's current status, or global actions, which work in any status.
    """

    how: Literal["jump", "action"] = "jump"
    arrived: Slug | None = None
    served: Slug | None = None
    absent: Slug | None = None
    cancelled: Slug | None = None


class Chrono(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Direct access to Chrono, if its host allows it. `presence`: arrived, served and absent are marked there."""

    address: WebAddress
    presence: bool = False


class Publik(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Publik that holds the appointments. Its key or password is a setting, see `hub.settings`.

    `client`: the API client's identifier. `zone`: the time zone of naive times in its answers; by default the site's.
    """

    address: WebAddress
    client: Annotated[str, Meta(min_length=1, max_length=200)]
    login: Literal["signature", "basic"] = "signature"
    forms: tuple[BookingForm, ...]
    zone: str | None = None
    triggers: Triggers = Triggers()
    chrono: Chrono | None = None


class Appointments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where bookings come from: Publik, or otherwise a CSV file in the state folder.

    Bookings count from today to `days_ahead` days later, except on `days_off`. `absence_final_after_min`: the minutes
    from an absence to the report that tells the source. Codes and bookings are forgotten `kept_days` after their day.
    """

    file: str = "appointments.csv"
    publik: Publik | None = None
    sync_every_s: Annotated[int, Meta(ge=10, le=3600)] = 60
    days_ahead: Annotated[int, Meta(ge=0, le=90)] = 7
    days_off: tuple[Day, ...] = ()
    absence_final_after_min: Minutes = 60
    kept_days: Annotated[int, Meta(ge=0, le=90)] = 1


# A server of the directory. The connection is always encrypted: ldaps:// from the start, ldap:// by StartTLS.
LdapAddress = Annotated[
    str,
    like(
        r"^ldaps?://[^\s/?#@]+$", "a server's address without a path, such as ldaps://ldap.example.fr", max_length=300
    ),
]
# The name of an entry in a directory, from its innermost part to its outermost.
DistinguishedName = Annotated[
    str, like(r"^[^=,+]+=.+$", "a distinguished name, such as ou=people,dc=example,dc=fr", max_length=500)
]
LdapAttribute = Annotated[str, like(r"^[A-Za-z][A-Za-z0-9-]{0,63}$", "an attribute's name, such as uid")]


class RoleGroups(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For each role, the directory's groups whose members have it; members of nested groups have it too."""

    agent: tuple[DistinguishedName, ...] = ()
    reception: tuple[DistinguishedName, ...] = ()
    supervisor: tuple[DistinguishedName, ...] = ()
    administrator: tuple[DistinguishedName, ...] = ()


class LdapDirectory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The municipal directory. The service account's password is a setting, see `hub.settings`.

    `servers` hold the same data and are tried in this order. A person who logs in is searched under `base` by
    `account_attribute`, among the entries that match `filter`. Groups are searched under `group_base`, by default
    `base`. `service_account` does the searches; without it, people bind as themselves under the name `bind_as`, in
    which `{account}` stands for what they typed. Attributes that are not named default to those usual for `kind`.
    """

    servers: tuple[LdapAddress, ...]
    kind: Literal["openldap", "active_directory"] = "openldap"
    base: DistinguishedName
    group_base: DistinguishedName | None = None
    groups: RoleGroups
    service_account: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    bind_as: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    account_attribute: LdapAttribute | None = None
    name_attribute: LdapAttribute | None = None
    filter: (
        Annotated[str, like(r"^\(.+\)$", "a filter in parentheses, such as (objectClass=person)", max_length=1000)]
        | None
    ) = None


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How staff log in. Without a directory, only by local accounts.

    `button_acts_for`: whom the journal names for a desk's button: the agent signed on there, or only the desk.
    A session ends after `idle_min` without use and after `absolute_h` in any case; `recheck_min`: how often the
    directory is asked whether somebody still has their roles.
    """

    directory: LdapDirectory | None = None
    button_acts_for: Literal["agent", "desk"] = "agent"
    idle_min: Annotated[int, Meta(ge=5, le=1440)] = 60
    absolute_h: Annotated[int, Meta(ge=1, le=24)] = 10
    recheck_min: Annotated[int, Meta(ge=1, le=1440)] = 15


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
    follow_url: str | None = None
    appointments: Appointments = Appointments()
    login: Login = Login()

    def hall_of_node(self, node: Node) -> str | None:
        """The node's hall; if it names none, the hall where everybody waits, provided there is only one such hall."""
        waiting = {service.hall for service in self.services}
        return next(iter(waiting)) if node.hall is None and len(waiting) == 1 else node.hall
