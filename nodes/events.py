"""Events that a node's core receives, and effects that it asks for. Plain data, so that cores import no I/O.

Times end in `_ms` and are on this machine's monotonic clock unless stated otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from protocol.messages import CommandKind, NodeConfig

# --- what happens -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """Connected to the broker; what was published before may be lost."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    reason: str


@dataclass(frozen=True, slots=True)
class Configured:
    """The node's configuration: at start the one kept on disk, then each newer one from the hub."""

    config: NodeConfig


@dataclass(frozen=True, slots=True)
class HubAnew:
    """The hub was restarted. Its first messages hold whatever their revision, since its database may be a new one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a topic that the role follows, or on this node's `reply`. The payload is not validated yet."""

    topic: str
    payload: bytes
    retained: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Comes at least each second, and at the core's `due_ms`."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Show which device this is, until `until_ms`."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command that the runtime does not carry out itself: a test print, a test sound."""

    command: CommandKind


@dataclass(frozen=True, slots=True)
class PinChanged:
    """An edge at a button's pin, bounces included."""

    pin: int
    pressed: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class PinsUnusable:
    """The configured pins cannot be used here."""

    reason: str


@dataclass(frozen=True, slots=True)
class PinsUsable:
    """All configured pins are in use."""


# --- what a core asks for -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish at QoS 1, not retained. Lost without a connection: a core that needs an answer sends it again."""

    topic: str
    payload: bytes
    expiry_s: int


@dataclass(frozen=True, slots=True)
class Follow:
    """Subscribe to exactly these topics for the role; drop any others that it followed before."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsePins:
    """Open these pins. For the shell of a role that has pins; answered by PinsUsable or PinsUnusable."""

    buttons: tuple[int, ...]
    led: int


@dataclass(frozen=True, slots=True)
class Light:
    """Switch the lamp at the `led` pin of UsePins."""

    lit: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A role's part of telemetry. `stuck`: pins held for 10 s or more. `warnings`: each begins with a NodeWarning."""

    stuck: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


class Core(Protocol):
    """A role's logic: events and the time go in, effects come out.

    Events are those above and the role's own, which its shell puts into the inbox. Effects other than Publish and
    Follow go to the role's shell. `handle` may raise BadMessage for a Message, which is then logged, counted and
    ignored.
    """

    def handle(self, event: object, now_ms: int) -> Iterable[object]: ...

    def due_ms(self) -> int | None:
        """When it wants its next Tick at the latest, or None."""
        ...

    def condition(self) -> Condition: ...
