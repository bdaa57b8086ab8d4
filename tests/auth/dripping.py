"""A TCP proxy whose answers come one byte at a time, so that no single read ever takes long."""

import contextlib
import socket
import threading
from collections.abc import Iterator

BETWEEN_S = 0.05


class Drip:
    """Clients connect to `port`. Once `dripping` is set, the server's answers are passed on byte by byte."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.dripping = threading.Event()
        self.drops = 0
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._over.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                self._sockets += [client, server]
                for way in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._pass_on, args=way, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (answers and self.dripping.is_set()):
                    sink.sendall(data)
                    continue
                for place in range(len(data)):
                    if self._over.wait(BETWEEN_S):
                        return
                    sink.sendall(data[place : place + 1])
                    self.drops += 1
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def drip(target_port: int) -> Iterator[Drip]:
    made = Drip(target_port)
    try:
        yield made
    finally:
        made.close()
