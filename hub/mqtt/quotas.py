"""Limits how many requests of one kind a dispenser may make. Pure.

- Codes: whoever guesses a confirmation code checks somebody else in and learns the ticket's number. Visitors mistype a
  code once or twice, and together they seldom reach the limit. At 2 guesses a minute, nobody finds six random letters
  and digits.
- Tickets: a service has 999 numbers a day. A dispenser that asks without end would use them up within seconds, and
  reception could issue none until midnight. A drawn ticket takes 1 to 3 s to print, so no dispenser reaches the limit.
"""

from collections import defaultdict

UNKNOWN_MOST, UNKNOWN_WITHIN_MS = 20, 600_000
TICKETS_MOST, TICKETS_WITHIN_MS = 100, 60_000


class Quota:
    """For each node, the requests of the last `within_ms` that count: those that no answer has cleared."""

    def __init__(self, most: int, within_ms: int) -> None:
        self._most, self._within_ms = most, within_ms
        self._asked: dict[str, dict[str, int]] = defaultdict(dict)

    def may_ask(self, node: str, request: str, now_ms: int) -> bool:
        """Whether the node may ask; if so, counts the request until it is cleared. A repeat is not counted again."""
        asked = self._asked[node]
        # Times only grow, so the oldest come first.
        while asked and now_ms - next(iter(asked.values())) >= self._within_ms:
            del asked[next(iter(asked))]
        if request not in asked and len(asked) >= self._most:
            return False
        asked.setdefault(request, now_ms)
        return True

    def clear(self, node: str, request: str) -> None:
        """Stops counting a request."""
        self._asked[node].pop(request, None)
