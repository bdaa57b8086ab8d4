"""The actions that pages and programs may ask for: tables from the word in the address to its command."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.auth.roles import STAFF, Role
from hub.queue import requests as q
from hub.queue.requests import Command, Origin
from protocol.messages import DeskMode


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request.

    `shown`: the id of the ticket that the page showed as held, None if it showed none.
    `only_free`: the page showed that nobody is signed on at the desk.
    `only_own`: the page showed that the sender is signed on at the desk.
    `only_idle`: the page showed no visitor whom the sender would leave behind at another desk.
    """

    origin: Origin
    desk: str
    ticket: int = 0
    shown: int | None = None
    priority: bool = False
    service: str | None = None
    to_desk: str | None = None
    confirmed: bool = False
    only_free: bool = False
    only_own: bool = False
    only_idle: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    `says`: what it does, in one sentence for the API's documentation.
    `without_sign_on`: the roles that may do it at a desk without being signed on there.
    """

    says: str
    command: Callable[[Asked], Command]
    without_sign_on: frozenset[Role] = frozenset()


_RECEPTION = frozenset({Role.RECEPTION})


def _sign_on(asked: Asked) -> Command:
    only = {"only_free": asked.only_free, "only_idle": asked.only_idle}
    return q.SignOn(origin=asked.origin, desk=asked.desk, **only)


def _sign_off(asked: Asked) -> Command:
    return q.SignOff(origin=asked.origin, desk=asked.desk, only_own=asked.only_own)


def _at_held(kind: type[q.AtHeld]) -> Callable[[Asked], Command]:
    return lambda asked: kind(origin=asked.origin, desk=asked.desk, shown=asked.shown)


def _mode(mode: DeskMode) -> Callable[[Asked], Command]:
    return lambda asked: q.SetMode(origin=asked.origin, desk=asked.desk, shown=asked.shown, mode=mode)


def _at_ticket(kind: type[q.AtTicket]) -> Callable[[Asked], Command]:
    return lambda asked: kind(origin=asked.origin, desk=asked.desk, ticket=asked.ticket)


def _check_in(asked: Asked) -> Command:
    return q.CheckIn(origin=asked.origin, desk=asked.desk, ticket=asked.ticket, priority=asked.priority)


def _transfer(asked: Asked) -> Command:
    return q.Transfer(
        origin=asked.origin,
        desk=asked.desk,
        ticket=asked.ticket,
        service=asked.service,
        to_desk=asked.to_desk,
        confirmed=asked.confirmed,
        signed_on_unless_waiting=not asked.origin.signed_on,
    )


DESK_ACTIONS: dict[str, Action] = {
    "sign-on": Action(
        "Sign on at this desk. Signs the sender off any other desk, and anybody else off this one.",
        _sign_on,
        STAFF,
    ),
    "next": Action("Finish the ticket that the desk holds, and call the next one.", _at_held(q.Next)),
    "recall": Action("Announce the called ticket again.", _at_held(q.Recall)),
    "start": Action("Start the visit: the called visitor has come to the desk.", _at_held(q.Start)),
    "withdraw": Action(
        "Withdraw a call made by mistake: the ticket waits again in its place, or is set aside again.",
        _at_held(q.Withdraw),
    ),
    "absent": Action("Mark the called visitor as absent.", _at_held(q.MarkAbsent)),
    "finish": Action("Finish the visit without calling anybody.", _at_held(q.Finish)),
    "park": Action("Set aside the ticket that the desk holds.", _at_held(q.Park)),
    "undo": Action(
        "Undo `next`: the ticket that it called waits again, and the desk holds the one that it finished.",
        _at_held(q.Undo),
    ),
    "pause": Action("Pause the desk, as soon as it holds no ticket.", _mode(DeskMode.PAUSED)),
    "close": Action("Close the desk, as soon as it holds no ticket.", _mode(DeskMode.CLOSED)),
    "open": Action(
        "Open the desk, or cancel a pause or close that waits for the end of a visit.", _mode(DeskMode.OPEN)
    ),
    "sign-off": Action(
        "Sign off from this desk. A supervisor may also sign others off.",
        _sign_off,
        frozenset({Role.SUPERVISOR}),
    ),
}

TICKET_ACTIONS: dict[str, Action] = {
    "pick": Action("Call this waiting ticket, whichever ticket is next.", _at_ticket(q.Pick)),
    "resume": Action("Call a ticket that was set aside.", _at_ticket(q.Resume)),
    "start": Action(
        "Serve an absent visitor who came after all, at once and without an announcement.", _at_ticket(q.StartAbsent)
    ),
    "reopen": Action(
        "Reopen a ticket finished by mistake, within ten minutes: the desk holds it again.", _at_ticket(q.Reopen)
    ),
    "finish": Action("Finish a ticket that was set aside.", _at_ticket(q.FinishParked)),
    "readmit": Action("Put an absent ticket back in the queue.", _at_ticket(q.Readmit), _RECEPTION),
    "check-in": Action("Check in a visitor with an appointment.", _check_in, _RECEPTION),
    "cancel": Action("Cancel a waiting or expected ticket.", _at_ticket(q.Cancel), _RECEPTION),
    "transfer": Action(
        "Transfer the ticket to another service, or to one desk of its own service. It keeps its seniority.",
        _transfer,
        _RECEPTION,
    ),
}
