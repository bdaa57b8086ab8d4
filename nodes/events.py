"""What happens to a node's core, and what it asks for. Plain data: cores import this, and nothing that does anything.

Times end in `_ms` and are of this machine's monotonic clock unless they say otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from protocol.messages import CommandKind, NodeConfig

# --- what happens -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker is reached; what was published before may be lost."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    reason: str


@dataclass(frozen=True, slots=True)
class Configured:
    """What the hub says this node is for: at start the one kept on disk, then each newer one."""

    config: NodeConfig


@dataclass(frozen=True, slots=True)
class HubAnew:
    """Another run of the hub: what it says first holds, whatever was heard before. Its database may be a new one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a topic the role follows, or on this node's `reply`. The payload is not checked yet."""

    topic: str
    payload: bytes
    retained: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """At least each second, and at the core's `due_ms`."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Show which device this is, until then."""

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
    """The pins that the configuration names cannot be used here."""

    reason: str


@dataclass(frozen=True, slots=True)
class PinsUsable:
    """All of them are in use."""


# --- what a core asks for -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publish:
    """At QoS 1, not retained. Lost where there is no connection: who needs an answer sends it again."""

    topic: str
    payload: bytes
    expiry_s: int


@dataclass(frozen=True, slots=True)
class Follow:
    """The role's topics from now on, all of them; what was followed before and is not named is left."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsePins:
    """For the shell of a role that has pins. Answered by PinsUsable or PinsUnusable."""

    buttons: tuple[int, ...]
    led: int


@dataclass(frozen=True, slots=True)
class Light:
    """The lamp of those pins."""

    lit: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """What telemetry says. `stuck`: pins held for 10 s or more. `warnings`: each begins as NodeWarning says."""

    stuck: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


class Core(Protocol):
    """A role's logic: what happened and the time go in, what to do comes out.

    An event is one of the above or one of the role's own, put into the inbox by its shell. An effect that is none of
    the above goes to the role's shell. BadMessage may be raised: it is logged and counted, and the event is ignored.
    """

    def handle(self, event: object, now_ms: int) -> Iterable[object]: ...

    def due_ms(self) -> int | None:
        """When it wants a Tick at the latest, or None."""
        ...

    def condition(self) -> Condition: ...
