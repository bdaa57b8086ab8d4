"""The hub's only clock: it never goes back and never stands still."""

import threading
import time
from collections.abc import Callable


class Clock:
    """Wall time in ms since 1970, kept from jumping back.

    When the system's clock is set back, this one goes on at half speed until the two meet: due times and ages stay in
    order and nothing stops. When it is set forward, this one follows at once.
    """

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._last_ns = wall_ns()
        self._last_monotonic_ns = monotonic_ns()
        self._lock = threading.Lock()

    def not_before(self, moment_ms: int) -> None:
        """Moves the clock up to the last time that an earlier run wrote: a machine's clock may start far back."""
        with self._lock:
            self._last_ns = max(self._last_ns, moment_ms * 1_000_000)

    def ahead_ms(self) -> int:
        """How far it is ahead of the system's clock: that one was set back, or was too far ahead in an earlier run."""
        return max(0, self.now_ms() - self._wall_ns() // 1_000_000)

    def now_ms(self) -> int:
        with self._lock:
            monotonic_ns = self._monotonic_ns()
            at_half_speed = self._last_ns + (monotonic_ns - self._last_monotonic_ns) // 2
            self._last_ns = max(self._wall_ns(), at_half_speed)
            self._last_monotonic_ns = monotonic_ns
            return self._last_ns // 1_000_000
