"""Reads scanners and keypads at a USB port as Linux input devices.

The package `evdev` is not used, since it has to be compiled on each Raspberry Pi. Only one struct and one ioctl of
linux/input.h are needed:

    struct input_event { struct timeval time; __u16 type; __u16 code; __s32 value; };

The struct has 24 bytes where a long has 64 bits and 16 where it has 32, also with 64-bit times (`__sec` and `__usec`
are `__kernel_ulong_t` there). Python's native sizes are this program's own, and so the layout that the kernel uses.
"""

import fcntl
import os
import selectors
import struct
import threading
from collections.abc import Callable, Iterator
from errno import EBUSY
from pathlib import Path

import structlog

from nodes.ticket_printer.events import KeyboardAway, KeyboardThere, KeyChanged, KeysLost

EVENT = struct.Struct("llHHi")
# Types and codes of linux/input-event-codes.h.
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
RELEASED, PRESSED = 0, 1
# _IOW('E', 0x90, int): takes the device for this program, so that no console gets its keys.
EVIOCGRAB = 0x40044590
# A scanner that is plugged in again works after at most this time.
REOPEN_S = 2.0
# A code of 300 characters with shift is 2,400 events.
READ_EVENTS = 256

_log = structlog.get_logger()


class Keyboard:
    """One device, read on its own thread. While it is away, it is tried again every REOPEN_S.

    `put` gets KeyboardThere and KeyboardAway when that changes, KeyChanged, and KeysLost.
    """

    def __init__(self, path: Path, put: Callable[[object], None], clock_ms: Callable[[], int]) -> None:
        self._path = path
        self._device = str(path)
        self._put = put
        self._clock_ms = clock_ms
        self._there: bool | None = None
        self._closed_out, self._closed_in = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=f"keyboard {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.close(self._closed_in)
        self._thread.join()
        os.close(self._closed_out)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as closed:
            closed.register(self._closed_out, selectors.EVENT_READ)
            while True:
                try:
                    self._read_device()
                    return
                except OSError as error:
                    self._note(False, str(error))
                if closed.select(REOPEN_S):
                    return

    def _read_device(self) -> None:
        """Read until `close`. Raises OSError if the device is not there or goes away."""
        opened = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _grab(opened, self._device)
            self._note(True, "")
            for events in self._pieces(opened):
                self._take(events)
        finally:
            os.close(opened)

    def _pieces(self, opened: int) -> Iterator[bytes]:
        """Whole `input_event` structs, as many as came at once."""
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._closed_out, selectors.EVENT_READ)
            selector.register(opened, selectors.EVENT_READ)
            while all(key.fd != self._closed_out for key, _ in selector.select()):
                piece = os.read(opened, READ_EVENTS * EVENT.size)
                if not piece:
                    raise OSError(f"end of file on {self._device}")
                rest += piece
                whole = len(rest) - len(rest) % EVENT.size
                yield rest[:whole]
                rest = rest[whole:]

    def _take(self, events: bytes) -> None:
        for event in happened(events, self._device, self._clock_ms()):
            self._put(event)

    def _note(self, there: bool, reason: str) -> None:
        if there is self._there:
            return
        self._there = there
        if there:
            _log.info("keyboard.opened", device=self._device)
        else:
            _log.warning("keyboard.away", device=self._device, reason=reason)
        self._put(KeyboardThere(self._device) if there else KeyboardAway(self._device))


def happened(events: bytes, device: str, at_ms: int) -> Iterator[KeyChanged | KeysLost]:
    """The key events in whole `input_event` structs, without the repeats of a held key."""
    for _sec, _usec, kind, code, value in EVENT.iter_unpack(events):
        if (kind, code) == (EV_SYN, SYN_DROPPED):
            yield KeysLost(device, at_ms)
        elif kind == EV_KEY and value in {RELEASED, PRESSED}:
            yield KeyChanged(device, code, value == PRESSED, at_ms)


def _grab(opened: int, device: str) -> None:
    try:
        fcntl.ioctl(opened, EVIOCGRAB, 1)
    except OSError as error:
        # A device that another program has grabbed gives no keys: it counts as away.
        if error.errno == EBUSY:
            raise
        _log.warning("keyboard.not_grabbed", device=device, reason=str(error))
