"""Hands on pins. A button may be held by the morning's agent and by a visitor of the page at once."""

import asyncio
from collections.abc import Callable

Pin = tuple[str, int]

# A click may last no time at all, and nodes take what is shorter than 25 ms for a contact that bounces.
DOWN_LEAST_S = 0.08


class Hands:
    """A pin goes down with the first hand and up with the last, but not at once: it was pressed, however short.

    `drive(node, pin, pressed)` moves it.
    """

    def __init__(self, drive: Callable[[str, int, bool], None]) -> None:
        self._drive = drive
        self._holders: dict[Pin, set[object]] = {}

    def press(self, holder: object, node: str, pin: int) -> None:
        holders = self._holders.setdefault((node, pin), set())
        if not holders:
            self._drive(node, pin, True)
            self._keep_down(node, pin)
        holders.add(holder)

    def release(self, holder: object, node: str, pin: int) -> None:
        holders = self._holders.get((node, pin), set())
        if holder not in holders:
            return
        holders.remove(holder)
        if not holders:
            self._drive(node, pin, False)

    def let_go(self, holder: object) -> None:
        """A browser that went away no longer holds anything."""
        for node, pin in [pin for pin, holders in self._holders.items() if holder in holders]:
            self.release(holder, node, pin)

    def _keep_down(self, node: str, pin: int) -> None:
        spring = object()
        self._holders[node, pin].add(spring)
        asyncio.get_running_loop().call_later(DOWN_LEAST_S, self.release, spring, node, pin)
