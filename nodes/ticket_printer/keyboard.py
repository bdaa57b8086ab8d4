"""Scanners and keypads at a USB port: Linux input devices, read as the kernel gives them.

Written here and not taken from the package `evdev`, which has to be compiled on each Raspberry Pi. What is needed of it
is one struct and one ioctl (linux/input.h):

    struct input_event { struct timeval time; __u16 type; __u16 code; __s32 value; };

24 bytes where a long has 64 bits, 16 where it has 32, also with times of 64 bits (`__sec` and `__usec` are
`__kernel_ulong_t` there); Python's native sizes are those of this program, which is the layout the kernel gives it.
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
SYN_REPORT, SYN_DROPPED = 0, 3
RELEASED, PRESSED = 0, 1
# _IOW('E', 0x90, int): from here on no console gets the keys.
EVIOCGRAB = 0x40044590
# Who plugs a scanner in again waits for it no longer than this.
REOPEN_S = 2.0
# A code of 300 signs with shift is 2,400 events.
READ_EVENTS = 256

_log = structlog.get_logger()


class Keyboard:
    """One device, on a thread of its own, which only puts into the inbox. It is opened again for as long as it is away.

    `put` hears KeyboardThere or KeyboardAway, each when it begins to be so, and KeyChanged and KeysLost.
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
        """Until it is closed. Raises OSError where the device is not there, or not any more."""
        opened = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _grab(opened, self._device)
            self._note(True, "")
            for events in self._pieces(opened):
                self._take(events)
        finally:
            os.close(opened)

    def _pieces(self, opened: int) -> Iterator[bytes]:
        """Whole events, as many as came at once."""
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._closed_out, selectors.EVENT_READ)
            selector.register(opened, selectors.EVENT_READ)
            while all(key.fd != self._closed_out for key, _ in selector.select()):
                piece = os.read(opened, READ_EVENTS * EVENT.size)
                if not piece:
                    raise OSError(f"{self._device} has ended")
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
    """What whole `input_event` structs say of keys. A key that repeats itself because it is held says nothing new."""
    for _sec, _usec, kind, code, value in EVENT.iter_unpack(events):
        if (kind, code) == (EV_SYN, SYN_DROPPED):
            yield KeysLost(device, at_ms)
        elif kind == EV_KEY and value in {RELEASED, PRESSED}:
            yield KeyChanged(device, code, value == PRESSED, at_ms)


def _grab(opened: int, device: str) -> None:
    try:
        fcntl.ioctl(opened, EVIOCGRAB, 1)
    except OSError as error:
        # Held by another program, it would give no key at all: as good as not there.
        if error.errno == EBUSY:
            raise
        _log.warning("keyboard.not_grabbed", device=device, reason=str(error))
