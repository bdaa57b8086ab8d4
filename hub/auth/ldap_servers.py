"""Asks a directory's servers one after the other within one time limit, and keeps connections to them."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import structlog

from hub.auth.directory import DirectoryAway
from hub.auth.ldap_bounds import Attempt, Bounds, TimeUp
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_link import Bound, Found, Link
from hub.auth.ldap_names import Address

T = TypeVar("T")

log = structlog.get_logger(__name__)

# A login takes at most 5 s, however many servers hang: the other 0.3 s are for everything around it.
WHOLE_S = 4.7
# How long a server that failed is tried after the others.
LAST_FOR_S = 60.0
# Idle connections kept per server for the next login. Not for longer, since firewalls silently drop idle ones.
KEPT_MOST = 4
KEPT_S = 60.0


class ServerTalk:
    """One server within one attempt. The end of the attempt closes every connection opened here."""

    def __init__(self, server: "_Server", attempt: Attempt) -> None:
        self._server = server
        self._attempt = attempt

    @property
    def address(self) -> Address:
        return self._server.address

    def open(self) -> Link:
        """Open a new connection over TLS, not bound yet."""
        return self._server.open(self._attempt)

    @contextmanager
    def service(self) -> Iterator["Service"]:
        """A connection as the service account; kept for the next login if nothing went wrong."""
        service = Service(self._server, self._attempt)
        yield service
        service.keep()


class Service:
    """Searches as the service account, over a connection kept from an earlier login if there is one."""

    def __init__(self, server: "_Server", attempt: Attempt) -> None:
        self._server = server
        self._attempt = attempt
        kept = server.take_kept()
        self._was_kept = kept is not None
        if kept is not None:
            attempt.take(kept)
        self._link = kept or server.open_service(attempt)

    @property
    def address(self) -> Address:
        return self._server.address

    def search(
        self, base: str, matching: str, attributes: Sequence[str] = (), *, most: int, below: bool = True
    ) -> Found:
        try:
            return self._link.search(base, matching, attributes, most=most, below=below)
        except ServerFault as fault:
            # A kept connection may have been dropped while idle. A search is safe to send twice.
            if not self._was_kept or fault.kind is not FaultKind.LOST:
                raise
        self._was_kept = False
        self._link = self._server.open_service(self._attempt)
        return self._link.search(base, matching, attributes, most=most, below=below)

    def keep(self) -> None:
        self._attempt.release(self._link)
        self._server.keep(self._link)


class _Server:
    def __init__(self, address: Address, context: ssl.SSLContext, service: tuple[str, str] | None) -> None:
        self.address = address
        self.failed_s = float("-inf")
        self._context = context
        self._service = service
        self._lock = threading.Lock()
        self._kept: list[tuple[Link, float]] = []

    def open(self, attempt: Attempt) -> Link:
        link = Link(self.address, self._context, attempt.left_s())
        attempt.take(link)
        link.open()
        attempt.left_s()
        return link

    def open_service(self, attempt: Attempt) -> Link:
        if self._service is None:
            raise ValueError("no service account is named")
        link = self.open(attempt)
        bound: Bound = link.bind(*self._service)
        if not bound.ok:
            raise ServerFault(
                FaultKind.ACCOUNT,
                str(self.address),
                f"refuses the service account or its password{f': {bound.why}' if bound.why else ''}",
            )
        return link

    def take_kept(self) -> Link | None:
        with self._lock:
            while self._kept:
                link, since_s = self._kept.pop()
                if time.monotonic() - since_s < KEPT_S:
                    return link
                link.close()
        return None

    def keep(self, link: Link) -> None:
        with self._lock:
            if len(self._kept) < KEPT_MOST:
                self._kept.append((link, time.monotonic()))
                return
        link.close()

    def close(self) -> None:
        with self._lock:
            while self._kept:
                self._kept.pop()[0].close()


class Servers:
    """`service`: name and password of the service account, if there is one."""

    def __init__(
        self,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        service: tuple[str, str] | None,
        *,
        whole_s: float,
    ) -> None:
        self._servers = [_Server(address, context, service) for address in addresses]
        self._bounds = Bounds()
        self._whole_s = whole_s

    def ask(self, work: Callable[[ServerTalk], T]) -> T:
        """Return or raise what `work` does on the first server that works. Raises DirectoryAway if none does."""
        until = time.monotonic() + self._whole_s
        order = self._order()
        faults: list[str] = []
        for place, server in enumerate(order):
            within_s = (until - time.monotonic()) / (len(order) - place)
            try:
                return self._ask(server, within_s, work)
            except ServerFault as fault:
                server.failed_s = time.monotonic()
                # If the machine vanished, each kept connection would hang, and each would cost one login.
                server.close()
                faults.append(str(fault))
                log.warning("ldap.server_away", server=fault.server, kind=fault.kind, why=fault.words)
        raise DirectoryAway("; ".join(faults))

    def ask_each(self, work: Callable[[ServerTalk], T]) -> Iterator[tuple[Address, T | ServerFault]]:
        """Yield each server's result, in the order of the site file. Each server may take the whole time limit."""
        for server in self._servers:
            try:
                yield server.address, self._ask(server, self._whole_s, work)
            except ServerFault as fault:
                yield server.address, fault

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _ask(self, server: _Server, within_s: float, work: Callable[[ServerTalk], T]) -> T:
        try:
            return self._bounds.run(within_s, partial(_talk, server, work))
        except TimeUp:
            raise ServerFault(FaultKind.TIMEOUT, str(server.address), "does not answer in time") from None

    def _order(self) -> list[_Server]:
        """The servers in the order of the site file; then those that failed recently, the longest ago first."""
        now_s = time.monotonic()
        lately = {id(each): each.failed_s for each in self._servers if now_s - each.failed_s < LAST_FOR_S}
        return sorted(self._servers, key=lambda each: lately.get(id(each), float("-inf")))


def _talk(server: _Server, work: Callable[[ServerTalk], T], attempt: Attempt) -> T:
    return work(ServerTalk(server, attempt))
