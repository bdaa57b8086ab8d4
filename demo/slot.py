"""Whose paper comes out of the dispenser: papers come in the order of presses and scans."""

from collections import deque

# The dispenser waits 5 s for the hub and prints for up to 3 s; what takes longer gives no paper.
PAPER_MOST_S = 8.0


class Slot:
    """Tells papers that a viewer of the page asked for from those of the script."""

    def __init__(self) -> None:
        self._asked: deque[tuple[float, bool]] = deque()

    def ask(self, now_s: float) -> None:
        """Note a press or scan."""
        self._forget(now_s)
        self._asked.append((now_s, False))

    def claim(self) -> None:
        """Note that a viewer made the newest press or scan."""
        at_s, _ = self._asked.pop()
        self._asked.append((at_s, True))

    def take(self, now_s: float) -> bool:
        """Take the paper that came out; True if a viewer asked for it."""
        self._forget(now_s)
        return bool(self._asked) and self._asked.popleft()[1]

    def _forget(self, now_s: float) -> None:
        while self._asked and now_s - self._asked[0][0] > PAPER_MOST_S:
            self._asked.popleft()
