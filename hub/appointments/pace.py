"""When the source is asked for bookings and sent reports. Pure: monotonic time in s and randomness are passed in.

There are two gates, one for listing and one for reports: a source that lists may still refuse reports, and the other
way round. After a failure a gate stays shut, longer each time; requests that wait behind it are merged into one.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from hub.backoff import MOST_S, wait_s

# With more hints than this, one pass costs the source less than looking up each of them.
HINTS_MOST = 5
# A workflow sends its hint before its own change is stored, and often several hints for one change: so wait this long
# after the last hint, but at most HINT_SETTLES_MOST_S after the first, so that endless hints do not delay everything.
HINT_SETTLES_S = 0.5
HINT_SETTLES_MOST_S = 1.0
# A request that never answers must not hold back the reports of others for long. Its own report waits longer, by the
# number of its own attempts.
TELLING_MOST_S = 60.0


class Ask(StrEnum):
    """What a source is asked for: all bookings, those that changed, or those that hints name."""

    ALL = "all"
    CHANGED = "changed"
    HINTS = "hints"


@dataclass(slots=True)
class Gate:
    """Shut until `opens_s` after `failures` consecutive failures, each time for at most `most_s`."""

    most_s: float = MOST_S
    failures: int = 0
    opens_s: float = 0.0

    def fail(self, now_s: float, chance: float) -> None:
        self.failures += 1
        self.opens_s = now_s + min(wait_s(self.failures, chance), self.most_s)

    def open(self) -> None:
        self.failures, self.opens_s = 0, 0.0

    def is_open(self, now_s: float) -> bool:
        return now_s >= self.opens_s


@dataclass(slots=True)
class Pace:
    """The pending requests to the source, and the gates they wait behind."""

    all: bool = False
    changed: bool = False
    hints: dict[str, None] = field(default_factory=dict)
    hinted_s: float | None = None
    settled_s: float = 0.0
    listing: Gate = field(default_factory=Gate)
    telling: Gate = field(default_factory=lambda: Gate(TELLING_MOST_S))

    def ask(self, *, all_of_it: bool = False) -> None:
        """A pass is due."""
        self.all |= all_of_it
        self.changed = True

    def hint(self, reference: str | None, now_s: float) -> None:
        """The source says that this request changed; None if it does not say which.

        The source is reachable then, so both gates open.
        """
        self.listing.opens_s = self.telling.opens_s = 0.0
        self.hinted_s = now_s if self.hinted_s is None else self.hinted_s
        self.settled_s = min(now_s + HINT_SETTLES_S, self.hinted_s + HINT_SETTLES_MOST_S)
        if reference is None or len(self.hints) >= HINTS_MOST:
            self.hints.clear()
            self.changed = True
        elif not self.changed:
            self.hints[reference] = None

    def next(self, now_s: float) -> tuple[Ask, tuple[str, ...]] | None:
        """Take what to ask for now, or None. A pass replaces all look-ups. If the request fails, call `failed`."""
        if not self.listing.is_open(now_s) or now_s < self.settled_s:
            return None
        hints, self.hinted_s = tuple(self.hints), None
        self.hints.clear()
        if self.all or self.changed:
            ask = Ask.ALL if self.all else Ask.CHANGED
            self.all = self.changed = False
            return ask, ()
        return (Ask.HINTS, hints) if hints else None

    def failed(self, ask: Ask, now_s: float, chance: float) -> None:
        """Queue the request again. A failed look-up becomes a pass, which covers it."""
        self.ask(all_of_it=ask is Ask.ALL)
        self.listing.fail(now_s, chance)

    def listed(self) -> None:
        """The source answered. If it had failed before, it is back, so pending reports need not wait any longer."""
        if self.listing.failures:
            self.telling.opens_s = 0.0
        self.listing.open()

    def wait_s(self, now_s: float, most_s: float) -> float:
        """For how many seconds there is nothing to ask for, at most `most_s`."""
        if not (self.all or self.changed or self.hints):
            return most_s
        return min(max(self.listing.opens_s, self.settled_s, now_s) - now_s, most_s)
