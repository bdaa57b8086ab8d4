"""A TCP proxy that a test can stall, mute or cut, to make a link bad in a chosen way."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

# The answers to CONNECT and to SUBSCRIBE.
GREETINGS = 2


class Way(Enum):
    OPEN = auto()
    # Bytes are held back, as on a link that lost its radio for a while; they arrive later, in order.
    STALLED = auto()
    # Bytes towards the client vanish, as with a peer that accepts everything and says nothing.
    MUTE = auto()
    # Only the first answers on each connection pass, as with a peer that greets and then says nothing.
    GREETING_ALONE = auto()


@dataclass(slots=True)
class _Pair:
    client: socket.socket
    server: socket.socket
    to_server: bytearray = field(default_factory=bytearray)
    to_client: bytearray = field(default_factory=bytearray)
    answers: int = 0


class Proxy:
    """Stands between clients and 127.0.0.1:`target_port`; clients connect to `port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._way = Way.OPEN
        self._pairs: list[_Pair] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._wake_in, self._wake_out = socket.socketpair()
        self._cut = self._closing = False
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._thread.start()

    def be(self, way: Way) -> None:
        self._way = way
        self._wake_out.send(b"!")

    def cut(self) -> None:
        """End every connection at once."""
        self._cut = True
        self._wake_out.send(b"!")

    def close(self) -> None:
        self._closing = True
        self._wake_out.send(b"!")
        self._thread.join(5)
        for each in (self._listener, self._wake_in, self._wake_out):
            each.close()

    def _serve(self) -> None:
        while not self._closing:
            with selectors.DefaultSelector() as selector:
                self._register(selector)
                ready = {key.fileobj for key, _ in selector.select()}
            if self._wake_in in ready:
                self._wake_in.recv(4096)
            if self._cut:
                self._cut = False
                self._end(list(self._pairs))
            if self._listener in ready:
                self._accept()
            self._move(ready)
        self._end(list(self._pairs))

    def _register(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._wake_in, selectors.EVENT_READ)
        selector.register(self._listener, selectors.EVENT_READ)
        if self._way is Way.STALLED:
            return
        for pair in self._pairs:
            for end, outgoing in ((pair.client, pair.to_client), (pair.server, pair.to_server)):
                selector.register(end, selectors.EVENT_READ | (selectors.EVENT_WRITE if outgoing else 0))

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port), timeout=2)
        except OSError:
            client.close()
            return
        for each in (client, server):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.append(_Pair(client, server))

    def _move(self, ready: set[object]) -> None:
        if self._way is Way.STALLED:
            return
        for pair in list(self._pairs):
            if pair.client not in ready and pair.server not in ready:
                continue
            try:
                alive = _read(pair.client, pair.to_server) and _read(pair.server, pair.to_client)
                if self._way is Way.MUTE or (self._way is Way.GREETING_ALONE and pair.answers >= GREETINGS):
                    pair.to_client.clear()
                pair.answers += bool(pair.to_client)
                _write(pair.server, pair.to_server)
                _write(pair.client, pair.to_client)
            except OSError:
                alive = False
            if not alive:
                self._end([pair])

    def _end(self, pairs: list[_Pair]) -> None:
        for pair in pairs:
            self._pairs.remove(pair)
            pair.client.close()
            pair.server.close()


def _read(source: socket.socket, into: bytearray) -> bool:
    """Read what has arrived; False at the end of the stream."""
    try:
        received = source.recv(65536)
    except BlockingIOError:
        return True
    into += received
    return bool(received)


def _write(sink: socket.socket, outgoing: bytearray) -> None:
    if not outgoing:
        return
    with contextlib.suppress(BlockingIOError):
        del outgoing[: sink.send(outgoing)]


@contextlib.contextmanager
def proxy_to(target_port: int) -> Iterator[Proxy]:
    made = Proxy(target_port)
    try:
        yield made
    finally:
        made.close()
