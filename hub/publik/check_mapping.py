"""Does the site file's mapping of a form find bookings in its requests, and do its filters leave any? Pure.

It reports everything that is wrong at once. It shows keys, counts, statuses, slugs and one start, never what a visitor
wrote.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from msgspec.structs import replace

from hub.appointments.source import Booking
from hub.findings import Finding, Level
from hub.publik.faults import clean
from hub.publik.mapping import YEARS, booking_id, code_of, is_cancelled, read_entry, start_of, visitor_name
from hub.publik.paths import text_at, value_at
from hub.publik.slots import parse_slot
from hub.publik.times import NotATime, moment_ms
from hub.publik.wcs import status_of
from hub.site import BookingForm

Requests = Sequence[dict[str, Any]]

LISTED_MOST = 20
# From this similarity on, one word may be a misspelling of the other.
NEAR = 0.75
# The form of an agenda's slug, and how many a form may have. Other values are not shown: the path may lead anywhere, so
# they may be a visitor's name or number.
_SLUG = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9_-]{0,99}")
AGENDAS_MOST = 10


@dataclass(frozen=True, slots=True)
class Clock:
    """`zone`: the time zone of Publik's times. `shown_in`: the site's, in which they are shown."""

    now_ms: int
    zone: tzinfo
    shown_in: tzinfo


def mapping_findings(form: BookingForm, found: Requests, clock: Clock) -> Iterator[Finding]:
    """Yield the findings for one mapping. `found`: some requests of the form, at least one."""
    about = f"form {form.form}, service {form.service}"
    booked = [each for each in found if booking_id(form, each)]
    told = [_booking(about, form, found, len(booked))]
    # Without any booking, the other paths are still tried.
    looked_at = booked or found
    told += _paths(about, form, looked_at, clock, all_must=bool(booked))
    told += _filters(about, form, looked_at)
    yield from told
    if all(each.level is not Level.WRONG for each in told):
        yield from _what_counts(about, form, booked)


def statuses_seen(found: Requests) -> str:
    """List id and name of each status, the most frequent first."""
    return _listed([_status(each) for each in found])


# --- paths --------------------------------------------------------------------------------------------------------


def _booking(about: str, form: BookingForm, found: Requests, many: int) -> Finding:
    if many:
        distinct = len({booking_id(form, each) for each in found} - {None})
        if distinct < many:
            said = (
                f"{about}: only {distinct} different bookings in {many} requests: check that {form.booking} is the "
                "booking's id"
            )
            return Finding(Level.WRONG, said)
        return Finding(Level.OK, f"{about}: a booking in {many} of {len(found)} requests")
    hint = _keys(found, form.booking) + _about_workflow_data(form.booking, found)
    return Finding(Level.WRONG, f"{about}: no booking in {len(found)} requests{hint}")


def _paths(about: str, form: BookingForm, found: Requests, clock: Clock, *, all_must: bool) -> Iterator[Finding]:
    many = len(found)
    starts = [start_ms for each in found if (start_ms := _start_ms(form, each, clock.zone)) is not None]
    yield _counted(about, "a start", len(starts), many, _keys(found, form.start), needed=all_must or not starts)
    if starts:
        yield _to_come(about, starts, clock)
    if form.names:
        yield from _names(about, form, found)
    if form.code:
        yield from _codes(about, form, form.code, found)
    if form.agenda:
        there = sum(text_at(each, form.agenda) is not None for each in found)
        hint = "" if there else _keys(found, form.agenda)
        yield _counted(about, "an agenda", there, many, hint, needed=not there)


def _to_come(about: str, starts: Sequence[int], clock: Clock) -> Finding:
    """Count the starts in the future, and show the last start, so that a wrong time zone is noticed."""
    to_come = sum(start_ms > clock.now_ms for start_ms in starts)
    last = datetime.fromtimestamp(max(starts) / 1000, clock.shown_in)
    words = (
        f"{to_come} of {len(starts)} starts are in the future, the last on {last:%Y-%m-%d at %H:%M}, {clock.shown_in}"
    )
    return Finding(Level.OK if to_come else Level.NOTE, f"{about}: {words}")


def _codes(about: str, form: BookingForm, path: str, found: Requests) -> Iterator[Finding]:
    """Check that there are codes, and that each leads to one visitor."""
    codes = [code for each in found if (code := code_of(form, each, "")) is not None]
    hint = "" if codes else _keys(found, path)
    yield _counted(about, "a code", len(codes), len(found), hint, needed=not codes)
    distinct = len(set(codes))
    if distinct == 1 < len(codes):
        words = f"the same code in {len(codes)} requests: check that {path} is the code on the confirmation"
        yield Finding(Level.WRONG, f"{about}: {words}")
    elif distinct < len(codes):
        yield Finding(Level.NOTE, f"{about}: only {distinct} different codes in {len(codes)} requests")


def _names(about: str, form: BookingForm, found: Requests) -> Iterator[Finding]:
    """Check the names. An empty field is no fault; a missing one is, unless the client sees anonymised data only."""
    named = sum(visitor_name(form, each) is not None for each in found)
    anonymised = not any(value_at(each, "workflow.data") for each in found)
    hint = "" if named or not anonymised else ", perhaps because the client sees only anonymised data"
    yield _counted(about, "a name", named, len(found), hint, needed=False)
    for path in form.names:
        if not anonymised and not any(_is_there(each, path) for each in found):
            yield Finding(Level.WRONG, f"{about}: a name is missing in every request{_keys(found, path)}")


def _counted(about: str, what: str, there: int, many: int, hint: str, *, needed: bool) -> Finding:
    level = Level.OK if there == many else Level.WRONG if needed else Level.NOTE
    return Finding(level, f"{about}: {what} in {there} of {many} requests{'' if there == many else hint}")


def _start_ms(form: BookingForm, entry: dict[str, Any], zone: tzinfo) -> int | None:
    try:
        found = start_of(form, entry)
    except NotATime:
        return None
    return moment_ms(found[0], zone) if found and found[0].year in YEARS else None


def _is_there(entry: dict[str, Any], path: str) -> bool:
    above, _, key = path.rpartition(".")
    around = value_at(entry, above) if above else entry
    return key in around if isinstance(around, dict) else value_at(entry, path) is not None


def _keys(found: Requests, path: str) -> str:
    """Say where the path leaves the JSON, and which keys are there instead."""
    keys = path.split(".")
    for depth in range(len(keys) - 1, -1, -1):
        above = ".".join(keys[:depth])
        there = [value_at(each, above) if above else each for each in found]
        names = sorted({str(key) for each in there if isinstance(each, dict) for key in each})
        if names:
            listed = ", ".join(clean(name) for name in names[:LISTED_MOST])
            return f": nothing usable at {path}; {above or 'the request'} has {listed}"
    return f": nothing at {path}"


def _about_workflow_data(path: str, found: Requests) -> str:
    if not path.startswith("workflow.data.") or any(value_at(each, "workflow.data") for each in found):
        return ""
    return (
        "; a client that sees only anonymised data sees no workflow.data: have the workflow copy the booking's id to a "
        "field"
    )


# --- filters ------------------------------------------------------------------------------------------------------

# What filters match in one request: a status's id and name, or an agenda's slug; empty if it has none.
Words = tuple[str, ...]


def _filters(about: str, form: BookingForm, found: Requests) -> Iterator[Finding]:
    agendas = [_word(text_at(each, form.agenda)) for each in found] if form.agenda else []
    if form.agendas and any(agendas):
        shown = form.agenda not in {*form.names, form.code} and _are_slugs(agendas)
        yield _filter(about, "agendas", form.agendas, agendas, shown=shown)
    types = [_meeting_type(form, each) for each in found]
    if form.meeting_types and any(types):
        yield _filter(about, "meeting_types", form.meeting_types, types)
    elif form.meeting_types and any(_start_ms(form, each, UTC) is not None for each in found):
        yield Finding(Level.WRONG, f"{about}: {form.start} is not a slot, so the meeting type is unknown")
    statuses = [_status(each) for each in found]
    if form.statuses:
        yield _filter(about, "statuses", form.statuses, statuses)
    if not form.statuses and not form.cancelled_statuses:
        said = (
            f"{about}: without cancelled_statuses, visitors who cancelled are still expected: name some; "
            f"the requests have: {_listed(statuses)}"
        )
        yield Finding(Level.WRONG, said)
    if form.cancelled_statuses:
        # It is possible that nobody has cancelled yet.
        yield _filter(about, "cancelled_statuses", form.cancelled_statuses, statuses, none=Level.NOTE)
        if all(is_cancelled(form, each) for each in found):
            yield Finding(Level.NOTE, f"{about}: all requests read are cancelled, so nobody is expected")


def _filter(
    about: str,
    key: str,
    wanted: Sequence[str],
    seen: Sequence[Words],
    *,
    none: Level = Level.WRONG,
    shown: bool = True,
) -> Finding:
    """Say how many requests the filter fits, which of its words none has, and which words they have.

    `none`: the level if it fits no request and is not a misspelling of a word seen. `shown`: whether the words seen may
    be shown, since they name nobody.
    """
    fitting = sum(any(word in wanted for word in words) for words in seen)
    known = {word for words in seen for word in words}
    unseen = [word for word in wanted if word not in known]
    words = f"{about}: {key} match {fitting} of {len(seen)} requests"
    if not unseen:
        return Finding(Level.OK, words)
    instead = _listed(seen) if shown else "values that do not look like slugs, so they are not shown"
    meant = "".join(_meant(word, known) for word in unseen) if shown else ""
    words += f": none has {' or '.join(map(repr, unseen))}; they have: {instead}{meant}"
    level = Level.WRONG if meant else none
    return Finding(Level.NOTE if fitting else level, words)


def _are_slugs(seen: Sequence[Words]) -> bool:
    known = {word for words in seen for word in words}
    return len(known) <= AGENDAS_MOST and all(map(_SLUG.fullmatch, known))


def _meant(word: str, known: set[str]) -> str:
    near = {each.casefold(): each for each in sorted(known) if not each.isdigit()}
    close = difflib.get_close_matches(word.casefold(), near, n=1, cutoff=NEAR)
    return f"; does {word!r} mean {clean(near[close[0]])!r}?" if close else ""


def _what_counts(about: str, form: BookingForm, booked: Requests) -> Iterator[Finding]:
    """Check that all filters together leave some booking."""
    if not (form.agendas or form.meeting_types or form.statuses):
        return
    standing = replace(form, cancelled_statuses=())
    read = [found for each in booked for found in read_entry((standing,), each, UTC)]
    counting = sum(isinstance(each, Booking) and not each.gone for each in read)
    hint = "" if counting else ": each filter matches some, but no request matches them all"
    level = Level.OK if counting else Level.WRONG
    yield Finding(level, f"{about}: {counting} of {len(booked)} bookings count{hint}")


def _word(text: str | None) -> Words:
    return () if text is None else (text,)


def _status(entry: dict[str, Any]) -> Words:
    return tuple(each for each in status_of(entry) if each is not None)


def _meeting_type(form: BookingForm, entry: dict[str, Any]) -> Words:
    slot = parse_slot(text_at(entry, form.start) or "")
    return (slot.meeting_type,) if slot else ()


def _listed(seen: Sequence[Words]) -> str:
    counted = Counter(", ".join(map(clean, words)) or "none" for words in seen)
    return "; ".join(words for words, _count in counted.most_common(LISTED_MOST))
