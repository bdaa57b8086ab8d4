"""Sentences for staff about appointments: how old the list is, how visitors arrive, which reports failed."""

from enum import Enum

from hub.appointments.list_state import ListState
from hub.appointments.source_refusal import Why
from hub.queue.answers import Answer, TicketAnswer
from hub.queue.bookings import Known
from hub.queue.hours import local
from hub.queue.states import State
from hub.web.desk.booking_reading import FailedReport
from hub.web.desk.panels import SearchRow, TicketPanel
from hub.web.words import clock, say, spaced
from protocol.messages import Arrival

_ARRIVALS = {
    Arrival.EARLY: (
        "Early: the appointment is at %(at)s and can be called from %(early)s, earlier if the queue is empty."
    ),
    Arrival.ON_TIME: "On time for the appointment at %(at)s.",
    Arrival.LATE: "Late, but the appointment at %(at)s still counts.",
    Arrival.MISSED: "Too late for the appointment at %(at)s: waits like somebody without one.",
    Arrival.AGAIN: "Here already since %(since)s: %(number)s waits.",
    Arrival.CALLED: "Here already: %(number)s is called to desk %(desk)s at this moment.",
    Arrival.ABSENT: "%(number)s was called at %(called)s and did not come. Put it back in the queue.",
    Arrival.WRONG_DAY: "Not today: this appointment is on %(day)s at %(at)s. Today takes a ticket without one.",
    Arrival.CANCELLED: "This appointment was cancelled. The visitor needs a ticket without one.",
    Arrival.ENDED: "This visit is over since %(ended)s.",
    Arrival.UNKNOWN: "No appointment has this code.",
}

# For an appointment of today: it is a WRONG_DAY only because the day has ended.
_TODAY = {Arrival.WRONG_DAY: "Too late for the appointment at %(at)s: the day has ended."}

# In these states, the ticket's state says more than its arrival.
_BY_STATE = {
    State.PARKED: "Here already since %(since)s: %(number)s was set aside by desk %(desk)s.",
}

_STATES = {
    State.EXPECTED: "is expected",
    State.WAITING: "here, %(number)s waits",
    State.CALLED: "%(number)s called to desk %(desk)s",
    State.SERVING: "%(number)s at desk %(desk)s",
    State.PARKED: "%(number)s set aside by desk %(desk)s",
    State.SERVED: "visit over",
    State.ABSENT: "%(number)s called, did not come",
    State.CANCELLED: "is cancelled",
}


class _Silent(Enum):
    """Which list is old: the source's, that of some services, a file's, or one that the hub received but doubts."""

    SOURCE = 0
    SERVICES = 1
    FILE = 2
    DOUBTED = 3


_NEVER = {
    _Silent.SOURCE: "No list yet, %(source)s does not answer",
    _Silent.SERVICES: "No list yet for %(services)s, %(source)s gives no complete one",
    _Silent.FILE: "No list yet, %(source)s cannot be read",
    _Silent.DOUBTED: "List for %(services)s not taken: known appointments no longer appear in %(source)s",
}
# The key's first part: whether the list is of today.
_SILENT = {
    (True, _Silent.SOURCE): "List of %(at)s, %(source)s does not answer",
    (True, _Silent.SERVICES): "List of %(at)s for %(services)s, %(source)s gives no newer one",
    (True, _Silent.FILE): "List of %(at)s, %(source)s cannot be read",
    (True, _Silent.DOUBTED): "List of %(at)s for %(services)s: known appointments no longer appear in %(source)s",
    (False, _Silent.SOURCE): "List of %(day)s at %(at)s, %(source)s does not answer",
    (False, _Silent.SERVICES): "List of %(day)s at %(at)s for %(services)s, %(source)s gives no newer one",
    (False, _Silent.FILE): "List of %(day)s at %(at)s, %(source)s cannot be read",
    (False, _Silent.DOUBTED): (
        "List of %(day)s at %(at)s for %(services)s: known appointments no longer appear in %(source)s"
    ),
}

_REFUSED = {
    Why.NO_STEP: "Its request knows no such step in the state it is in.",
    Why.UNMET: "The step is not open to its request now.",
    Why.GONE: "Its request is no longer there.",
    Why.ODD: "The hub cannot make use of the answer: a matter for the administrator.",
    Why.SAYS_NO: "It was refused.",
}

_TOLD = {
    "arrived": "to tell: has arrived",
    "served": "to tell: was received",
    "absent": "to tell: did not come",
    "cancelled": "to tell: cancelled at the desk",
}


def list_age(state: ListState, zone: str, now_ms: int) -> str:
    """Say that the list of bookings is up to date, or else how old it is and what its source does not give."""
    if not state.late:
        return say("The list is being read") if state.as_of_ms is None else say("up to date")
    silent = _whose(state)
    facts = {"source": state.source, "services": ", ".join(state.doubted or state.behind)}
    said = _how_old(state, silent, zone, now_ms, facts)
    unanswered = [each for each in state.behind if each not in state.doubted]
    if silent is not _Silent.DOUBTED or not unanswered:
        return said
    return say("%(list)s; no newer one for %(services)s", list=said, services=", ".join(unanswered))


def list_mark(state: ListState, zone: str, now_ms: int) -> str:
    """Say in a few words how old a list is that is late."""
    if state.as_of_ms is None:
        return say("No RDV list")
    if _is_same_day(state.as_of_ms, now_ms, zone):
        return say("RDV list of %(at)s", at=clock(state.as_of_ms, zone))
    return say("RDV list of the %(day)s", day=date(state.as_of_ms, zone))


def _how_old(state: ListState, silent: _Silent, zone: str, now_ms: int, facts: dict[str, str]) -> str:
    if state.as_of_ms is None:
        return say(_NEVER[silent], **facts)
    day, at = date(state.as_of_ms, zone), clock(state.as_of_ms, zone)
    is_today = _is_same_day(state.as_of_ms, now_ms, zone)
    return say(_SILENT[is_today, silent], day=day, at=at, **facts)


def _whose(state: ListState) -> _Silent:
    if state.is_file:
        return _Silent.FILE
    if state.doubted:
        return _Silent.DOUBTED
    return _Silent.SERVICES if state.behind else _Silent.SOURCE


def moment(moment_ms: int, now_ms: int, zone: str) -> str:
    """A time of today, `10:41`; of another day with its date, `24/11 10:41`."""
    if _is_same_day(moment_ms, now_ms, zone):
        return clock(moment_ms, zone)
    return f"{date(moment_ms, zone)} {clock(moment_ms, zone)}"


def day(moment_ms: int, now_ms: int, zone: str) -> str:
    """The day and the time, as a sentence says them: `aujourd’hui à 8:12`, `le 24/11 à 8:12`."""
    time = clock(moment_ms, zone)
    if _is_same_day(moment_ms, now_ms, zone):
        return say("today at %(time)s", time=time)
    return say("on %(date)s at %(time)s", date=date(moment_ms, zone), time=time)


def _is_same_day(one_ms: int, other_ms: int, zone: str) -> bool:
    return local(one_ms, zone).date() == local(other_ms, zone).date()


def date(moment_ms: int, zone: str) -> str:
    return f"{local(moment_ms, zone):%d/%m}"


def arrival_of_panel(panel: TicketPanel, zone: str) -> str:
    """Say what to tell the visitor now; empty for a ticket without an appointment."""
    if panel.arrival is None or panel.booking is None:
        return ""
    return " ".join(filter(None, [_arrival(panel, panel.arrival, panel.booking, zone), _hall(panel)]))


def checked_in_sentence(before: TicketPanel, answer: Answer, zone: str) -> str:
    """After a check-in, say the number and what to tell its visitor; empty after other commands."""
    if not isinstance(answer, TicketAnswer):
        return ""
    number = say("%(number)s is checked in.", number=spaced(answer.number))
    # A check-in that is sent twice finds a ticket that already waits.
    return f"{number} {arrival_of_panel(before, zone)}" if before.may_check_in else number


def booking_state(row: SearchRow) -> str:
    """What has become of a booking, in a few words."""
    ticket = row.found.ticket
    if ticket.state is State.ABSENT and ticket.call is None:
        return say("did not come")
    return say(_STATES[ticket.state], number=spaced(ticket.label), desk=row.desk)


def _arrival(panel: TicketPanel, arrival: Arrival, booking: Known, zone: str) -> str:
    ticket = panel.ticket
    arrivals = _ARRIVALS | _TODAY if _is_same_day(booking.start_ms, panel.now_ms, zone) else _ARRIVALS
    text = _BY_STATE.get(ticket.state, arrivals[arrival])
    return say(
        text,
        at=clock(booking.start_ms, zone),
        early=clock(booking.start_ms - panel.early_ms, zone),
        day=date(booking.start_ms, zone),
        number=spaced(ticket.label),
        desk=panel.number_of_desk,
        since=clock(ticket.issued_ms or booking.start_ms, zone),
        called=clock(ticket.called_ms or booking.start_ms, zone),
        ended=clock(ticket.ended_ms or booking.start_ms, zone),
    )


def _hall(panel: TicketPanel) -> str:
    """Where to wait, if that is not this desk's hall."""
    waits = panel.hall and (panel.may_check_in or panel.arrival is Arrival.AGAIN)
    return say("Waits in “%(hall)s”.", hall=panel.hall) if waits else ""


def report_title(report: FailedReport, now_ms: int, zone: str) -> str:
    """The ticket's number; if it has none, the time of its appointment and the confirmation code."""
    if report.number:
        return spaced(report.number)
    at = moment(report.appointment_ms, now_ms, zone)
    return f"{at} {report.code}".rstrip()


def report_told(report: FailedReport) -> str:
    return say(_TOLD.get(report.kind, "to tell: a change"))


def report_reason(report: FailedReport) -> str:
    """Why it was refused, in plain words."""
    return say(_REFUSED[report.refusal.why])
