"""The sentences of the desk page: reasons, the last action, refusals. Each is one entry of the catalogue."""

from collections.abc import Mapping

from hub.queue.answers import RefusedAnswer
from hub.queue.reasons import Reason, Why
from hub.queue.tickets import Ticket
from hub.web.desk.booking_sentences import moment
from hub.web.desk.picture import DeskPicture, LastAction, Stage
from hub.web.words import clock, minutes, say, spaced
from protocol.messages import DeskMode

_REASONS = {
    Why.APPOINTMENT: "Its appointment at %(appointment)s is the nearest due time.",
    Why.STRICT: "This service takes appointments first, and that at %(appointment)s is the nearest.",
    Why.WALK_IN: "Here since %(arrived)s, its due time of %(due)s is the nearest.",
    Why.PRIORITY: "With its priority, its due time of %(due)s is the nearest.",
    Why.DEFERRED: "Its visitor asked for more time, until %(due)s: that is the nearest due time.",
    Why.HELPING: "Even with your helping delay of %(helping)s min, its due time of %(due)s is the nearest.",
    Why.BOUND: "It waits for this desk alone, and its due time of %(due)s is the nearest.",
    Why.EARLY: "Nobody else can be called: its appointment at %(appointment)s is called early.",
}

_EVENTS = {
    "call": "%(number)s called",
    "recall": "%(number)s called again",
    "start": "%(number)s present",
    "withdraw": "call of %(number)s withdrawn",
    "absent": "%(number)s absent",
    "finish": "%(number)s finished",
    "transfer": "%(number)s transferred",
    "park": "%(number)s set aside",
    "resume": "%(number)s taken up again",
    "readmit": "%(number)s waits again",
    "reopen": "%(number)s reopened",
    "cancel": "%(number)s cancelled",
    "check_in": "%(number)s is here",
    "release": "%(number)s set free for other desks",
    "end_day": "%(number)s closed at the end of the day",
    "desk_open": "desk open",
    "desk_paused": "desk paused",
    "desk_pausing": "pause asked for",
    "desk_closed": "desk closed",
    "desk_closing": "closing asked for",
}
_SOURCES = {
    "button": "desk button",
    "page": "page",
    "api": "program",
    "dispenser": "dispenser",
    "sync": "appointments",
    "job": "automatic",
}

# Who was faster, and what they did: the two placeholders of one sentence.
_WHO = {
    "button": "the button",
    "page": "another page",
    "api": "a program",
    "dispenser": "the dispenser",
    "sync": "the appointment list",
    "job": "the clock",
}
_DID = {
    "call": "called %(number)s",
    "recall": "called %(number)s again",
    "start": "marked %(number)s as present",
    "withdraw": "withdrew the call of %(number)s",
    "absent": "marked %(number)s as absent",
    "finish": "finished %(number)s",
    "transfer": "transferred %(number)s",
    "park": "set %(number)s aside",
    "resume": "took %(number)s up again",
    "readmit": "put %(number)s back in the queue",
    "reopen": "reopened %(number)s",
    "cancel": "cancelled %(number)s",
    "end_day": "closed %(number)s at the end of the day",
    "desk_paused": "paused the desk",
    "desk_closed": "closed the desk",
}

_STATES = {
    "expected": "expected",
    "waiting": "waiting",
    "called": "called",
    "serving": "at a desk",
    "parked": "set aside",
    "served": "finished",
    "absent": "absent",
    "cancelled": "cancelled",
}

_REFUSALS = {
    "desk_not_open": "The desk is not open: open it first.",
    "desk_holds_nobody": "Nobody is at the desk. This page is up to date.",
    "not_this_desk": "%(ticket)s is not for this desk.",
    "too_old": "Too late: a finished ticket can be reopened for ten minutes.",
    "click_too_old": "Your click reached the hub too late and did nothing. This page is up to date.",
    "day_over": "%(ticket)s cannot come back: its day has ended.",
    "wrong_day": "%(ticket)s is for another day.",
    "service_closed": "This service issues no tickets at this hour.",
    "numbers_used_up": "This service has issued all its numbers today.",
    "unknown": "This ticket or service does not exist any more.",
    "abandoned": "This request was given up.",
}


def reason_sentence(reason: Reason, zone: str) -> str:
    """Say why this ticket is next, in one sentence."""
    return say(
        _REASONS[reason.why],
        appointment=clock(reason.appointment_ms or reason.due_ms, zone),
        arrived=clock(reason.arrived_ms, zone),
        due=clock(reason.due_ms, zone),
        helping=minutes(reason.helping_ms),
    )


def then_sentence(reason: Reason, zone: str) -> str:
    """Say which ticket comes after it; empty if the reason already says that none does."""
    if reason.then is None:
        return "" if reason.why is Why.EARLY else say("Nobody else can be called now.")
    number, due_ms = reason.then
    return say("Then comes %(number)s, at %(due)s.", number=spaced(number), due=clock(due_ms, zone))


def last_action_facts(last: LastAction, now_ms: int, zone: str) -> list[str]:
    """Return the facts of the last-action line: when, what, and from where."""
    number = spaced(last.number)
    if not number and last.appointment_ms is not None:
        number = say("appointment at %(at)s", at=clock(last.appointment_ms, zone))
    what = say(_EVENTS.get(last.event, "%(number)s changed"), number=number)
    if last.finished is not None:
        what = say("%(finished)s finished, %(number)s called", finished=spaced(last.finished), number=number)
    source = say(_SOURCES.get(last.source, last.source))
    if last.who is not None:
        source = say("%(who)s, by %(source)s", who=last.who, source=source)
    return [moment(last.at_ms, now_ms, zone), what, source]


def next_line(picture: DeskPicture, zone: str) -> str:
    """Say what the button Suivant would do: the line in the button."""
    held = spaced(picture.held.number) if picture.held else ""
    following = picture.next
    if picture.next_off_until_ms > picture.now_ms:
        return say("Calling…")
    if picture.held and (picture.pausing or picture.closing):
        text = "Finishes %(held)s, then closes" if picture.closing else "Finishes %(held)s, then pauses"
        return say(text, held=held)
    if following is None:
        return say("Finishes %(held)s", held=held) if picture.held else say("No visitor to call")
    number = spaced(following.number)
    if picture.held:
        return say("Finishes %(held)s, then calls %(number)s", held=held, number=number)
    if following.appointment_ms is None:
        return say("Calls %(number)s", number=number)
    return say("Calls %(number)s, appointment at %(at)s", number=number, at=clock(following.appointment_ms, zone))


def headline(picture: DeskPicture, number: str) -> str:
    """Say the desk's state in one sentence, for screen readers."""
    held = picture.held
    if held is not None:
        is_calling = picture.stage is Stage.CALLING
        text = "%(ticket)s is called to desk %(desk)s" if is_calling else "%(ticket)s is at desk %(desk)s"
        return say(text, ticket=spaced(held.number), desk=number)
    if picture.stage is Stage.ABSENT and picture.last is not None:
        return say("%(ticket)s did not come within the delay", ticket=spaced(picture.last.number))
    if picture.mode is DeskMode.PAUSED:
        return say("Desk %(desk)s is paused", desk=number)
    if picture.mode is DeskMode.CLOSED:
        return say("Desk %(desk)s is closed", desk=number)
    if picture.next is not None:
        return say("Nobody is called, %(number)s is next", number=spaced(picture.next.number))
    return say("Nobody can be called now." if any(each.rows for each in picture.queues) else "Nobody waits")


def refusal_sentence(
    refused: RefusedAnswer,
    zone: str,
    asked: Ticket | None = None,
    *,
    desk: str = "",
    who: str | None = None,
    account: str = "",
) -> str:
    """Say why a command was refused, to the person who sent it.

    `asked`: the command's ticket, if known. `desk`: the number of the desk. `who`: the display name of the person that
    the refusal is about, if any. `account`: that of the person who sent the command.
    """
    facts = refused.facts
    ticket = spaced(str(facts.get("ticket") or ""))
    if asked is not None and asked.number is None and asked.appointment_ms is not None:
        ticket = say("The appointment at %(at)s", at=clock(asked.appointment_ms, zone))
    if refused.code == "desk_moved_on":
        return _moved_on(refused, ticket, zone, who)
    if refused.code == "transition_refused":
        state = say(_STATES.get(str(facts.get("state")), "changed"))
        return say("%(ticket)s is %(state)s by now. This page is up to date.", ticket=ticket, state=state)
    if refused.code == "not_signed_on":
        return _not_signed_on(facts, zone, desk, who, account)
    if refused.code == "desk_taken":
        return _is_there(facts, zone, desk, who)
    return say(_REFUSALS.get(refused.code, "Not possible now. This page is up to date."), ticket=ticket)


def closed_sentence(desk: str) -> str:
    """Say that the desk chosen for a transfer has closed. `desk`: its number."""
    return say("Desk %(desk)s is closed by now: choose another one, or a service.", desk=desk)


def _not_signed_on(facts: Mapping[str, object], zone: str, desk: str, who: str | None, account: str) -> str:
    """Only the person who was signed on before reads that the desk was taken over."""
    at_ms = facts.get("at_ms")
    if who is None or not isinstance(at_ms, int):
        return say("You are not signed on at desk %(desk)s.", desk=desk)
    if facts.get("before") != account:
        return _is_there(facts, zone, desk, who)
    time = clock(at_ms, zone, seconds=True)
    return say("Desk %(desk)s was taken over by %(who)s at %(time)s.", desk=desk, who=who, time=time)


def _is_there(facts: Mapping[str, object], zone: str, desk: str, who: str | None) -> str:
    at_ms = facts.get("at_ms")
    time = clock(at_ms, zone) if isinstance(at_ms, int) else ""
    return say("%(who)s has been at desk %(desk)s since %(time)s.", who=who or facts.get("agent"), desk=desk, time=time)


def already_done(last: LastAction, zone: str) -> str:
    """Say what somebody who was faster did at the desk."""
    return _already_done(last.event, last.source, last.at_ms, spaced(last.number), last.who, zone)


def _moved_on(refused: RefusedAnswer, ticket: str, zone: str, who: str | None) -> str:
    facts = refused.facts
    return _already_done(str(facts.get("did")), str(facts.get("by")), facts.get("at_ms"), ticket, who, zone)


def _already_done(event: str, source: str, at_ms: object, ticket: str, who: str | None, zone: str) -> str:
    did, by = _DID.get(event), _WHO.get(source)
    if did is None or by is None or not isinstance(at_ms, int):
        return say("The desk has moved on. This page is up to date.")
    # No name for the button: people at the desk know who pressed it.
    is_named = who is not None and source in {"page", "api"}
    return say(
        "Already done: %(who)s %(did)s at %(time)s. This page is up to date.",
        who=who if is_named else say(by),
        did=say(did, number=ticket),
        time=clock(at_ms, zone, seconds=True),
    )
