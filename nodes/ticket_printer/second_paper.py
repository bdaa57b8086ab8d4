"""The last ticket that was cut off in the middle, and for how long it is worth printing again. Pure."""

from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.status import Fault
from protocol.messages import CheckInReply, TicketReply

# For this long a visitor who got half a ticket waits for the paper to be changed.
WAIT_MS = 120_000
_HALVES = {Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.STALLED}


class SecondPaper:
    """At most one reply to print again: the last whose paper was cut off."""

    def __init__(self) -> None:
        self._owed: tuple[TicketReply | CheckInReply, int] | None = None
        self._taken: tuple[TicketReply | CheckInReply, int] | None = None

    def note(
        self, reply: TicketReply | CheckInReply | None, outcome: Outcome, fault: Fault | None, now_ms: int
    ) -> None:
        """Record a paper's outcome. A paper without a number is not printed again."""
        if _is_half(outcome, fault) and reply is not None and reply.number is not None:
            self._owed = reply, now_ms + WAIT_MS

    def take(self, now_ms: int) -> TicketReply | CheckInReply | None:
        """What to print again; None if there is nothing, or nobody waits for it any more."""
        owed, self._owed = self._owed, None
        self._taken = owed if owed is not None and now_ms < owed[1] else None
        return None if self._taken is None else self._taken[0]

    def ended(self, outcome: Outcome, fault: Fault | None) -> None:
        """Record the outcome of what was taken. If a fault cut it off or kept it from printing, it is owed again."""
        taken, self._taken = self._taken, None
        kept_in = outcome is Outcome.NOT_PRINTED and fault is not None
        if taken is not None and (kept_in or _is_half(outcome, fault)):
            self._owed = taken


def _is_half(outcome: Outcome, fault: Fault | None) -> bool:
    return outcome is Outcome.UNKNOWN and fault in _HALVES
