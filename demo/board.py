"""What the demo's page shows: the state of each part, and the listeners to its changes."""

import asyncio
from typing import Any

# A browser with more unsent changes is dropped; it reconnects and gets every part.
BEHIND_MOST = 500

Part = dict[str, Any]


class Board:
    """Parts by name. A listener first gets every part, then each one that changes."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._listeners: set[asyncio.Queue[Part | None]] = set()

    def part(self, name: str) -> Part:
        return self._parts.get(name, {"part": name})

    def show(self, name: str, **changes: Any) -> None:
        before = self.part(name)
        after = {**before, **changes}
        if after == before:
            return
        self._parts[name] = after
        for listener in list(self._listeners):
            self._tell(listener, after)

    def listen(self) -> "asyncio.Queue[Part | None]":
        """A queue of changed parts; None ends it if the listener is too slow."""
        listener: asyncio.Queue[Part | None] = asyncio.Queue()
        for part in self._parts.values():
            listener.put_nowait(part)
        self._listeners.add(listener)
        return listener

    def forget(self, listener: "asyncio.Queue[Part | None]") -> None:
        self._listeners.discard(listener)

    def _tell(self, listener: "asyncio.Queue[Part | None]", part: Part) -> None:
        if listener.qsize() < BEHIND_MOST:
            listener.put_nowait(part)
            return
        self.forget(listener)
        listener.put_nowait(None)
