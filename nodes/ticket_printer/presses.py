"""One press of a dispenser's button: its step, when it is due, and what the hub is told of its end. Pure."""

from dataclasses import dataclass

from nodes.ticket_printer.spool import Entry, Step
from protocol.messages import TICKET_ANSWER_MS, Abandon, Printed, TicketReply


@dataclass(slots=True)
class Press:
    """One press under way. `entry.step` is on the disk or on its way there; `kept` says whether it is there."""

    entry: Entry
    pressed_ms: int
    kept: bool = False
    send_at_ms: int = 0
    reply: TicketReply | None = None

    @property
    def pending(self) -> bool:
        """Its paper is not out yet."""
        return self.entry.step in {Step.ASKED, Step.PRINTING}

    @property
    def answered(self) -> bool:
        """It waits for the printer."""
        return self.entry.step is Step.ASKED and self.reply is not None

    @property
    def given_up_ms(self) -> int:
        return self.pressed_ms + TICKET_ANSWER_MS

    def due_ms(self, connected: bool) -> int | None:
        """When it is resent or given up; None while it waits for the disk, the printer or a connection."""
        if not self.kept or self.entry.step is Step.PRINTING:
            return None
        if self.entry.step is not Step.ASKED:
            return self.send_at_ms if connected else None
        if self.reply is not None:
            return None
        return min(self.send_at_ms, self.given_up_ms) if connected else self.given_up_ms

    def word(self) -> Printed | Abandon:
        """What the hub is told once nothing more will come out."""
        if self.entry.step is Step.ABANDONED:
            return Abandon(id=self.entry.follow_id, of=self.entry.id)
        return Printed(id=self.entry.follow_id, of=self.entry.id, sure=self.entry.step is Step.PRINTED)
