"""When a node sends telemetry, and what it contains. Pure, except that it reads its own memory use."""

import resource
from dataclasses import dataclass

from nodes.events import Condition
from protocol.messages import NodeWarning, Telemetry

PERIOD_MS = 60_000
# A changed condition is reported at once, but at most every 5 s, in case a loose contact flaps.
LEAST_MS = 5_000


@dataclass(slots=True)
class Reports:
    """A node's reports. `started_ms`: start of the program on the monotonic clock."""

    started_ms: int
    _sent_ms: int | None = None
    _condition: Condition = Condition()  # noqa: RUF009 - it is frozen

    def now(self) -> None:
        """Make a report due at once: on a new connection nothing has been reported yet."""
        self._sent_ms = None

    def due(self, condition: Condition, now_ms: int) -> bool:
        """True once a minute, and soon after the condition changed; the report then counts as sent."""
        wait_ms = PERIOD_MS if condition == self._condition else LEAST_MS
        if self._sent_ms is not None and now_ms - self._sent_ms < wait_ms:
            return False
        self._sent_ms, self._condition = now_ms, condition
        return True

    def report(self, condition: Condition, bad_messages: int, now_ms: int) -> Telemetry:
        refused = (f"{NodeWarning.MESSAGES_REFUSED}: {bad_messages}",) if bad_messages else ()
        return Telemetry(
            uptime_s=(now_ms - self.started_ms) // 1000,
            memory_mib=resident_mib(),
            stuck=condition.stuck,
            warnings=condition.warnings + refused,
        )


def resident_mib() -> float:
    """This process's resident memory."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - a file of the kernel, not of ours
        pages = int(statm.read().split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)
