"""Codes that nobody has: how many a dispenser may ask about. Pure.

Who finds a code checks somebody else in and learns the number. Visitors mistype once or twice, and seldom so many of
them within the time; at 2 a minute, six random letters and digits outlast whoever tries.
"""

from collections import defaultdict

UNKNOWN_MOST = 20
WITHIN_MS = 600_000


class Guesses:
    """For each node the requests of the last 10 minutes that found nobody, or are not answered yet."""

    def __init__(self) -> None:
        self._asked: dict[str, dict[str, int]] = defaultdict(dict)

    def may_ask(self, node: str, request: str, now_ms: int) -> bool:
        """Counts the request as a guess, until it is cleared."""
        asked = self._asked[node]
        # Times only grow, so the oldest stand in front.
        while asked and now_ms - next(iter(asked.values())) >= WITHIN_MS:
            del asked[next(iter(asked))]
        if request not in asked and len(asked) >= UNKNOWN_MOST:
            return False
        asked.setdefault(request, now_ms)
        return True

    def clear(self, node: str, request: str) -> None:
        """It found somebody, or was never looked for."""
        self._asked[node].pop(request, None)
