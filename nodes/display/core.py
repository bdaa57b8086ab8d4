"""A display's logic: the hub's messages and the time go in; what to draw, play and keep comes out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nodes.display.announcements import Announcements
from nodes.display.layout.scene import PAGE_MS, Scene, local_in
from nodes.events import Commanded, Condition, Configured, Follow, HubAnew, Identify, Message
from protocol.heartbeat import HubTime
from protocol.messages import BEAT_LOST_MS, Announce, BadMessage, CommandKind, DisplayConfig, HallState, Parser
from protocol.topics import Topics

_HALL: Parser[HallState] = Parser(HallState)
_ANNOUNCE: Parser[Announce] = Parser(Announce)

# In a rush counts change several times a second; writing each time would wear out a memory card.
KEEP_EVERY_MS = 10_000


@dataclass(frozen=True, slots=True)
class Show:
    """Show this scene from now on; `config` is None until this display has a configuration."""

    scene: Scene
    config: DisplayConfig | None


@dataclass(frozen=True, slots=True)
class Chime:
    """Play the sound that begins an announcement."""


@dataclass(frozen=True, slots=True)
class KeepHall:
    """Keep the payload of the last hall state for the next start."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class KeepPlayed:
    """Keep the ids of the announcements played, for the next start."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """From the shell: the warnings that hold from now on."""

    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a display remembers of its last run."""

    hall: bytes | None = None
    played: tuple[str, ...] = ()


@dataclass(slots=True)
class DisplayCore:
    """A display. `wall_ms` reads this machine's wall clock, shown until a beat comes; it may be set meanwhile."""

    node: str
    topics: Topics
    hub_time: HubTime
    started_ms: int
    wall_ms: Callable[[], int]
    kept: Kept = field(default_factory=Kept)
    _config: DisplayConfig | None = None
    _hall: HallState | None = None
    # False for a state from disk or an earlier run of the hub: any that comes replaces it, and it withdraws no calls.
    _hall_heard: bool = False
    # Since when this run of the hub is heard, to wait for its state of this hall.
    _awaited_ms: int | None = None
    _hall_payload: bytes = b""
    _hall_kept: bytes = b""
    _keep_at_ms: int = 0
    _announcements: Announcements = field(default_factory=Announcements)
    # When the last beat came; None before the first one of this run.
    _heard_ms: int | None = None
    # The hub's time minus the monotonic time.
    _hub_ms: int | None = None
    _identify_until_ms: int = 0
    _now_ms: int = 0
    _shown: Show | None = None
    _warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._now_ms = self.started_ms
        self._announcements = Announcements.after(self.kept.played)
        if self.kept.hall is not None:
            try:
                self._hall = _parse_hall(self.kept.hall)
            except BadMessage:
                return
            self._hall_payload = self._hall_kept = self.kept.hall

    def handle(self, event: object, now_ms: int) -> Iterator[object]:
        """Handle an event. Raises BadMessage for a payload that is not valid on its topic."""
        self._now_ms = now_ms
        self._hear(now_ms)
        match event:
            case Configured(config=DisplayConfig() as config):
                yield self._follow(config)
            case HubAnew():
                self._hall_heard, self._awaited_ms = False, None
                self._announcements.anew()
            case Message(topic, payload, retained):
                self._take(topic, payload, retained=retained)
            case Identify(until_ms):
                self._identify_until_ms = until_ms
            case Commanded(CommandKind.TEST_SOUND):
                yield Chime()
            case Warned(warnings):
                self._warnings = warnings
        yield from self._advance(now_ms)

    def due_ms(self) -> int:
        """When the screen or the sound changes next without an event."""
        wall = self._wall_at(self._now_ms)
        due = self._now_ms + PAGE_MS - wall % PAGE_MS
        change = self._announcements.next_change()
        if change is not None and self._hub_ms is not None:
            due = min(due, change - self._hub_ms)
        if self._heard_ms is None:
            return due
        silent_ms = self._now_ms - self._heard_ms
        if silent_ms < BEAT_LOST_MS:
            return min(due, self._heard_ms + BEAT_LOST_MS)
        return min(due, self._now_ms + 1000 - silent_ms % 1000)

    def condition(self) -> Condition:
        return Condition(warnings=self._warnings)

    # --- what comes in --------------------------------------------------------------------------------------------

    def _hear(self, now_ms: int) -> None:
        heard = self.hub_time.stamp(now_ms)
        if heard is None:
            return
        self._heard_ms = max(self._heard_ms or 0, now_ms - heard[1])
        if self._awaited_ms is None:
            self._awaited_ms = now_ms
        hub_now = self.hub_time.hub_now_ms(now_ms)
        if hub_now is not None:
            self._hub_ms = hub_now - now_ms

    def _follow(self, config: DisplayConfig) -> Follow:
        before, self._config = self._config, config
        shown = self._hall or before
        if shown is not None and shown.hall != config.hall:
            self._hall, self._hall_heard, self._awaited_ms = None, False, None
            self._announcements.leave()
        return Follow((self.topics.hall_state(config.hall), self.topics.hall_announce(config.hall)))

    def _take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if self._config is None:
            return
        if topic == self.topics.hall_state(self._config.hall):
            self._take_hall(payload, self._config.hall)
        elif topic == self.topics.hall_announce(self._config.hall) and not retained:
            self._announcements.receive(_ANNOUNCE.parse(payload), self._hall if self._hall_heard else None)

    def _take_hall(self, payload: bytes, name: str) -> None:
        if not payload:
            # Cleared: the retained state was from a hub run whose site file still had this hall.
            self._hall_heard = False
            return
        hall = _parse_hall(payload)
        if hall.hall != name:
            raise BadMessage(f"the picture of hall {hall.hall} came on the topic of hall {name}")
        if self._hall_heard and self._hall is not None and hall.revision <= self._hall.revision:
            return
        self._hall, self._hall_heard = hall, True
        self._hall_payload = payload
        self._announcements.withdraw(hall)

    # --- what comes out -------------------------------------------------------------------------------------------

    def _advance(self, now_ms: int) -> Iterator[object]:
        begun = self._announcements.advance(now_ms + self._hub_ms) if self._hub_ms is not None else None
        if begun is not None:
            # Kept before it sounds: a display that crashes now must not repeat it.
            yield KeepPlayed(self._announcements.played)
        show = Show(self._scene(now_ms), self._config)
        if show != self._shown:
            self._shown = show
            yield show
        if begun is not None and not (self._hall and self._hall.emergency):
            yield Chime()
        if self._hall_payload != self._hall_kept and now_ms >= self._keep_at_ms:
            self._keep_at_ms = now_ms + KEEP_EVERY_MS
            self._hall_kept = self._hall_payload
            yield KeepHall(self._hall_payload)

    def _wall_at(self, now_ms: int) -> int:
        return self.wall_ms() if self._hub_ms is None else now_ms + self._hub_ms

    def _scene(self, now_ms: int) -> Scene:
        wall = self._wall_at(now_ms)
        silent_ms = 0 if self._heard_ms is None else now_ms - self._heard_ms
        return Scene(
            # Rounded to a page, so that scenes that look the same are equal.
            now_ms=wall - wall % PAGE_MS,
            node=self.node,
            town=self._hall.town if self._hall else self._config.town if self._config else "",
            letters=self._config.letters if self._config else "",
            hall=self._hall,
            announcement=self._announcements.current,
            offline_s=silent_ms // 1000 if self._hall and silent_ms >= BEAT_LOST_MS else None,
            unheard=self._heard_ms is None or (silent_ms < BEAT_LOST_MS and self._is_left_out(now_ms)),
            identify=now_ms < self._identify_until_ms,
        )

    def _is_left_out(self, now_ms: int) -> bool:
        """Whether the hub is there but no longer knows this hall."""
        if self._hall is None or self._hall_heard or self._awaited_ms is None:
            return False
        return now_ms - self._awaited_ms >= BEAT_LOST_MS


def _parse_hall(payload: bytes) -> HallState:
    hall = _HALL.parse(payload)
    try:
        ZoneInfo(hall.zone)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise BadMessage(f"the time zone {hall.zone!r} is unknown here") from error
    try:
        local_in(hall, hall.at)
    except (OverflowError, ValueError) as error:
        raise BadMessage(f"the time of the picture is out of range: {error}") from error
    return hall
