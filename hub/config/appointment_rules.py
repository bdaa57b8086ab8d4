"""Rules for the site file's `appointments` that its types cannot express."""

import ipaddress
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from hub.config.document import Document, Place, Rules, check_each, meant
from hub.site import Appointments, BookingForm, Publik

# The reports that Chrono's presence covers. If they were sent to a second place too, one of the two might fail.
_PRESENCES = ("arrived", "served", "absent")


def check_appointments(document: Document, services: frozenset[str]) -> None:
    """Add each broken rule to the document's problems. `services`: the service names in the file."""
    check_each(document, _RULES)
    for path, made in document.made.items():
        if isinstance(made, BookingForm):
            _service_exists(document, path, made, services)


def _days_off_are_days(document: Document, path: Place, appointments: Appointments) -> None:
    for place, day in enumerate(appointments.days_off):
        try:
            date.fromisoformat(day)
        except ValueError:
            document.tell((*path, "days_off", place), f"{day!r} should be a date that exists, such as 2026-12-25")


def _file_is_a_name(document: Document, path: Place, appointments: Appointments) -> None:
    name = appointments.file
    if not name.strip() or "/" in name or name in {".", ".."}:
        document.tell(
            (*path, "file"), f"{name!r} should be a file name without a folder: the file is in the hub's state folder"
        )


def _forms_are_named(document: Document, path: Place, publik: Publik) -> None:
    if not publik.forms:
        document.tell((*path, "forms"), "no form is named: name a form with appointments, or remove publik")


def _zone_exists(document: Document, path: Place, publik: Publik) -> None:
    if publik.zone is None:
        return
    try:
        ZoneInfo(publik.zone)
    except (ValueError, OSError, KeyError):
        what = f"{publik.zone!r} should be an IANA time zone, such as Europe/Paris"
        document.tell((*path, "zone"), what)


def _addresses_are_safe(document: Document, path: Place, publik: Publik) -> None:
    for place, address in _addresses(path, publik):
        try:
            parts = urlsplit(address)
            host, _port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host:
            what = f"{address!r} has no host name or a wrong port: it should look like https://demarches.example.fr"
            document.tell(place, what)
        elif parts.username is not None:
            what = (
                "an address should have no user name or password: put the password in the file that "
                "SUIVANT_PUBLIK_PASSWORD_FILE names"
            )
            document.tell(place, what)
        elif parts.scheme != "https" and not _is_here(host):
            document.tell(
                place, f"{address!r} should begin with https://, because visitors' names and codes are sent over it"
            )


def _addresses(path: Place, publik: Publik) -> Iterator[tuple[Place, str]]:
    yield (*path, "address"), publik.address
    if publik.chrono:
        yield (*path, "chrono", "address"), publik.chrono.address


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _client_fits_the_login(document: Document, path: Place, publik: Publik) -> None:
    if publik.login == "basic" and ":" in publik.client:
        document.tell(
            (*path, "client"),
            "HTTP Basic allows no colon in the identifier: choose another one, or log in by signature",
        )


def _each_kind_is_told_once(document: Document, path: Place, publik: Publik) -> None:
    if not (publik.chrono and publik.chrono.presence):
        return
    for kind in _PRESENCES:
        if getattr(publik.triggers, kind):
            what = (
                "chrono.presence already reports this: keep one of the two; the form's workflow can mark presence too"
            )
            document.tell((*path, "triggers", kind), what)


def _no_form_hides_another(document: Document, path: Place, publik: Publik) -> None:
    """A booking goes to the first form entry that it matches, so an entry must leave something for later ones."""
    for place, form in enumerate(publik.forms):
        before = publik.forms[:place]
        hiding = next((nth for nth, each in enumerate(before) if _takes_all_of(each, form)), None)
        if hiding is not None:
            line = document.line((*path, "forms", hiding))
            what = (
                f"the entry in line {line} already matches every request of this form: separate the two by agendas or "
                "meeting_types"
            )
            document.tell((*path, "forms", place, "form"), what)


def _takes_all_of(first: BookingForm, second: BookingForm) -> bool:
    if (first.form, first.booking) != (second.form, second.booking):
        return False
    filters = [(getattr(first, name), getattr(second, name)) for name in ("agendas", "meeting_types", "statuses")]
    return all(not mine or (theirs and set(theirs) <= set(mine)) for mine, theirs in filters)


def _service_exists(document: Document, path: Place, form: BookingForm, services: frozenset[str]) -> None:
    known = sorted(services)
    # If there is no service at all, report only that.
    if known and form.service not in services:
        hint = meant(form.service, known) or f": there are {', '.join(known)}"
        document.tell((*path, "service"), f"this site has no service {form.service!r}{hint}")


def _agendas_can_be_known(document: Document, path: Place, form: BookingForm) -> None:
    if form.agendas and form.agenda is None:
        document.tell((*path, "agendas"), "'agenda' is missing: the path of the agenda's slug in the request's JSON")
    if form.agenda is not None and not form.agendas:
        document.tell((*path, "agenda"), "this has no effect, because 'agendas' names none", warning=True)


def _a_status_means_one_thing(document: Document, path: Place, form: BookingForm) -> None:
    for place, status in enumerate(form.cancelled_statuses):
        if status in form.statuses:
            what = f"{status!r} is also in statuses: a request in it either counts or is cancelled, so keep one"
            document.tell((*path, "cancelled_statuses", place), what)


_RULES: Rules = (
    (Appointments, (_days_off_are_days, _file_is_a_name)),
    (
        Publik,
        (
            _forms_are_named,
            _zone_exists,
            _addresses_are_safe,
            _client_fits_the_login,
            _each_kind_is_told_once,
            _no_form_hides_another,
        ),
    ),
    (BookingForm, (_agendas_can_be_known, _a_status_means_one_thing)),
)
