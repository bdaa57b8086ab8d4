"""Decides which link events are logged. Pure."""

from dataclasses import dataclass

from protocol.link import LinkDown


@dataclass(slots=True)
class Outages:
    """Logs repeated failures once: attempts every few seconds for a whole night, or a connection that never lasts."""

    _reason: str = ""
    _said: bool = True

    def begins(self, down: LinkDown) -> bool:
        """Whether to log that the broker was lost: a connection had lasted, or the reason is new."""
        is_news = down.lasted or down.reason != self._reason
        self._reason, self._said = down.reason, self._said or is_news
        return is_news

    def ends(self) -> bool:
        """Whether to log that the broker is back: at the start, or after a loss that was logged."""
        said, self._said = self._said, False
        return said
