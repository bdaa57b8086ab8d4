"""Connections with one deadline for a whole call: a time-out alone starts again with each byte that arrives."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from hub.publik.names import LookUp, Names, NameTimeout


class Deadline:
    """The time by which the current call must end."""

    def __init__(self) -> None:
        self._until_s = 0.0

    def begin(self, whole_s: float) -> None:
        self._until_s = time.monotonic() + whole_s

    def left_s(self, timeout_s: float | None) -> float:
        """The time-out, cut to what the deadline leaves. Raises httpcore.ReadTimeout if the deadline has passed."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("the deadline of the whole call has passed")
        return left_s if timeout_s is None else min(left_s, timeout_s)


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over such connections. `proxy`: `http://host:port`, or empty for none."""

    def __init__(self, deadline: Deadline, context: ssl.SSLContext, proxy: str, look_up: LookUp) -> None:
        super().__init__(verify=context, trust_env=False)
        self._network = _Network(deadline, Names(look_up))
        # httpx has no option for a network backend. One connection is enough, since calls never overlap.
        how: dict[str, Any] = {"max_connections": 1, "keepalive_expiry": 5.0, "network_backend": self._network}
        if proxy:
            self._pool = httpcore.HTTPProxy(proxy, ssl_context=context, **how)
        else:
            self._pool = httpcore.ConnectionPool(ssl_context=context, **how)

    def cut(self) -> None:
        """End the current call as if the server had gone, and let none begin. May be called from any thread."""
        self._network.cut()


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline, names: Names) -> None:
        self.deadline = deadline
        self._names = names
        self._lock = threading.Lock()
        self._is_cut = False
        # The connection in use; the TLS stream once TLS has begun.
        self._last: httpcore.NetworkStream | None = None
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        fault: Exception | None = None
        for address in self._addresses(host, port, timeout):
            left_s = self.deadline.left_s(timeout)
            try:
                return self.take(self._network.connect_tcp(address, port, left_s, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault or httpcore.ConnectError("the name has no address")

    def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            return self._names.addresses(host, port, self.deadline.left_s(timeout))
        except NameTimeout as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError from error

    def take(self, stream: httpcore.NetworkStream) -> "_Stream":
        """Wrap a new stream. Raises httpcore.ConnectError after a cut: the closed pool would never close the stream."""
        with self._lock:
            if not self._is_cut:
                self._last = stream
                return _Stream(stream, self)
        stream.close()
        raise httpcore.ConnectError("cut short")

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            connected = self._last.get_extra_info("socket") if self._last else None
        # Closing a socket would not wake a thread that reads from it.
        if isinstance(connected, socket.socket):
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network
        self._deadline = network.deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left_s(timeout)
        return self._network.take(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
