"""A machine's name looked up within bounds: the system's own look-up may hang for as long as it likes."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

# One after the other is tried, so that all of them stay within a whole call.
ADDRESSES_MOST = 4

LookUp = Callable[[str, int], list[str]]


class NameTimeout(Exception):
    """No answer within the time there was."""


class Names:
    """Looks up in a thread of its own, one at a time: one that hangs is left to itself, and waited for by the next
    call instead of a second one. For the names of one host, and one caller at a time.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._under_way: Future[list[str]] | None = None

    def addresses(self, host: str, port: int, within_s: float) -> list[str]:
        """Raises NameTimeout, or what the system does for a name that is not known."""
        looking = self._under_way or self._begin(host, port)
        if not wait([looking], within_s).done:
            raise NameTimeout
        self._under_way = None
        return looking.result()

    def _begin(self, host: str, port: int) -> Future[list[str]]:
        looking = self._under_way = Future[list[str]]()
        # A daemon: what hangs must not keep the hub from ending.
        threading.Thread(target=self._run, args=(looking, host, port), name="publik-names", daemon=True).start()
        return looking

    def _run(self, looking: Future[list[str]], host: str, port: int) -> None:
        try:
            looking.set_result(self._look_up(host, port))
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            looking.set_exception(error)


def system_addresses(host: str, port: int) -> list[str]:
    """Raises OSError, and UnicodeError for a name that is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:ADDRESSES_MOST]
