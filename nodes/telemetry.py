"""When a node tells how it is, and what it tells. Pure but for the one number it reads of itself."""

import resource
from dataclasses import dataclass

from nodes.events import Condition
from protocol.messages import NodeWarning, Telemetry

PERIOD_MS = 60_000
# What changed for a role is told at once, but not each time a loose contact changes its mind.
LEAST_MS = 5_000


@dataclass(slots=True)
class Reports:
    """`started_ms`: of the program, on the monotonic clock."""

    started_ms: int
    _sent_ms: int | None = None
    _condition: Condition = Condition()  # noqa: RUF009 - it is frozen

    def now(self) -> None:
        """There is a new connection: whoever listens has heard nothing yet."""
        self._sent_ms = None

    def due(self, condition: Condition, now_ms: int) -> bool:
        """True once each minute, and soon after the condition changed; the report is then taken as sent."""
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
