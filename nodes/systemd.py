"""What systemd wants to hear (sd_notify(3)): one datagram on the socket it names."""

import contextlib
import socket
from collections.abc import Mapping


class Notifier:
    """Says nothing where the program was not started by systemd."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environ.get("WATCHDOG_USEC", "")
        self.watchdog_ms = int(watchdog_us) // 1000 if watchdog_us.isdigit() else None

    def ready(self) -> None:
        self._say("READY=1")

    def alive(self) -> None:
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, word: str) -> None:
        if not self._address:
            return
        # A supervisor that does not listen is no reason to stop.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
            to_systemd.sendto(word.encode(), self._address)
