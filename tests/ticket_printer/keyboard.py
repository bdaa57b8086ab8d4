"""A scanner for tests: a FIFO with the kernel's own structs. It cannot be grabbed; the node goes on without that."""

import os
from pathlib import Path

from nodes.ticket_printer.keyboard import EV_KEY, EV_SYN, EVENT

ENTER, SHIFT = 28, 42
_ROWS = {2: "1234567890", 16: "qwertyuiop", 30: "asdfghjkl", 44: "zxcvbnm"}
_KEYS = {sign: first + place for first, row in _ROWS.items() for place, sign in enumerate(row)}


def event(kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(1_764_000_000, 123_456, kind, code, value)


def stroke(key: int) -> bytes:
    """A key pressed and released, each with its report, as a USB keyboard sends it."""
    report = event(EV_SYN, 0, 0)
    return event(EV_KEY, key, 1) + report + event(EV_KEY, key, 0) + report


def scan(code: str) -> bytes:
    """Letters and digits, then Enter, as a scanner sends them: capitals with shift."""
    keys = b"".join(_stroke_of(sign) for sign in code)
    return keys + stroke(ENTER)


def _stroke_of(sign: str) -> bytes:
    plain = stroke(_KEYS[sign.lower()])
    return event(EV_KEY, SHIFT, 1) + plain + event(EV_KEY, SHIFT, 0) if sign.isupper() else plain


class Scanner:
    """A scanner that can be plugged in and unplugged at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: int | None = None

    def plug_in(self) -> None:
        os.mkfifo(self.path)

    def unplug(self) -> None:
        # Remove the path first: a reader that reaches the end and opens it again at once must find nothing.
        self.path.unlink(missing_ok=True)
        if self._opened is not None:
            os.close(self._opened)
        self._opened = None

    def send(self, data: bytes) -> None:
        """Write data, after waiting for a reader."""
        if self._opened is None:
            self._opened = os.open(self.path, os.O_WRONLY)
        os.write(self._opened, data)
