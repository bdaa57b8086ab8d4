"""Notifies systemd, as sd_notify(3) says: one datagram on the socket that systemd names."""

import contextlib
import socket
from collections.abc import Mapping

# The longest that systemd's full socket may hold the program up.
FULL_S = 1.0


class Notifier:
    """Does nothing if the program was not started by systemd."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environ.get("WATCHDOG_USEC", "")
        self.watchdog_ms = (int(watchdog_us) // 1000 or None) if watchdog_us.isdigit() else None

    def ready(self) -> None:
        self._say("READY=1")

    def alive(self) -> None:
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, word: str) -> None:
        if not self._address:
            return
        # The program runs on even if systemd does not listen, or hangs and its socket is full.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
            to_systemd.settimeout(FULL_S)
            to_systemd.sendto(word.encode(), self._address)
