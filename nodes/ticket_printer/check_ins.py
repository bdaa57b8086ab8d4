"""Check-ins of appointments at the dispenser: from a code to the hub's answer. Pure.

Check-ins are not kept on disk, and an unanswered one is not abandoned as a ticket is: a ticket that was not printed
belongs to nobody, but an appointment belongs to a visitor who is here. The visitor can scan again. If the hub did not
receive the first request, this checks in; if it did, this prints the same number, marked as a duplicate. Without a
paper, the reception finds the visitor on its page.
"""

from dataclasses import dataclass
from typing import NamedTuple

from protocol.messages import TICKET_ANSWER_MS, CheckInReply

# A scanner reads a code again and again for as long as it is held there.
SAME_MS = 3_000
ASK_AGAIN_MS = 2_000


@dataclass(slots=True)
class Asked:
    """One code that the hub is asked about. Once the hub has answered, it waits for the printer."""

    id: str
    code: str
    asked_ms: int
    send_at_ms: int
    reply: CheckInReply | None = None

    def due_ms(self, connected: bool) -> int | None:
        """When it is resent or given up; None while it waits for the printer."""
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
    """The check-ins under way, in the order in which their codes were read."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._last: tuple[str, int] | None = None

    def __len__(self) -> int:
        return len(self._asked)

    def seen(self, code: str, now_ms: int) -> bool:
        """Whether the code was read just now or is still under way."""
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
        """Make all due: what was sent before may be lost."""
        for each in self._asked.values():
            each.send_at_ms = now_ms

    def due_ms(self, connected: bool) -> int | None:
        due = (each.due_ms(connected) for each in self._asked.values())
        return min((each for each in due if each is not None), default=None)

    def due(self, connected: bool, now_ms: int) -> list[Asked]:
        """The check-ins to send, or to give up, now; each is then due again after ASK_AGAIN_MS."""
        found = []
        for each in self._asked.values():
            due_ms = each.due_ms(connected)
            if due_ms is not None and now_ms >= due_ms:
                each.send_at_ms = now_ms + ASK_AGAIN_MS
                found.append(each)
        return found

    def answered(self, reply: CheckInReply) -> bool:
        """Take an answer; False if no check-in waits for it."""
        asked = self._asked.get(reply.id)
        if asked is None or asked.reply is not None:
            return False
        asked.reply = reply
        return True

    def to_print(self) -> list[Answered]:
        return [Answered(each.id, each.asked_ms, each.reply) for each in self._asked.values() if each.reply is not None]

    def end(self, request_id: str) -> Asked | None:
        """Remove a check-in; None if there is none with that id."""
        return self._asked.pop(request_id, None)
