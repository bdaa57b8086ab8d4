"""Which news of the link is worth a line of the log. Pure."""

from dataclasses import dataclass

from protocol.link import LinkDown


@dataclass(slots=True)
class Outages:
    """An attempt each few seconds for a whole night is one line, and so is a line that breaks each time."""

    _reason: str = ""
    _said: bool = True

    def begins(self, down: LinkDown) -> bool:
        """Whether it is to be said that the broker was lost."""
        is_news = down.lasted or down.reason != self._reason
        self._reason, self._said = down.reason, self._said or is_news
        return is_news

    def ends(self) -> bool:
        """Whether it is to be said that the broker is back: at the start, or after a loss that was said."""
        said, self._said = self._said, False
        return said
