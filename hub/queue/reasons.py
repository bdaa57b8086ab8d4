"""Why a ticket is next, as facts from which pages make one sentence. Pure; uses the rule of `hub.queue.order`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.queue.order import STRICT_HEAD_START_MS, Candidate, Kind, takeable


class Why(StrEnum):
    APPOINTMENT = "appointment"  # its appointment is the nearest due time
    STRICT = "strict"  # its service puts appointments first, whatever else is due
    WALK_IN = "walk_in"  # its own due time is the nearest, a target wait after its arrival
    PRIORITY = "priority"  # like WALK_IN, with the due time brought forward
    DEFERRED = "deferred"  # the time its visitor asked for is over, or nearly
    HELPING = "helping"  # its due time is the nearest even with the delay of a desk that only helps out
    BOUND = "bound"  # it waits for this desk alone
    EARLY = "early"  # no other ticket may be taken, so an appointment is called before its time


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting ticket as one desk sees it: its place in the order, and the facts for its reason.

    `strict`: a head start was subtracted from `candidate.handicap_ms` because its service is strict.
    """

    candidate: Candidate
    number: str
    arrived_ms: int
    appointment_ms: int | None = None
    priority: bool = False
    bound: bool = False
    strict: bool = False

    @property
    def helping_ms(self) -> int:
        """The delay of a desk that only helps out, without the head start of a strict service."""
        return self.candidate.handicap_ms + (STRICT_HEAD_START_MS if self.strict else 0)

    @property
    def due_ms(self) -> int:
        """The due time that this desk uses, without the head start of a strict service, to show to people."""
        return self.candidate.due_ms + self.helping_ms


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a ticket is next. `due_ms`: its due time. `then`: number and due time of the ticket after it, or None."""

    why: Why
    due_ms: int
    arrived_ms: int
    appointment_ms: int | None
    helping_ms: int
    then: tuple[str, int] | None


def in_order(waiting: Iterable[Waiting], now_ms: int) -> list[Waiting]:
    """The tickets this desk may take now, best first."""
    known = {each.candidate.id: each for each in waiting}
    return [known[one.id] for one in takeable([each.candidate for each in known.values()], now_ms)]


def explain(order: Sequence[Waiting], now_ms: int) -> Reason | None:
    """Why the first ticket of `order` is next; None if `order` is empty."""
    if not order:
        return None
    first = order[0]
    then = (order[1].number, order[1].due_ms) if len(order) > 1 else None
    return Reason(_why(first, now_ms), first.due_ms, first.arrived_ms, first.appointment_ms, first.helping_ms, then)


def _why(first: Waiting, now_ms: int) -> Why:
    """The first reason that holds, in this order."""
    kind = first.candidate.kind
    held_true = (
        (Why.BOUND, first.bound),
        (Why.EARLY, not first.candidate.may_be_taken(now_ms)),
        (Why.STRICT, first.strict),
        (Why.HELPING, first.candidate.handicap_ms > 0),
        (Why.APPOINTMENT, kind is Kind.TIMED),
        (Why.DEFERRED, kind is Kind.DEFERRED),
        (Why.PRIORITY, first.priority),
        (Why.WALK_IN, True),
    )
    return next(why for why, holds in held_true if holds)
