"""Visitors with an appointment at the dispenser: from a code to what the hub says of it. Pure.

Nothing of this is on the disk, and a check-in that was not answered is not abandoned, as a ticket is. A ticket that was
not printed is nobody's; an appointment is somebody's, and who scanned is here. If the hub did not hear, scanning again
checks in; if it did, scanning again prints the same number, marked as a duplicate; and without a paper the reception
finds the visitor on its page.
"""

from dataclasses import dataclass
from typing import NamedTuple

from protocol.messages import TICKET_ANSWER_MS, CheckInReply

# A scanner that looks at a code for as long as it is held there reads it again and again.
SAME_MS = 3_000
ASK_AGAIN_MS = 2_000


@dataclass(slots=True)
class Asked:
    """One code the hub is asked about; once it has answered, it waits for the printer."""

    id: str
    code: str
    asked_ms: int
    send_at_ms: int
    reply: CheckInReply | None = None

    def due_ms(self, connected: bool) -> int | None:
        """When it is sent again, or given up; None while it waits for the printer."""
        if self.reply is not None:
            return None
        return min(self.send_at_ms, self.given_up_ms) if connected else self.given_up_ms

    @property
    def given_up_ms(self) -> int:
        return self.asked_ms + TICKET_ANSWER_MS


class Answered(NamedTuple):
    id: str
    asked_ms: int
    reply: CheckInReply


class CheckIns:
    """Those under way, in the order of their codes."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._last: tuple[str, int] | None = None

    def __len__(self) -> int:
        return len(self._asked)

    def seen(self, code: str, now_ms: int) -> bool:
        """Whether it is a code that was read just now, or is still under way."""
        code_before, read_ms = self._last or ("", 0)
        again = code == code_before and now_ms - read_ms < SAME_MS
        if again or any(each.code == code for each in self._asked.values()):
            self._last = code, now_ms
            return True
        return False

    def ask(self, request_id: str, code: str, now_ms: int) -> None:
        self._asked[request_id] = Asked(request_id, code, now_ms, now_ms)
        self._last = code, now_ms

    def connected(self, now_ms: int) -> None:
        """What was sent before may be lost."""
        for each in self._asked.values():
            each.send_at_ms = now_ms

    def due_ms(self, connected: bool) -> int | None:
        due = (each.due_ms(connected) for each in self._asked.values())
        return min((each for each in due if each is not None), default=None)

    def due(self, connected: bool, now_ms: int) -> list[Asked]:
        """Those to be sent now, which are then due again later, or to be given up."""
        found = []
        for each in self._asked.values():
            due_ms = each.due_ms(connected)
            if due_ms is not None and now_ms >= due_ms:
                each.send_at_ms = now_ms + ASK_AGAIN_MS
                found.append(each)
        return found

    def answered(self, reply: CheckInReply) -> bool:
        """False where nobody waits for that answer any more."""
        asked = self._asked.get(reply.id)
        if asked is None or asked.reply is not None:
            return False
        asked.reply = reply
        return True

    def to_print(self) -> list[Answered]:
        return [Answered(each.id, each.asked_ms, each.reply) for each in self._asked.values() if each.reply is not None]

    def end(self, request_id: str) -> Asked | None:
        """Takes it out, whatever became of it; None where there is none of that id."""
        return self._asked.pop(request_id, None)
