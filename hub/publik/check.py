"""`suivant publik check`: is Publik reached, does it let the hub in, and does the site file's mapping find bookings?

Nothing is changed in Publik, and no name, code or answer of a visitor is told: keys, counts and statuses alone.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import groupby
from typing import Any

from hub.appointments.source import ReportKind
from hub.findings import Finding, Level
from hub.publik.answers import Answer, entries
from hub.publik.chrono import Chrono
from hub.publik.client import LIMITS, Limits
from hub.publik.faults import Fault, FaultKind, clean
from hub.publik.mapping import booking_id, start_of, visitor_name
from hub.publik.paths import text_at, value_at
from hub.publik.push import origs
from hub.publik.secrets import Secrets
from hub.publik.signature import TOLERANCE_MS
from hub.publik.source import open_client, zone_of
from hub.publik.times import NotATime, changed_since
from hub.publik.wcs import Wcs, request_id, status_of
from hub.site import BookingForm, Publik, Site

# So many requests of a form are looked at.
SAMPLE = 50
KEYS_MOST = 20
# So far off the clock works still, and somebody should look at it.
CLOCK_WARNED_MS = 10_000
_UNREACHED = frozenset({FaultKind.UNREACHED, FaultKind.TLS, FaultKind.TIMEOUT, FaultKind.REDIRECTED})


def check(
    site: Site, publik: Publik, secrets: Secrets, now_ms: Callable[[], int], limits: Limits = LIMITS
) -> Iterator[Finding]:
    """What is found, one thing after the other as it is tried. Raises WrongSetting where key or password lacks."""
    client = open_client(publik.address, publik, secrets, now_ms, limits)
    wcs = Wcs(client)
    try:
        known = yield from _forms(site, publik, wcs, now_ms)
    finally:
        client.close()
    yield from _told(publik, secrets)
    if publik.chrono:
        direct = open_client(publik.chrono.address, publik, secrets, now_ms, limits)
        try:
            yield from _chrono(Chrono(direct), publik.chrono.address, known, presence=publik.chrono.presence)
        finally:
            direct.close()


def _forms(site: Site, publik: Publik, wcs: Wcs, now_ms: Callable[[], int]) -> Generator[Finding, None, str | None]:
    """Each form's list; gives the id of some booking that stands there, for Chrono to be asked about."""
    booking: str | None = None
    clock_told = False
    since = changed_since(now_ms(), zone_of(publik, site))
    forms = sorted(publik.forms, key=lambda form: form.form)
    for slug, maps in groupby(forms, key=lambda form: form.form):
        try:
            answer = wcs.sample(slug, SAMPLE)
        except Fault as fault:
            yield Finding(Level.WRONG, str(fault))
            if fault.kind in _UNREACHED:
                return booking
            continue
        if not clock_told:
            yield from _reached(publik, answer, now_ms())
            clock_told = True
        found = yield from _form(wcs, slug, tuple(maps), answer, since)
        booking = booking or found
    return booking


def _reached(publik: Publik, answer: Answer, now_ms: int) -> Iterator[Finding]:
    how = ", over TLS" if publik.address.startswith("https:") else ", without TLS"
    yield Finding(Level.OK, f"{publik.address} is reached{how}")
    if answer.date_ms is None:
        yield Finding(Level.NOTE, "it does not tell the time, so the clocks are not compared")
        return
    # The answer's time is cut to the second.
    off_ms = now_ms - answer.date_ms - 500
    off = f"{abs(off_ms) / 1000:.0f} s {'ahead of' if off_ms > 0 else 'behind'} Publik's"
    if abs(off_ms) <= CLOCK_WARNED_MS:
        yield Finding(Level.OK, f"this machine's clock and Publik's agree within {CLOCK_WARNED_MS // 1000} s")
    elif publik.login == "basic" or abs(off_ms) <= TOLERANCE_MS:
        yield Finding(Level.NOTE, f"this machine's clock is {off}: let both follow NTP")
    else:
        limit = f"signatures are refused beyond {TOLERANCE_MS // 1000} s"
        yield Finding(Level.WRONG, f"this machine's clock is {off}: {limit}, so let both follow NTP")


def _form(
    wcs: Wcs, slug: str, maps: Sequence[BookingForm], answer: Answer, since: str
) -> Generator[Finding, None, str | None]:
    try:
        found = [each for each in entries(answer) if isinstance(each, dict)]
        id_ = next((id_ for each in found if (id_ := request_id(each))), None)
        if id_ is not None:
            wcs.request(slug, id_)
        entries(wcs.sample(slug, 1, since))
    except Fault as fault:
        yield Finding(Level.WRONG, f"form {slug}: {fault}{_advice(fault)}")
        return None
    yield Finding(Level.OK, f"form {slug}: its list, what changed lately and single requests may be read")
    if not found:
        yield Finding(Level.NOTE, f"form {slug}: there is no request yet, so the mapping can't be tried: send one")
        return None
    yield Finding(Level.OK, f"form {slug}: statuses seen (id, name): {_statuses(found)}")
    booking = None
    for form in maps:
        booking = (yield from _mapping(form, found)) or booking
    return booking


def _advice(fault: Fault) -> str:
    match fault.kind:
        case FaultKind.DENIED:
            return ": is the key or password right, does the client have the forms' role, is the clock right?"
        case FaultKind.UNKNOWN:
            return ": is the form's slug right?"
    return ""


def _mapping(form: BookingForm, found: Sequence[dict[str, Any]]) -> Generator[Finding, None, str | None]:
    about = f"form {form.form}, service {form.service}"
    booked = [(booking, each) for each in found if (booking := booking_id(form, each))]
    if not booked:
        hint = _keys(found, form.booking) + _about_workflow_data(form.booking, found)
        yield Finding(Level.WRONG, f"{about}: no booking in {len(found)} requests{hint}")
        return None
    yield Finding(Level.OK, f"{about}: a booking in {len(booked)} of {len(found)} requests")
    with_booking = [each for _booking, each in booked]
    many = len(booked)
    starts = sum(_has_start(form, each) for each in with_booking)
    hint = "" if starts == many else _keys(with_booking, form.start)
    yield _counted(about, "a start", starts, many, needed=True, hint=hint)
    if form.names:
        named = sum(visitor_name(form, each) is not None for each in with_booking)
        hint = "" if named else ", perhaps since the client sees anonymised data only"
        yield _counted(about, "a name", named, many, needed=False, hint=hint)
    for path, what in ((form.code, "a code"), (form.agenda, "an agenda")):
        if path:
            there = sum(text_at(each, path) is not None for each in with_booking)
            hint = "" if there else _keys(with_booking, path)
            yield _counted(about, what, there, many, needed=there == 0, hint=hint)
    return booked[0][0]


def _about_workflow_data(path: str, found: Sequence[dict[str, Any]]) -> str:
    if not path.startswith("workflow.data.") or any(value_at(each, "workflow.data") for each in found):
        return ""
    return "; a client that sees anonymised data only sees no workflow.data: let the workflow copy it to a field"


def _counted(about: str, what: str, there: int, many: int, *, needed: bool, hint: str) -> Finding:
    level = Level.OK if there == many else Level.WRONG if needed else Level.NOTE
    return Finding(level, f"{about}: {what} in {there} of {many}{hint}")


def _has_start(form: BookingForm, entry: dict[str, Any]) -> bool:
    try:
        return start_of(form, entry) is not None
    except NotATime:
        return False


def _keys(found: Sequence[dict[str, Any]], path: str) -> str:
    """Where the path leaves the JSON, and the keys that are there instead."""
    keys = path.split(".")
    for depth in range(len(keys) - 1, -1, -1):
        above = ".".join(keys[:depth])
        there = [value_at(each, above) if above else each for each in found]
        names = sorted({str(key) for each in there if isinstance(each, dict) for key in each})
        if names:
            listed = ", ".join(clean(name) for name in names[:KEYS_MOST])
            return f": nothing usable at {path}; {above or 'the request'} holds {listed}"
    return f": nothing at {path}"


def _statuses(found: Sequence[dict[str, Any]]) -> str:
    seen = Counter(status_of(each) for each in found)
    return "; ".join(
        f"{clean(id_ or '?')}, {clean(name or '?')}" for (id_, name), _count in seen.most_common(KEYS_MOST)
    )


def _told(publik: Publik, secrets: Secrets) -> Iterator[Finding]:
    named = [f"{kind} {name}" for kind in ReportKind if (name := getattr(publik.triggers, kind))]
    how = "global actions" if publik.triggers.how == "action" else "jumps"
    if named:
        yield Finding(Level.NOTE, f"{how} named and not tried, since they would change requests: {', '.join(named)}")
    if not named and not (publik.chrono and publik.chrono.presence):
        yield Finding(Level.NOTE, "Publik is told nothing: no trigger is named")
    if secrets.key:
        orig = " or ".join(sorted({each for each in origs(publik.address) if ":" not in each} or origs(publik.address)))
        yield Finding(Level.OK, f"calls of Publik are let in where orig is {orig} and this key signed them")
    else:
        yield Finding(
            Level.NOTE, "calls of Publik are refused without SUIVANT_PUBLIK_KEY_FILE: changes wait for a sync"
        )


def _chrono(chrono: Chrono, address: str, booking: str | None, *, presence: bool) -> Iterator[Finding]:
    try:
        agendas = chrono.agendas()
        for agenda in agendas:
            types = chrono.meeting_types(agenda.slug) if agenda.kind == "meetings" else ()
            listed = ", ".join(f"{clean(each.slug)} ({clean(each.title)})" for each in types) or "none"
            words = f"Chrono agenda {clean(agenda.slug)} ({clean(agenda.title)}), {clean(agenda.kind)}"
            yield Finding(Level.OK, f"{words}: meeting types {listed}")
        if not agendas:
            yield Finding(Level.NOTE, f"Chrono at {address} shows no agenda")
    except Fault as fault:
        yield Finding(Level.WRONG, f"Chrono: {fault}: does its host let outside programs in?")
        return
    if booking is None:
        yield Finding(Level.NOTE, "Chrono: no booking is known to look up")
        return
    try:
        chrono.has_booking(booking)
        yield Finding(Level.OK, "Chrono: a single booking may be read")
    except Fault as fault:
        # A cancelled one is answered so too.
        level = Level.WRONG if presence and fault.kind is FaultKind.DENIED else Level.NOTE
        yield Finding(level, f"Chrono: a single booking is not read: {fault}")
