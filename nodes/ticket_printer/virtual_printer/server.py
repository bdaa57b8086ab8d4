"""Wires to the virtual printer: TCP, like a network printer, or a socket pair in the same program."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from nodes.ticket_printer.virtual_printer.device import Faults, LinkCut, VirtualPrinter
from nodes.ticket_printer.virtual_printer.interpreter import Paper

_log = structlog.get_logger()

_PIECE_BYTES = 4_096
# How often the printer checks whether it is to stop.
_PATIENCE_S = 0.1


class PaperFolder:
    """Keeps each cut paper as `000001.png`, `000002.png`, …; `told` is called once the file is complete."""

    def __init__(self, folder: Path, told: Callable[[str, Paper], None] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._told = told
        kept = [int(path.stem) for path in folder.glob("*.png") if path.stem.isdecimal()]
        self._count = max(kept, default=0)

    def __call__(self, paper: Paper) -> None:
        self._count += 1
        name = f"{self._count:06d}.png"
        fresh = self._folder / f".{name}.new"
        try:
            paper.image.save(fresh, format="PNG")
            fresh.replace(self._folder / name)
        except OSError as error:
            # The wire's thread ends the connection on any OSError and does not say why.
            _log.exception("paper.not_saved", name=name, reason=str(error))
            raise
        finally:
            # On a full disk, a partial file would take the space of the next one.
            fresh.unlink(missing_ok=True)
        if self._told is not None:
            self._told(name, paper)


class End(Protocol):
    """The printer's end of a wire."""

    def read(self) -> bytes | None:
        """The bytes, or None if none came for a moment. Raises OSError or returns b"" if the other end is gone."""
        ...

    def write(self, data: bytes) -> None: ...


class _SocketEnd:
    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.settimeout(_PATIENCE_S)

    def read(self) -> bytes | None:
        try:
            return self._end.recv(_PIECE_BYTES)
        except TimeoutError:
            return None

    def write(self, data: bytes) -> None:
        self._end.sendall(data)


class Served:
    """A virtual printer behind a wire, with the thread that serves it. `close` stops the thread."""

    def __init__(self, printer: VirtualPrinter) -> None:
        self._printer = printer
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._end: End | None = None
        self._thread: threading.Thread | None = None

    def fail(self, faults: Faults) -> None:
        with self._lock:
            answers = self._printer.fail(faults)
            if answers and self._end is not None:
                self._end.write(answers)

    @property
    def complaints(self) -> tuple[str, ...]:
        with self._lock:
            return self._printer.complaints

    def start(self, serve: Callable[[], None], name: str) -> None:
        self._thread = threading.Thread(target=serve, name=name, daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def serve(self, end: End) -> None:
        """Serve until the other end goes away, the link is cut, or `close` is called."""
        with self._lock:
            self._end = end
        try:
            while not self.stopping:
                if self._printer.full:
                    self._stopping.wait(_PATIENCE_S)
                    continue
                data = end.read()
                if data == b"":
                    return
                if data is not None:
                    self._take(end, data)
        except (LinkCut, OSError):
            return
        finally:
            with self._lock:
                self._end = None

    def _take(self, end: End, data: bytes) -> None:
        with self._lock:
            answers = self._printer.receive(data)
        if answers:
            end.write(answers)

    def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)


class TcpPrinter(Served):
    """Listens on loopback; takes one client at a time, as most network printers do. `port` 0 takes a free one."""

    def __init__(self, printer: VirtualPrinter, port: int = 0) -> None:
        super().__init__(printer)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(_PATIENCE_S)
        self.port: int = self._listener.getsockname()[1]
        self.start(self._accept, "virtual-printer-tcp")

    def _accept(self) -> None:
        with self._listener:
            while not self.stopping:
                try:
                    client, _ = self._listener.accept()
                except TimeoutError:
                    continue
                with client:
                    self.serve(_SocketEnd(client))


class PairedPrinter(Served):
    """A printer in the same program: each `connect` returns the other end of a new socket pair."""

    def __init__(self, printer: VirtualPrinter) -> None:
        super().__init__(printer)
        self._waiting: list[socket.socket] = []
        self._came = threading.Condition()
        self.start(self._serve_each, "virtual-printer")

    def connect(self) -> socket.socket:
        near, far = socket.socketpair()
        with self._came:
            self._waiting.append(far)
            self._came.notify()
        return near

    def _serve_each(self) -> None:
        while not self.stopping:
            with self._came:
                self._came.wait_for(lambda: bool(self._waiting), timeout=_PATIENCE_S)
                far = self._waiting.pop(0) if self._waiting else None
            if far is not None:
                with far:
                    self.serve(_SocketEnd(far))
