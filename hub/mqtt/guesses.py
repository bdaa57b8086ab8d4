"""Limits how many unknown confirmation codes a dispenser may ask about. Pure.

Whoever guesses a code checks somebody else in and learns the ticket's number. Visitors mistype a code once or twice,
and together they seldom reach the limit. At 2 guesses a minute, nobody finds six random letters and digits.
"""

from collections import defaultdict

UNKNOWN_MOST = 20
WITHIN_MS = 600_000


class Guesses:
    """For each node, the requests of the last 10 minutes that found nobody or are not answered yet."""

    def __init__(self) -> None:
        self._asked: dict[str, dict[str, int]] = defaultdict(dict)

    def may_ask(self, node: str, request: str, now_ms: int) -> bool:
        """Whether the node may ask; if so, counts the request as a guess until it is cleared."""
        asked = self._asked[node]
        # Times only grow, so the oldest come first.
        while asked and now_ms - next(iter(asked.values())) >= WITHIN_MS:
            del asked[next(iter(asked))]
        if request not in asked and len(asked) >= UNKNOWN_MOST:
            return False
        asked.setdefault(request, now_ms)
        return True

    def clear(self, node: str, request: str) -> None:
        """Stops counting a request that found somebody or was never looked up."""
        self._asked[node].pop(request, None)
