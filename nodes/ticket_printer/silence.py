"""Detects a hub that is there but does not answer this dispenser. Pure.

The cause is a site file that no longer has this dispenser, or a hub without its database. The beats still come, so each
visitor would wait for nothing.
"""

from collections.abc import Iterable, Iterator

from nodes.ticket_printer.presses import Press

# In a row; a single one may be a database that is busy for a moment.
UNANSWERED_MOST = 3
# While it lasts, this many outcomes are resent, which shows when the hub answers again. More would be noise.
TOLD_MOST = 3


class Silence:
    """Lasts from the third request in a row that was given up until the hub answers anything."""

    def __init__(self) -> None:
        self._unanswered = 0

    def given_up(self) -> None:
        self._unanswered += 1

    def answered(self) -> None:
        self._unanswered = 0

    @property
    def lasts(self) -> bool:
        return self._unanswered >= UNANSWERED_MOST

    def to_serve(self, presses: Iterable[Press]) -> Iterator[Press]:
        """All presses, but while the silence lasts only the oldest few of those whose outcome the hub is told."""
        told = 0
        for press in presses:
            told += not press.pending
            if press.pending or not self.lasts or told <= TOLD_MOST:
                yield press
