"""Whose ticket was cut off in the middle, and for how long a whole one is worth printing. Pure."""

from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.status import Fault
from protocol.messages import CheckInReply, TicketReply

# Somebody who got half a ticket waits for so long that the paper is changed.
WAIT_MS = 120_000
_HALVES = {Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.STALLED}


class SecondPaper:
    """One at most: the last that was cut off."""

    def __init__(self) -> None:
        self._owed: tuple[TicketReply | CheckInReply, int] | None = None

    def note(
        self, reply: TicketReply | CheckInReply | None, outcome: Outcome, fault: Fault | None, now_ms: int
    ) -> None:
        """What became of a paper. One without a number is not worth a second."""
        half = outcome is Outcome.UNKNOWN and fault in _HALVES
        if half and reply is not None and reply.number is not None:
            self._owed = reply, now_ms + WAIT_MS

    def take(self, now_ms: int) -> TicketReply | CheckInReply | None:
        """What is to be printed once more, once; None where nobody waits for it any more."""
        if self._owed is None:
            return None
        reply, until_ms = self._owed
        self._owed = None
        return reply if now_ms < until_ms else None
