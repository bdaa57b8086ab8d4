"""Why this ticket is next, as facts; pages make one sentence of them. Pure, and the same rule as `hub.queue.order`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.queue.order import STRICT_HEAD_START_MS, Candidate, Kind, takeable


class Why(StrEnum):
    APPOINTMENT = "appointment"  # its appointment is the nearest due time
    STRICT = "strict"  # its service puts appointments first, whoever else is due
    WALK_IN = "walk_in"  # its own due time is the nearest, a target wait after its arrival
    PRIORITY = "priority"  # the same, brought forward
    DEFERRED = "deferred"  # the time its visitor asked for is over
    HELPING = "helping"  # even with the delay of a desk that only helps out
    BOUND = "bound"  # it waits for this desk alone
    EARLY = "early"  # nobody else is here, so an appointment is called before its time


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting ticket as one desk sees it: its place in the order, and what its reason is told by.

    `strict`: its service has taken a head start off `candidate.handicap_ms`.
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
        """The delay of a desk that only helps out, without what a strict service takes off."""
        return self.candidate.handicap_ms + (STRICT_HEAD_START_MS if self.strict else 0)

    @property
    def due_ms(self) -> int:
        """The due time this desk goes by, as people read it."""
        return self.candidate.due_ms + self.helping_ms


@dataclass(frozen=True, slots=True)
class Reason:
    """`due_ms`: the due time that won. `then`: number and due time of who comes after it, where somebody does."""

    why: Why
    due_ms: int
    arrived_ms: int
    appointment_ms: int | None
    helping_ms: int
    then: tuple[str, int] | None


def in_order(waiting: Iterable[Waiting], now_ms: int) -> list[Waiting]:
    """Those this desk may take now, best first."""
    known = {each.candidate.id: each for each in waiting}
    return [known[one.id] for one in takeable([each.candidate for each in known.values()], now_ms)]


def explain(order: Sequence[Waiting], now_ms: int) -> Reason | None:
    """Why the first of `order` is next; None where it is empty."""
    if not order:
        return None
    first = order[0]
    then = (order[1].number, order[1].due_ms) if len(order) > 1 else None
    return Reason(_why(first, now_ms), first.due_ms, first.arrived_ms, first.appointment_ms, first.helping_ms, then)


def _why(first: Waiting, now_ms: int) -> Why:
    """The first that holds, in this order."""
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
