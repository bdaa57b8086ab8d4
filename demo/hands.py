"""Hands on pins. A button may be held by the morning's agent and by a visitor of the page at once."""

from collections.abc import Callable

Pin = tuple[str, int]


class Hands:
    """A pin goes down with the first hand and up with the last. `drive(node, pin, pressed)` moves it."""

    def __init__(self, drive: Callable[[str, int, bool], None]) -> None:
        self._drive = drive
        self._holders: dict[Pin, set[object]] = {}

    def press(self, holder: object, node: str, pin: int) -> None:
        holders = self._holders.setdefault((node, pin), set())
        if not holders:
            self._drive(node, pin, True)
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
