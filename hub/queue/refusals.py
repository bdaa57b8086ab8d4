"""Why a command was refused. A refused command has written nothing.

Each refusal has a stable English `code`, and the facts as fields, so that a page can state them in its own language.
"""

from typing import ClassVar

from hub.queue.states import Event, State


class Refusal(Exception):
    """The hub understood the command and refuses it.

    `str()` is one English sentence for a log or a problem+json `detail`.
    """

    code: ClassVar[str] = "refused"

    def facts(self) -> dict[str, object]:
        """The facts by name, without those that are None: `ticket`, `state`, `event`, `desk` …"""
        return {name: value for name, value in vars(self).items() if value is not None}


class TransitionRefused(Refusal):
    """The ticket's state does not allow the event."""

    code = "transition_refused"

    def __init__(self, ticket: str, state: State, event: Event) -> None:
        super().__init__(f"ticket {ticket} is {state}: {event} is not possible")
        self.ticket, self.state, self.event = ticket, state, event


class DeskMovedOn(Refusal):
    """The desk no longer holds the ticket that the page showed: somebody was faster.

    `by`: the source (`button`, `page`, `job`). `actor`: who did it. `did`: the event. `ticket`: the number now or last
    held. All are None for a desk that never held a ticket.
    """

    code = "desk_moved_on"

    def __init__(
        self,
        desk: str,
        did: Event | None = None,
        ticket: str | None = None,
        by: str | None = None,
        actor: str | None = None,
        at_ms: int | None = None,
    ) -> None:
        last = f"its last event is {did} of ticket {ticket}, by {by}" if did else "it holds no ticket"
        super().__init__(f"desk {desk} has moved on: {last}")
        self.desk, self.did, self.ticket, self.by, self.actor, self.at_ms = desk, did, ticket, by, actor, at_ms


class NotSignedOn(Refusal):
    """Only the agent signed on at a desk may do this there.

    `agent`: that agent's account. `at_ms`: when they signed on. `before`: the agent they took the desk over from.
    """

    code = "not_signed_on"

    def __init__(
        self, desk: str, agent: str | None = None, at_ms: int | None = None, before: str | None = None
    ) -> None:
        super().__init__(
            f"desk {desk}: {agent or 'nobody'} is signed on there, and only the agent signed on may do this"
        )
        self.desk, self.agent, self.at_ms, self.before = desk, agent, at_ms, before


class DeskTaken(Refusal):
    """The desk was shown as free, but an agent has signed on since. `agent`: their account. `at_ms`: when."""

    code = "desk_taken"

    def __init__(self, desk: str, agent: str, at_ms: int) -> None:
        super().__init__(f"desk {desk}: {agent} has signed on there meanwhile")
        self.desk, self.agent, self.at_ms = desk, agent, at_ms


class LeavesVisitor(Refusal):
    """The desk that the agent would leave holds a ticket that their page did not show."""

    code = "leaves_visitor"

    def __init__(self, desk: str, ticket: str) -> None:
        super().__init__(f"this would leave desk {desk}, which holds ticket {ticket}")
        self.desk, self.ticket = desk, ticket


class DeskNotOpen(Refusal):
    """A paused or closed desk takes no ticket."""

    code = "desk_not_open"

    def __init__(self, desk: str, mode: str, event: str) -> None:
        super().__init__(f"desk {desk} is {mode}: {event} needs an open desk")
        self.desk, self.mode, self.event = desk, mode, event


class DeskHoldsNobody(Refusal):
    """The desk must hold a ticket for this."""

    code = "desk_holds_nobody"

    def __init__(self, desk: str, event: str) -> None:
        super().__init__(f"desk {desk} holds no ticket: {event} needs one")
        self.desk, self.event = desk, event


class NotThisDesk(Refusal):
    """The ticket belongs to another desk, or to a service that this desk does not serve."""

    code = "not_this_desk"

    def __init__(self, desk: str, ticket: str, state: State, event: Event) -> None:
        super().__init__(f"ticket {ticket} is not for desk {desk}: {event} is refused")
        self.desk, self.ticket, self.state, self.event = desk, ticket, state, event


class WaitsForDesk(Refusal):
    """The ticket is bound to one desk, so it can't be deferred: that desk may always take it at once."""

    code = "waits_for_desk"

    def __init__(self, ticket: str, state: State, desk: str, event: Event) -> None:
        super().__init__(f"ticket {ticket} waits for desk {desk} only: {event} is refused")
        self.ticket, self.state, self.desk, self.event = ticket, state, desk, event


class TooOld(Refusal):
    """A press is older than 10 s."""

    code = "too_old"

    def __init__(self, what: str, age_ms: int, limit_ms: int) -> None:
        super().__init__(f"{what} is {age_ms / 1000:.1f} s old: the limit is {limit_ms / 1000:.0f} s")
        self.what, self.age_ms, self.limit_ms = what, age_ms, limit_ms


class EndTooOld(TooOld):
    """The ticket was finished more than 10 min ago and can't be reopened."""

    def __init__(self, ticket: str, state: State, age_ms: int, limit_ms: int) -> None:
        super().__init__(f"the end of ticket {ticket}", age_ms, limit_ms)
        self.ticket, self.state, self.event = ticket, state, Event.REOPEN


class ClickTooOld(TooOld):
    """A click is older than 7 s: its page stops waiting for an answer, and nobody expects the call any more."""

    code = "click_too_old"


class DayOver(Refusal):
    """The day has ended: another ticket may have the number by now, or nobody is called any more today."""

    code = "day_over"

    def __init__(self, ticket: str, state: State, day: str, event: Event) -> None:
        super().__init__(f"the day {day} of ticket {ticket} has ended: {event} is refused")
        self.ticket, self.state, self.day, self.event = ticket, state, day, event


class WrongDay(Refusal):
    """The appointment is on another day."""

    code = "wrong_day"

    def __init__(self, ticket: str, state: State, day: str, event: Event) -> None:
        super().__init__(f"the appointment of ticket {ticket} is on {day}: {event} is refused today")
        self.ticket, self.state, self.day, self.event = ticket, state, day, event


class ServiceClosed(Refusal):
    """Tickets are issued from `opens` to `last_ticket` only."""

    code = "service_closed"

    def __init__(self, service: str) -> None:
        super().__init__(f"service {service} issues no tickets at this hour")
        self.service = service


class NoOpenDesk(Refusal):
    """A transfer to a service without an open desk must be confirmed: repeat it with `confirmed`."""

    code = "no_open_desk"

    def __init__(self, service: str, ticket: str, state: State) -> None:
        super().__init__(f"no desk of service {service} is open: confirm to transfer ticket {ticket} there")
        self.service, self.ticket, self.state, self.event = service, ticket, state, Event.TRANSFER


class NumbersUsedUp(Refusal):
    """A series holds 999 numbers a day."""

    code = "numbers_used_up"

    def __init__(self, service: str) -> None:
        super().__init__(f"service {service} has issued all its 999 numbers today")
        self.service = service


class Unknown(Refusal):
    """No such desk, service, ticket, node or local account at this site."""

    code = "unknown"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"this site has no {kind} {name!r}")
        self.kind, self.name = kind, name


class Abandoned(Refusal):
    """The dispenser abandoned this request before it arrived."""

    code = "abandoned"

    def __init__(self, request: str) -> None:
        super().__init__(f"the dispenser has abandoned request {request}")
        self.request = request
