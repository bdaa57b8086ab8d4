"""A limit on how often something may happen."""

from collections import deque


class Rate:
    """Allows something at most `most` times within `within_ms`."""

    def __init__(self, most: int, within_ms: int) -> None:
        self._within_ms = within_ms
        self._allowed_ms: deque[int] = deque(maxlen=most)

    def allows(self, now_ms: int) -> bool:
        """Whether it may happen now; if so, counts it."""
        allowed_ms = self._allowed_ms
        if len(allowed_ms) == allowed_ms.maxlen and now_ms - allowed_ms[0] < self._within_ms:
            return False
        allowed_ms.append(now_ms)
        return True

    def __str__(self) -> str:
        return f"{self._allowed_ms.maxlen} in {self._within_ms // 1000} s"
