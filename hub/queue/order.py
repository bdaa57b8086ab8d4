"""Which ticket is next: earliest due date, with a desk's handicap. Pure.

Each waiting ticket has one due time, `due_ms`. A desk takes the ticket with the earliest `due_ms + handicap_ms` among
those it may take now; a tie goes to the lower id. This is earliest-due-date scheduling (Jackson 1955): it bounds the
largest lateness, so nobody starves.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from hub.site import DAY_MS


class Kind(StrEnum):
    """When a ticket may be taken; `early_ms` is the candidate's.

    - OPEN: at once.
    - TIMED, an appointment: from `early_ms` before its due time on, and earlier if the desk finds nobody else.
    - DEFERRED, its visitor asked for more time: from `early_ms` before its due time on, never earlier.
    """

    OPEN = "open"
    TIMED = "timed"
    DEFERRED = "deferred"


# Subtracted from the handicap of a `strict` service's timed tickets when a desk chooses; never stored in `due_ms`.
STRICT_HEAD_START_MS = DAY_MS


class Candidate(msgspec.Struct, frozen=True):
    """The first ticket of one service and kind, as one desk sees it.

    `handicap_ms`: added to its due time at the choice. `early_ms`: how long before its due time a timed or deferred
    ticket may be taken. No field has a default, so that a new one is set wherever the order is used.
    """

    id: int
    service: str
    kind: Kind
    due_ms: int
    handicap_ms: int
    early_ms: int

    @property
    def rank(self) -> tuple[int, int]:
        return self.due_ms + self.handicap_ms, self.id

    def may_be_taken(self, now_ms: int) -> bool:
        return self.kind is Kind.OPEN or now_ms >= self.due_ms - self.early_ms


def takeable(candidates: Iterable[Candidate], now_ms: int) -> list[Candidate]:
    """The candidates a desk may take now, best first. If there are none, the timed ones whose time is still to come."""
    everyone = sorted(candidates, key=lambda candidate: candidate.rank)
    ready = [candidate for candidate in everyone if candidate.may_be_taken(now_ms)]
    return ready or [candidate for candidate in everyone if candidate.kind is Kind.TIMED]


def choose(candidates: Iterable[Candidate], now_ms: int) -> Candidate | None:
    """The ticket a desk calls now, or None if it may take nobody."""
    return next(iter(takeable(candidates, now_ms)), None)


def due_ms_of_walk_in(issued_ms: int, target_wait_ms: int, priority_head_start_ms: int | None) -> int:
    """The due time of a walk-in; `priority_head_start_ms` is None for a ticket without priority."""
    return issued_ms + target_wait_ms - (priority_head_start_ms or 0)
