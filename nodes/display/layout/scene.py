"""What a display shows at one moment."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from protocol.messages import Announce, Call, HallState, Waiting

PAGE_MS = 10_000
# The picture is shifted regularly: LCD panels keep a trace of what stays in place for days.
SHIFT_EVERY_MS = 600_000
SHIFT = 4
_SHIFTS = ((SHIFT, SHIFT), (0, SHIFT), (0, 0), (SHIFT, 0))


@dataclass(frozen=True, slots=True)
class Scene:
    """A display's scene.

    - `now_ms`: the hub's time if a beat was heard, else the node's own
    - `letters`: those that a number can begin with here
    - `hall`: None before the first hall state
    - `offline_s`: None while the hub is heard, and if it never was
    - `unheard`: the hub was not heard since the start, or no longer knows this hall; `offline_s` is then None
    - `identify`: show which display this is
    """

    now_ms: int
    node: str
    town: str = ""
    letters: str = ""
    hall: HallState | None = None
    announcement: Announce | None = None
    offline_s: int | None = None
    unheard: bool = False
    identify: bool = False

    @property
    def old(self) -> bool:
        """What is shown may be old."""
        return self.unheard or self.offline_s is not None

    @property
    def local(self) -> datetime:
        return local_in(self.hall, self.now_ms)

    @property
    def clock(self) -> str:
        return clock(self.local)

    @property
    def shift(self) -> tuple[int, int]:
        return _SHIFTS[self.now_ms // SHIFT_EVERY_MS % len(_SHIFTS)]

    @property
    def series(self) -> str:
        """The letters that determine the size of numbers."""
        if self.letters or self.hall is None:
            return self.letters
        return "".join(sorted({service.letter for service in self.hall.waiting}))

    def services(self, hall: HallState, most: int) -> tuple[Waiting, ...]:
        """The services on the current page; `most` fit on one."""
        pages = max(1, -(-len(hall.waiting) // most))
        first = self.now_ms // PAGE_MS % pages * most
        return hall.waiting[first : first + most]

    def message(self, hall: HallState) -> str | None:
        if not hall.messages:
            return None
        return hall.messages[self.now_ms // PAGE_MS % len(hall.messages)]


def local_in(hall: HallState | None, moment_ms: int) -> datetime:
    """The hall's local time. Raises OverflowError or ValueError for a moment outside the years 1 to 9999."""
    return datetime.fromtimestamp(moment_ms // 1000, tz=ZoneInfo(hall.zone) if hall else None)


def clock(local: datetime) -> str:
    return f"{local.hour}:{local.minute:02d}"


def earlier_calls(scene: Scene, announcement: Announce) -> tuple[Call, ...]:
    """The hall's other calls, newest first."""
    calls = scene.hall.calls if scene.hall else ()
    return tuple(call for call in calls if call.id != announcement.call)
