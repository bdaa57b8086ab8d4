"""Host name look-ups with a time-out: the system's own look-up may hang for any time."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

# Addresses are tried one after the other; with so few, all attempts fit into the time of one call.
ADDRESSES_MOST = 4

LookUp = Callable[[str, int], list[str]]


class NameTimeout(Exception):
    """The look-up gave no answer in time."""


class Names:
    """Looks a host up in a separate thread, one look-up at a time.

    If one hangs, the next call waits for it instead of starting another. For one host, and one caller at a time.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._under_way: Future[list[str]] | None = None

    def addresses(self, host: str, port: int, within_s: float) -> list[str]:
        """Return the addresses. Raises NameTimeout, or the system's error for an unknown name."""
        looking = self._under_way or self._begin(host, port)
        if not wait([looking], within_s).done:
            raise NameTimeout
        self._under_way = None
        return looking.result()

    def _begin(self, host: str, port: int) -> Future[list[str]]:
        looking = self._under_way = Future[list[str]]()
        # A daemon: a look-up that hangs must not keep the hub from ending.
        threading.Thread(target=self._run, args=(looking, host, port), name="publik-names", daemon=True).start()
        return looking

    def _run(self, looking: Future[list[str]], host: str, port: int) -> None:
        try:
            looking.set_result(self._look_up(host, port))
        except Exception as error:  # noqa: BLE001 - raised again in `addresses`
            looking.set_exception(error)


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the system for a host's addresses. Raises OSError, and UnicodeError for an invalid name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:ADDRESSES_MOST]
