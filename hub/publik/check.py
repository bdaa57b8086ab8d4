"""`suivant publik check`: is Publik reached, does it let the hub in, and does the site file's mapping find bookings?

It changes nothing in Publik. It shows only keys, counts, statuses and one start: no name, code or answer of a visitor.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from hub.findings import Finding, Level
from hub.publik.answers import Answer, entries
from hub.publik.check_mapping import Clock, mapping_findings, statuses_seen
from hub.publik.chrono import Chrono
from hub.publik.client import LIMITS, Limits
from hub.publik.faults import Fault, FaultKind, clean
from hub.publik.mapping import booking_id, is_cancelled
from hub.publik.push import origs
from hub.publik.secrets import Secrets
from hub.publik.signature import TOLERANCE_MS
from hub.publik.source import open_client, zone_of
from hub.publik.times import changed_since
from hub.publik.wcs import Wcs, request_id
from hub.queue.reports import ReportKind
from hub.site import BookingForm, Publik, Site

# How many requests of each form are read, and how many of those that changed within RECENT_MS.
SAMPLE = 50
RECENT_MS = 30 * 86_400_000
# Beyond this difference, up to TOLERANCE_MS, calls still work, but somebody should look at the clock.
CLOCK_WARNED_MS = 10_000
_UNREACHED = frozenset({FaultKind.UNREACHED, FaultKind.TLS, FaultKind.TIMEOUT, FaultKind.REDIRECTED})


@dataclass(frozen=True, slots=True)
class _Seen:
    """`booking`: the id of a booking that is not cancelled. `let_in`: at least one form's list could be read."""

    booking: str | None = None
    let_in: bool = False


def check(
    site: Site, publik: Publik, secrets: Secrets, now_ms: Callable[[], int], limits: Limits = LIMITS
) -> Iterator[Finding]:
    """Yield the findings as each thing is tried. Raises WrongSetting if the key or password is missing."""
    client = open_client(publik.address, publik, secrets, now_ms, limits)
    try:
        seen = yield from _forms(site, publik, Wcs(client), now_ms)
    finally:
        client.close()
    yield from _told(publik)
    yield _called(publik, secrets, let_in=seen.let_in)
    if publik.chrono:
        direct = open_client(publik.chrono.address, publik, secrets, now_ms, limits)
        try:
            yield from _chrono(Chrono(direct), publik.chrono.address, seen.booking, presence=publik.chrono.presence)
        finally:
            direct.close()


def _forms(site: Site, publik: Publik, wcs: Wcs, now_ms: Callable[[], int]) -> Generator[Finding, None, _Seen]:
    seen = _Seen()
    clock_told = False
    clock = Clock(now_ms(), zone_of(publik, site), ZoneInfo(site.zone))
    forms = sorted(publik.forms, key=lambda form: form.form)
    for slug, maps in groupby(forms, key=lambda form: form.form):
        try:
            answer = _first_look(wcs, slug)
        except Fault as fault:
            yield Finding(Level.WRONG, str(fault))
            if fault.kind in _UNREACHED:
                return seen
            continue
        if not clock_told:
            yield from _reached(publik, answer, now_ms())
            clock_told = True
        found = yield from _form(wcs, slug, tuple(maps), answer, clock)
        seen = _Seen(seen.booking or found.booking, seen.let_in or found.let_in)
    return seen


def _first_look(wcs: Wcs, slug: str) -> Answer:
    """Return an answer of any status, for Publik's clock. Raises Fault if Publik is not reached or redirects."""
    answer = wcs.sample(slug, SAMPLE)
    try:
        entries(answer)
    except Fault as fault:
        if fault.kind in _UNREACHED:
            raise
    return answer


def _reached(publik: Publik, answer: Answer, now_ms: int) -> Iterator[Finding]:
    how = ", over TLS" if publik.address.startswith("https:") else ", without TLS"
    yield Finding(Level.OK, f"{publik.address} can be reached{how}")
    if answer.date_ms is None:
        yield Finding(Level.NOTE, "its answers have no Date header, so the clocks are not compared")
        return
    # The answer's time is rounded down to the second.
    off_ms = now_ms - answer.date_ms - 500
    off = f"{abs(off_ms) / 1000:.0f} s {'ahead of' if off_ms > 0 else 'behind'} Publik's"
    if abs(off_ms) <= CLOCK_WARNED_MS:
        yield Finding(Level.OK, f"this machine's clock and Publik's agree within {CLOCK_WARNED_MS // 1000} s")
    elif publik.login == "basic" or abs(off_ms) <= TOLERANCE_MS:
        yield Finding(Level.NOTE, f"this machine's clock is {off}: synchronize both with NTP")
    else:
        limit = f"signatures are refused beyond {TOLERANCE_MS // 1000} s"
        yield Finding(Level.WRONG, f"this machine's clock is {off}: {limit}, so synchronize both with NTP")


def _form(
    wcs: Wcs, slug: str, maps: Sequence[BookingForm], answer: Answer, clock: Clock
) -> Generator[Finding, None, _Seen]:
    let_in = False
    try:
        found = _requests(answer)
        let_in = True
        id_ = next((id_ for each in found if (id_ := request_id(each))), None)
        if id_ is not None:
            wcs.request(slug, id_)
        # The list may begin with the oldest requests, from before the form was changed.
        recent = _requests(wcs.sample(slug, SAMPLE, changed_since(clock.now_ms - RECENT_MS, clock.zone)))
    except Fault as fault:
        yield Finding(Level.WRONG, f"form {slug}: {fault}{_advice(fault)}")
        return _Seen(let_in=let_in)
    yield Finding(Level.OK, f"form {slug}: the hub may read its list, its recent changes and single requests")
    found = list({request_id(each): each for each in (*recent, *found)}.values())
    if not found:
        yield Finding(Level.NOTE, f"form {slug}: there is no request yet to test the mapping with: send one")
        return _Seen(let_in=True)
    yield Finding(Level.OK, f"form {slug}: statuses seen (id, name): {statuses_seen(found)}")
    for form in maps:
        yield from mapping_findings(form, found, clock)
    standing = ((form, each) for form in maps for each in found if not is_cancelled(form, each))
    return _Seen(next((id_ for form, each in standing if (id_ := booking_id(form, each))), None), let_in=True)


def _requests(answer: Answer) -> list[dict[str, Any]]:
    return [each for each in entries(answer) if isinstance(each, dict)]


def _advice(fault: Fault) -> str:
    match fault.kind:
        case FaultKind.DENIED:
            return (
                ": check the key or password, that client is the API client's identifier and has a role on the forms, "
                "and the clock"
            )
        case FaultKind.UNKNOWN:
            return ": check the form's slug"
    return ""


def _told(publik: Publik) -> Iterator[Finding]:
    named = [f"{kind} {name}" for kind in ReportKind if (name := getattr(publik.triggers, kind))]
    how = "global actions" if publik.triggers.how == "action" else "jumps"
    if named:
        yield Finding(Level.NOTE, f"{how} named, but not tested, since they would change requests: {', '.join(named)}")
    if not named and not (publik.chrono and publik.chrono.presence):
        yield Finding(Level.NOTE, "the hub reports nothing to Publik: no trigger is named")


def _called(publik: Publik, secrets: Secrets, *, let_in: bool) -> Finding:
    """Whether Publik may call the hub. The key is proved only if the hub's own calls, signed with it, succeeded."""
    if not secrets.key:
        return Finding(
            Level.NOTE,
            "without SUIVANT_PUBLIK_KEY_FILE the hub refuses Publik's calls, so it sees changes only at its next sync",
        )
    orig = " or ".join(sorted({each for each in origs(publik.address) if ":" not in each} or origs(publik.address)))
    if publik.login == "basic":
        words = "the key in SUIVANT_PUBLIK_KEY_FILE: it is not tested, since the hub itself logs in with a password"
        return Finding(Level.NOTE, f"the hub accepts Publik's calls if orig is {orig} and they are signed with {words}")
    if not let_in:
        return Finding(Level.NOTE, "Publik's calls: no form could be read, so it is not known whether the key is right")
    return Finding(Level.OK, f"the hub accepts Publik's calls if orig is {orig} and they are signed with this key")


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
        advice = ": ask its host whether outside programs may call it" if fault.kind is FaultKind.DENIED else ""
        yield Finding(Level.WRONG, f"Chrono: {fault}{advice}")
        return
    if booking is None:
        yield Finding(Level.NOTE, "Chrono: no request has a booking in force to look up")
        return
    try:
        chrono.has_booking(booking)
        yield Finding(Level.OK, "Chrono: the hub may read a single booking")
    except Fault as fault:
        yield Finding(Level.WRONG if presence else Level.NOTE, f"Chrono: the hub cannot read a single booking: {fault}")
