"""An HTTP proxy such as a town has: it supports CONNECT, and may refuse it."""

import socket
import threading


class TestProxy:
    """Connects to any address. `asked` gets the first line of each connection. `refuses`: the status to refuse with."""

    __test__ = False

    def __init__(self, refuses=""):
        self.asked: list[str] = []
        self._refuses = refuses
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        # Closing it alone does not wake a thread that waits for a connection.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()

    def _serve(self):
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client):
        with client:
            head = client.makefile("rb")
            first = head.readline().decode().strip()
            while head.readline().strip():
                pass
            self.asked.append(first)
            if self._refuses or not first.startswith("CONNECT "):
                client.sendall(f"HTTP/1.1 {self._refuses or '405 Method Not Allowed'}\r\n\r\n".encode())
                return
            host, _, port = first.split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join(10)


def _pass_on(source, target):
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
