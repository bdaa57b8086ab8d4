"""Hands on pins: the morning's agent and a viewer of the page may hold the same button at once."""

import asyncio
from collections.abc import Callable

Pin = tuple[str, int]

# A click may be very short, and nodes take a press of less than 25 ms for contact bounce.
DOWN_LEAST_S = 0.08


class Hands:
    """Presses a pin with the first hand and releases it with the last, but not before DOWN_LEAST_S.

    `drive(node, pin, pressed)` moves the pin.
    """

    def __init__(self, drive: Callable[[str, int, bool], None]) -> None:
        self._drive = drive
        self._holders: dict[Pin, set[object]] = {}

    def press(self, holder: object, node: str, pin: int) -> bool:
        """Hold a pin down; False if another hand already does."""
        holders = self._holders.setdefault((node, pin), set())
        first = not holders
        if first:
            self._drive(node, pin, True)
            self._keep_down(node, pin)
        holders.add(holder)
        return first

    def release(self, holder: object, node: str, pin: int) -> None:
        holders = self._holders.get((node, pin), set())
        if holder not in holders:
            return
        holders.remove(holder)
        if not holders:
            self._drive(node, pin, False)

    def let_go(self, holder: object) -> None:
        """Release all pins of a holder, such as a browser that went away."""
        for node, pin in [pin for pin, holders in self._holders.items() if holder in holders]:
            self.release(holder, node, pin)

    def _keep_down(self, node: str, pin: int) -> None:
        spring = object()
        self._holders[node, pin].add(spring)
        asyncio.get_running_loop().call_later(DOWN_LEAST_S, self.release, spring, node, pin)
