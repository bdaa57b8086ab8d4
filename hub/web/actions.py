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
        "Work at this desk from now on, and at no other; whoever was signed on here no longer is.",
        _sign_on,
        STAFF,
    ),
    "next": Action("Finish the ticket the desk holds, and call the next.", _at_held(q.Next)),
    "recall": Action("Say the called ticket again.", _at_held(q.Recall)),
    "start": Action("The called visitor is here.", _at_held(q.Start)),
    "withdraw": Action(
        "Called by mistake: the ticket waits again, in its own place, or is set aside again.", _at_held(q.Withdraw)
    ),
    "absent": Action("The called visitor did not come.", _at_held(q.MarkAbsent)),
    "finish": Action("The visit is over; nobody is called.", _at_held(q.Finish)),
    "park": Action("Set the ticket the desk holds aside.", _at_held(q.Park)),
    "undo": Action("Undo a finish and call: what was called waits again, what was finished is back.", _at_held(q.Undo)),
    "pause": Action("Pause the desk, once it holds nobody.", _mode(DeskMode.PAUSED)),
    "close": Action("Close the desk, once it holds nobody.", _mode(DeskMode.CLOSED)),
    "open": Action(
        "Open the desk, or take a pause or close back that waits for the end of a visit.", _mode(DeskMode.OPEN)
    ),
    "sign-off": Action(
        "Work at this desk no more; a supervisor may sign others off.",
        _sign_off,
        frozenset({Role.SUPERVISOR}),
    ),
}

TICKET_ACTIONS: dict[str, Action] = {
    "pick": Action("Call this waiting ticket, whoever is due.", _at_ticket(q.Pick)),
    "resume": Action("Call a ticket again that was set aside.", _at_ticket(q.Resume)),
    "start": Action("An absent visitor came after all: served here at once, not announced.", _at_ticket(q.StartAbsent)),
    "reopen": Action("Finished by mistake, within ten minutes: the desk holds it again.", _at_ticket(q.Reopen)),
    "finish": Action("End a ticket that was set aside.", _at_ticket(q.FinishParked)),
    "readmit": Action("An absent ticket waits again.", _at_ticket(q.Readmit), _RECEPTION),
    "check-in": Action("A booked visitor is here.", _check_in, _RECEPTION),
    "cancel": Action("A waiting or expected ticket is no longer wanted.", _at_ticket(q.Cancel), _RECEPTION),
    "transfer": Action(
        "To another service, or to one desk under its own service; it keeps its seniority.", _transfer, _RECEPTION
    ),
}
