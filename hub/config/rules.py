"""Rules that types cannot express: names must exist, some values must be unique, hours must make sense.

Each rule checks what could be read, so that one mistake does not hide another. A rule about the whole site (does any
desk serve this?) runs only if the whole file could be read.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

from msgspec import Struct

from hub.config.appointment_rules import check_appointments
from hub.config.document import Document, Place, meant
from hub.config.login_rules import check_login
from hub.queue.hours import minute_of
from hub.site import Desk, Hall, Node, Service, Site
from protocol.messages import DISPENSER_LED_PIN, SCREEN_MOST, Role

# Letters whose French names rhyme (bé, cé, dé …): in a loud hall, people mistake one for another.
RHYMING = "BCDGPTV"
# The BCM numbers of the header's GPIO pins.
PINS = range(28)
# Names that are taken: a node's name is also its user name at the broker and the name of its certificate's file.
NOT_FOR_NODES = {
    "hub": "the hub's own name at the broker",
    "broker": "the broker's own name",
    "ca": "the certificate authority's own name",
}
# Limits that keep a hall's picture below the broker's limit on a message, and let a display's rows fit.
SERVICES_OF_HALL_MOST = 20
MESSAGES_OF_HALL_MOST = 4
TEXT_MOST = 200
_FOLLOW_URL = re.compile(r"https?://[^\s/?#]+(/[^\s#]*)?[/=]")

S = TypeVar("S", bound=Struct)


@dataclass(frozen=True, slots=True)
class Draft:
    """What could be read of a site, with its places in the file. `known`: every name in the file, by section."""

    document: Document
    halls: list[tuple[Place, Hall]]
    services: list[tuple[Place, Service]]
    desks: list[tuple[Place, Desk]]
    nodes: list[tuple[Place, Node]]
    known: dict[str, frozenset[str]]


def check(document: Document, *, complete: bool) -> None:
    """Add each broken rule to the document's problems. `complete`: the whole document could be read."""
    draft = _draft(document)
    rules = [*EACH, *WHOLE] if complete else EACH
    for rule in rules:
        rule(draft)
    check_appointments(document, draft.known["services"])
    check_login(document)


def _draft(document: Document) -> Draft:
    names: dict[str, set[str]] = defaultdict(set)
    for path, name in document.names.items():
        names[str(path[0])].add(name)
    return Draft(
        document,
        _made(document, Hall),
        _made(document, Service),
        _made(document, Desk),
        _made(document, Node),
        {kind: frozenset(names[kind]) for kind in ("halls", "services", "desks", "nodes")},
    )


def _made(document: Document, kind: type[S]) -> list[tuple[Place, S]]:
    return [(path, made) for path, made in document.made.items() if isinstance(made, kind)]


# --- rules about single entries -----------------------------------------------------------------------------------


def _names_are_given_once(draft: Draft) -> None:
    for kind in ("halls", "services", "desks", "nodes"):
        paths = [path for path in draft.document.names if path[0] == kind]
        _once(draft, ((path, draft.document.names[path]) for path in paths), "name")


def _nodes_are_not_the_hub(draft: Draft) -> None:
    for path, node in draft.nodes:
        if node.name in NOT_FOR_NODES:
            what = f"{node.name!r} is {NOT_FOR_NODES[node.name]}: choose another"
            draft.document.tell((*path, "name"), what)


def _letters_and_numbers_are_given_once(draft: Draft) -> None:
    _once(draft, ((path, each.letter) for path, each in draft.services), "letter")
    _once(draft, ((path, each.number) for path, each in draft.desks), "number")


def _once(draft: Draft, values: Iterable[tuple[Place, str]], field: str) -> None:
    first: dict[str, Place] = {}
    for path, value in values:
        if value in first:
            line = draft.document.line((*first[value], field))
            draft.document.tell((*path, field), f"{value!r} is taken by line {line}: choose another")
        first.setdefault(value, path)


def _references_exist(draft: Draft) -> None:
    for path, kind, name in _references(draft):
        known = sorted(draft.known[kind])
        # If there is none of the kind at all, report only that.
        if known and name not in known:
            hint = meant(name, known) or f": there are {', '.join(known)}"
            draft.document.tell(path, f"this site has no {kind[:-1]} {name!r}{hint}")


def _references(draft: Draft) -> Iterator[tuple[Place, str, str]]:
    for path, service in draft.services:
        yield (*path, "hall"), "halls", service.hall
    for path, desk in draft.desks:
        yield (*path, "hall"), "halls", desk.hall
        for place, name in enumerate(desk.serves):
            yield (*path, "serves", place), "services", name
        for place, helped in enumerate(desk.helps):
            yield (*path, "helps", place, "service"), "services", helped.service
    for path, node in draft.nodes:
        if node.desk is not None:
            yield (*path, "desk"), "desks", node.desk
        if node.hall is not None:
            yield (*path, "hall"), "halls", node.hall
        for name in node.pins:
            yield (*path, "pins", name), "services", name


def _hours_make_sense(draft: Draft) -> None:
    for path, service in draft.services:
        opens, last, closes = map(minute_of, (service.opens, service.last_ticket, service.closes))
        if opens >= last:
            draft.document.tell(
                (*path, "last_ticket"), f"{service.last_ticket} should be later than opens, {service.opens}"
            )
        if last > closes:
            draft.document.tell(
                (*path, "closes"), f"{service.closes} should not be before last_ticket, {service.last_ticket}"
            )
        if not service.days:
            draft.document.tell(
                (*path, "days"), "this service never opens: name a day, or leave days out for Monday to Friday"
            )


def _desks_serve_each_service_once(draft: Draft) -> None:
    for path, desk in draft.desks:
        if not desk.serves and not desk.helps:
            draft.document.tell((*path, "serves"), "this desk serves no visitors: name a service")
        seen: set[str] = set()
        for place, name in enumerate(desk.serves):
            if name in seen:
                draft.document.tell((*path, "serves", place), f"{name!r} is listed twice: keep one")
            seen.add(name)
        for place, helped in enumerate(desk.helps):
            if helped.service in seen:
                draft.document.tell(
                    (*path, "helps", place, "service"), f"this desk already has {helped.service!r}: keep one of the two"
                )
            seen.add(helped.service)


# The fields that a node of each role must have, and may have. Others have no meaning for that role.
_MUST_AND_MAY = {
    Role.DESK_BUTTON: (("desk",), ("button_pin", "led_pin")),
    Role.DISPLAY: (("hall",), ("diagonal_in", "farthest_m")),
    Role.TICKET_PRINTER: (("pins",), ("hall",)),
}


def _nodes_say_what_their_role_needs(draft: Draft) -> None:
    for path, node in draft.nodes:
        must, may = _MUST_AND_MAY[node.role]
        for field in must:
            if not getattr(node, field):
                draft.document.tell(path, f"{field!r} is missing: a {node.role} needs it")
        senseless = [each for each in Node.__struct_fields__ if each not in {"name", "role", *must, *may}]
        for field in senseless:
            # Even if it has the default value: whoever wrote it thinks that it does something.
            if (*path, field) in draft.document.lines:
                draft.document.tell((*path, field), f"a {node.role} has no {field}: remove this line")


def _pins_are_free(draft: Draft) -> None:
    for path, node in draft.nodes:
        used = {DISPENSER_LED_PIN: "the dispenser's lamp"} if node.role is Role.TICKET_PRINTER else {}
        pins = dict(node.pins)
        if node.role is Role.DESK_BUTTON:
            pins = {"button_pin": node.button_pin, "led_pin": node.led_pin}
        for name, pin in pins.items():
            place = (*path, name) if node.role is Role.DESK_BUTTON else (*path, "pins", name)
            if pin not in PINS:
                draft.document.tell(place, f"{pin} should be a BCM number from 0 to 27")
            elif pin in used:
                draft.document.tell(place, f"pin {pin} is taken by {used[pin]}: choose another")
            used.setdefault(pin, name)


def _screens_have_a_size(draft: Draft) -> None:
    for path, node in draft.nodes:
        if node.role is not Role.DISPLAY:
            continue
        for field, unit in (("diagonal_in", "inches"), ("farthest_m", "metres")):
            value = getattr(node, field)
            if not 0 < value <= SCREEN_MOST:
                what = f"{value:g} should be a number of {unit}, more than 0 and at most {SCREEN_MOST}"
                draft.document.tell((*path, field), what)


def _texts_say_something(draft: Draft) -> None:
    for path, text in _texts(draft):
        if not text.strip():
            draft.document.tell(path, "this text is empty: write what visitors should read")
        elif len(text) > TEXT_MOST:
            draft.document.tell(path, f"this has {len(text)} characters: at most {TEXT_MOST} are allowed")


def _texts(draft: Draft) -> Iterator[tuple[Place, str]]:
    for path, hall in draft.halls:
        yield (*path, "title"), hall.title
        for place, message in enumerate(hall.messages):
            yield (*path, "messages", place), message
    for path, service in draft.services:
        yield (*path, "title"), service.title
        yield (*path, "short"), service.short
    for path, desk in draft.desks:
        if desk.place is not None:
            yield (*path, "place"), desk.place


def _halls_stay_readable(draft: Draft) -> None:
    for path, hall in draft.halls:
        if len(hall.messages) > MESSAGES_OF_HALL_MOST:
            draft.document.tell(
                (*path, "messages"),
                f"there are {len(hall.messages)} messages: a display shows at most {MESSAGES_OF_HALL_MOST} in turn",
            )
        services = [each for _path, each in draft.services if each.hall == hall.name]
        if len(services) > SERVICES_OF_HALL_MOST:
            draft.document.tell(
                path, f"{len(services)} services share this hall: at most {SERVICES_OF_HALL_MOST} fit a display"
            )


# --- rules about the whole site -----------------------------------------------------------------------------------


def _site_can_be_used(draft: Draft) -> None:
    site = _site(draft)
    document = draft.document
    if site.zone not in _zones():
        document.tell(("zone",), f"{site.zone!r} should be an IANA time zone, such as Europe/Paris")
    for field in ("town", "follow_url"):
        text = getattr(site, field)
        if text is not None and (not text.strip() or len(text) > TEXT_MOST):
            document.tell((field,), f"this should have 1 to {TEXT_MOST} characters")
    if site.follow_url is not None and not _FOLLOW_URL.fullmatch(site.follow_url):
        said = "an address that ends with / or =, because the ticket's code is appended to it"
        document.tell(("follow_url",), f"{site.follow_url!r} should be {said}: https://file.example.fr/t/ for example")
    for field, what in (("halls", "hall"), ("services", "service"), ("desks", "desk")):
        if not getattr(site, field):
            document.tell((field,), f"a site needs at least one {what}")


@cache
def _zones() -> set[str]:
    # Without two files of the zone database that are no zones; browsers do not know them.
    return available_timezones() - {"localtime", "Factory"}


def _somebody_serves_every_service(draft: Draft) -> None:
    served = {name for _path, desk in draft.desks for name in _all_services(desk)}
    for path, service in draft.services:
        if service.name not in served:
            draft.document.tell(
                path, "no desk serves this service, so its visitors would wait for ever: name it in a desk's serves"
            )


def _at_most_one_letter_rhymes(draft: Draft) -> None:
    rhyming = [(path, each.letter) for path, each in draft.services if each.letter in RHYMING]
    letters = ", ".join(letter for _path, letter in rhyming)
    for path, _letter in rhyming[1:]:
        draft.document.tell(
            (*path, "letter"),
            f"{letters} sound alike when they are called: use at most one of {', '.join(RHYMING)}",
            warning=True,
        )


def _desks_elsewhere_say_where(draft: Draft) -> None:
    halls = {service.name: service.hall for _path, service in draft.services}
    for path, desk in draft.desks:
        elsewhere = {halls[name] for name in _all_services(desk) if name in halls} - {desk.hall}
        if elsewhere and not desk.place:
            draft.document.tell(
                path,
                f"this desk calls visitors from {', '.join(sorted(elsewhere))}: say in 'place' where to go, such as "
                "1er étage",
                warning=True,
            )


def _calls_are_seen(draft: Draft) -> None:
    if not draft.nodes:
        return
    seen = {node.hall for _path, node in draft.nodes if node.role is Role.DISPLAY}
    for path, hall in draft.halls:
        if hall.name not in seen and any(service.hall == hall.name for _path, service in draft.services):
            draft.document.tell(path, "visitors wait in this hall, but no display shows who is called", warning=True)


def _dispensers_say_where_they_stand(draft: Draft) -> None:
    if len({service.hall for _path, service in draft.services}) < 2:  # noqa: PLR2004
        return
    for path, node in draft.nodes:
        if node.role is Role.TICKET_PRINTER and node.hall is None:
            what = (
                "visitors wait in several halls: name in 'hall' the one this dispenser stands in, so that visitors who "
                "check in are sent to their own"
            )
            draft.document.tell(path, what, warning=True)


def _desks_have_one_button(draft: Draft) -> None:
    first: dict[str, Place] = {}
    for path, node in draft.nodes:
        if node.role is not Role.DESK_BUTTON or node.desk is None:
            continue
        if node.desk in first:
            line = draft.document.line(first[node.desk])
            what = f"{node.desk} already has the button of line {line}: name the desk that this button is at"
            draft.document.tell((*path, "desk"), what, warning=True)
        first.setdefault(node.desk, path)


def _dispensers_have_a_button_for_each_service(draft: Draft) -> None:
    """Each service of a hall needs a button on one of the hall's dispensers."""
    site = _site(draft)
    by_hall = defaultdict(list)
    for path, node in draft.nodes:
        if node.role is Role.TICKET_PRINTER:
            by_hall[site.hall_of_node(node)].append((path, node))
    for hall, dispensers in by_hall.items():
        buttons = {name for _path, node in dispensers for name in node.pins}
        lost = [each.name for _path, each in draft.services if each.hall == hall and each.name not in buttons]
        if lost:
            what = f"no button for {', '.join(lost)}: visitors without an appointment get no ticket for it in this hall"
            draft.document.tell((*dispensers[0][0], "pins"), what, warning=True)


def _site(draft: Draft) -> Site:
    ((_path, site),) = _made(draft.document, Site)
    return site


def _all_services(desk: Desk) -> list[str]:
    return [*desk.serves, *(helped.service for helped in desk.helps)]


Rule = Callable[[Draft], Any]

EACH: tuple[Rule, ...] = (
    _names_are_given_once,
    _nodes_are_not_the_hub,
    _letters_and_numbers_are_given_once,
    _references_exist,
    _hours_make_sense,
    _desks_serve_each_service_once,
    _nodes_say_what_their_role_needs,
    _pins_are_free,
    _screens_have_a_size,
    _texts_say_something,
    _halls_stay_readable,
)
WHOLE: tuple[Rule, ...] = (
    _site_can_be_used,
    _somebody_serves_every_service,
    _at_most_one_letter_rhymes,
    _desks_elsewhere_say_where,
    _calls_are_seen,
    _dispensers_say_where_they_stand,
    _desks_have_one_button,
    _dispensers_have_a_button_for_each_service,
)
