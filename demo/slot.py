"""Whose paper comes out of the dispenser, as far as the order of presses, scans and papers can tell."""

from collections import deque

# The dispenser gives up after 5 s without an answer and 10 s without a paper.
PAPER_MOST_S = 15.0


class Slot:
    """Tells papers that a viewer of the page asked for from those of the script.

    A slip may overtake a ticket, so while both ask for papers none of them is taken for the viewer's.
    """

    def __init__(self) -> None:
        self._asked: deque[tuple[float, bool]] = deque()
        self._mixed = False

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
        if not self._asked:
            return False
        self._mixed = self._mixed or not all(by_viewer for _, by_viewer in self._asked)
        yours = not self._mixed
        self._asked.popleft()
        self._forget(now_s)
        return yours

    def _forget(self, now_s: float) -> None:
        while self._asked and now_s - self._asked[0][0] > PAPER_MOST_S:
            self._asked.popleft()
        if not self._asked:
            self._mixed = False
