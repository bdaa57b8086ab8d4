"""A hub that is there and leaves this dispenser without an answer. Pure.

The site file has it no more, or the hub's database is away. Its beats come, and each visitor would wait for nothing.
"""

from collections.abc import Iterable, Iterator

from nodes.ticket_printer.presses import Press

# In a row: one alone may be a database that is busy for a moment.
UNANSWERED_MOST = 3
# What is told of the presses before asks again and again whether the hub answers; more of it would only be noise.
TOLD_MOST = 3


class Silence:
    """From the third ask in a row that was given up until anything is answered."""

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
        """All; while it lasts, of those that are only told to the hub the oldest few."""
        told = 0
        for press in presses:
            told += not press.pending
            if press.pending or not self.lasts or told <= TOLD_MOST:
                yield press
