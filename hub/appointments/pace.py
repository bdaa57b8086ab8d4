"""When the source is asked and told. Pure: time comes in, in seconds of a clock that never goes back, and chance.

Two gates, for a source that lists may still refuse to be told, and the other way round. Each stays shut after a
failure, longer each time; whatever is asked for meanwhile waits behind it, once.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from hub.backoff import MOST_S, wait_s

# Beyond so many one pass costs the source less than a look-up of each.
HINTS_MOST = 5
# A workflow calls before its own change is stored, and often several times for one change. But whoever calls without
# end must not put off everything.
HINT_SETTLES_S = 0.5
HINT_SETTLES_MOST_S = 1.0
# One request that never answers must not hold back what is to be told of the others; itself it waits by its own tries.
TELLING_MOST_S = 60.0


class Ask(StrEnum):
    """What a source is asked for."""

    ALL = "all"
    CHANGED = "changed"
    HINTS = "hints"


@dataclass(slots=True)
class Gate:
    """Shut until `opens_s` after `failures` one after the other, each time for `most_s` at most."""

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
    """What is asked for and not done yet."""

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
        """The source itself says that something changed: with this request, or None where it does not say which.

        It is there, then, so that nothing need wait any longer.
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
        """What to ask for now; it is taken as asked, see `failed`. A pass makes look-ups needless."""
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
        """It is asked for again; what a look-up would have told, the next pass tells too."""
        self.ask(all_of_it=ask is Ask.ALL)
        self.listing.fail(now_s, chance)

    def listed(self) -> None:
        """The source answered: it is there, so that what it was not told need not wait any longer."""
        if self.listing.failures:
            self.telling.opens_s = 0.0
        self.listing.open()

    def wait_s(self, now_s: float, most_s: float) -> float:
        """How long there is nothing to ask for, `most_s` at most."""
        if not (self.all or self.changed or self.hints):
            return most_s
        return min(max(self.listing.opens_s, self.settled_s, now_s) - now_s, most_s)
