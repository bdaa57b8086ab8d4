"""The control socket of a node without hardware: `DIR/control.sock`, JSON lines, for a demo page and for tests.

It exists only with `--simulated DIR`. In: `{"pin": 17, "pressed": true}` drives a mock pin, `{"fault": "paper_out"}` a
virtual printer, `{"type": "code", "code": "K7M2Q9"}` is what a scanner reads. Out, to each client: the whole current
state when it connects, then changes such as `{"led": 27, "on": true}`. A client that sent a line that was not
understood or failed gets `{"error": "…"}`.
"""

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from protocol.environment import WrongSetting

LINE_MOST = 1_024
CLIENTS_MOST = 8
# A client with more unread bytes is dropped; it reconnects and gets the whole state.
OUTGOING_MOST = 65_536


class BadLine(ValueError):
    """A line on the control socket that cannot be carried out; the error's text goes to the client that sent it."""


class PinInput(Struct, frozen=True, forbid_unknown_fields=True):
    """A press or release of a button; `pin` is in Broadcom numbering."""

    pin: int
    pressed: bool


class FaultInput(Struct, frozen=True, forbid_unknown_fields=True):
    """The fault that a virtual printer should have; `none` ends it."""

    fault: str


class CodeInput(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="code"):
    """A code from a visitor's confirmation, as a scanner or a keypad would give it."""

    code: Annotated[str, Meta(min_length=1, max_length=300)]


Input = PinInput | FaultInput | CodeInput
# A line with none of these keys is a PinInput.
_KINDS: dict[bytes, type[Input]] = {b'"fault"': FaultInput, b'"code"': CodeInput}


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    received: bytearray = field(default_factory=bytearray)
    outgoing: bytearray = field(default_factory=bytearray)


class ControlSocket:
    """A Unix socket that only its owner can open.

    `obey` is called on the socket's own thread with each Input, and raises BadLine if the input is wrong. `show` may
    be called from any thread. Raises OSError if the socket cannot be created.
    """

    def __init__(self, folder: Path, obey: Callable[[Input], None]) -> None:
        self._obey = obey
        self._path = folder / "control.sock"
        self._state: dict[str, bytes] = {}
        self._clients: dict[socket.socket, _Client] = {}
        self._lock = threading.Lock()
        self._listener = _listen(folder, self._path)
        self._wake_in, self._wake_out = socket.socketpair()
        for each in (self._listener, self._wake_in, self._wake_out):
            each.setblocking(False)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="control-socket", daemon=True)
        self._thread.start()

    def show(self, key: str, state: Mapping[str, object]) -> None:
        """Set the current state of one thing, `key`; clients are sent it if it changed."""
        line = msgspec.json.encode(state) + b"\n"
        with self._lock:
            if self._state.get(key) == line:
                return
            self._state[key] = line
            for client in self._clients.values():
                client.outgoing += line
        self._wake()

    def close(self) -> None:
        self._closing = True
        self._wake()
        self._thread.join(1.0)
        self._wake_in.close()
        self._wake_out.close()

    def _wake(self) -> None:
        # If the buffer is full, the thread has been woken already; if it is closed, the thread has ended.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"!")

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_in, selectors.EVENT_READ)
            while not self._closing:
                self._watch_writers(selector)
                for key, events in selector.select():
                    self._ready(selector, key.fileobj, events)
            for client in list(self._clients):
                self._drop(selector, client)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _ready(self, selector: selectors.BaseSelector, ready: Any, events: int) -> None:
        if ready is self._listener:
            self._accept(selector)
            return
        if ready is self._wake_in:
            self._wake_in.recv(4096)
            return
        client = self._clients[ready]
        try:
            if events & selectors.EVENT_READ and not self._read(client):
                self._drop(selector, ready)
                return
            if events & selectors.EVENT_WRITE:
                self._write(client)
        except OSError:
            self._drop(selector, ready)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        connection, _ = self._listener.accept()
        if len(self._clients) >= CLIENTS_MOST:
            connection.close()
            return
        connection.setblocking(False)
        with self._lock:
            client = _Client(connection, outgoing=bytearray(b"".join(self._state.values())))
            self._clients[connection] = client
        selector.register(connection, selectors.EVENT_READ)

    def _watch_writers(self, selector: selectors.BaseSelector) -> None:
        with self._lock:
            waiting = {each: len(client.outgoing) for each, client in self._clients.items()}
        for connection, length in waiting.items():
            if length > OUTGOING_MOST:
                self._drop(selector, connection)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if length else 0)
            if selector.get_key(connection).events != events:
                selector.modify(connection, events)

    def _drop(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        with self._lock:
            self._clients.pop(connection, None)
        selector.unregister(connection)
        connection.close()

    def _write(self, client: _Client) -> None:
        with self._lock:
            sent = client.connection.send(client.outgoing)
            del client.outgoing[:sent]

    def _read(self, client: _Client) -> bool:
        """False if the client went away or its line is too long."""
        received = client.connection.recv(4096)
        client.received += received
        *lines, rest = bytes(client.received).split(b"\n")
        client.received = bytearray(rest)
        for line in lines:
            self._line(client, line)
        return bool(received) and len(rest) <= LINE_MOST

    def _line(self, client: _Client, line: bytes) -> None:
        if not line.strip():
            return
        try:
            self._obey(_parse(line))
        except BadLine as error:
            self._answer(client, str(error))
        except Exception as error:  # noqa: BLE001 - a line must not be able to end the socket for all others
            self._answer(client, f"{type(error).__name__}: {error}")

    def _answer(self, client: _Client, error: str) -> None:
        with self._lock:
            client.outgoing += msgspec.json.encode({"error": error}) + b"\n"


def open_control(folder: Path, obey: Callable[[Input], None]) -> ControlSocket:
    """Open `folder`'s control socket. Raises WrongSetting if it cannot be created."""
    try:
        return ControlSocket(folder, obey)
    except OSError as error:
        raise WrongSetting(
            "--simulated", str(folder), f"a folder in which a socket can be created ({error})"
        ) from error


def _parse(line: bytes) -> Input:
    # msgspec distinguishes the classes of a union only by a tag. These lines have no common key and need none.
    kind = next((kind for key, kind in _KINDS.items() if key in line), PinInput)
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLine(f"the line was not understood: {error}") from error


def _listen(folder: Path, path: Path) -> socket.socket:
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    # A Unix socket's path is limited to 107 bytes; binding by way of an open folder avoids the limit.
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{opened}/{path.name}")
    finally:
        os.close(opened)
        os.umask(before)
    listener.listen(CLIENTS_MOST)
    return listener


def use_mock_pins() -> Callable[[PinInput], None]:
    """Make every gpiozero device of this program a mock; returns what presses and releases its buttons."""
    from gpiozero import Device, PinInvalidPin  # type: ignore[import-untyped]
    from gpiozero.pins.mock import MockFactory  # type: ignore[import-untyped]

    factory = MockFactory()
    Device.pin_factory = factory

    def drive(wanted: PinInput) -> None:
        try:
            pin = factory.pin(wanted.pin)
        except PinInvalidPin as error:
            raise BadLine(str(error)) from error
        if pin.function != "input":
            raise BadLine(f"pin {wanted.pin} is an output and cannot be pressed")
        if wanted.pressed:
            pin.drive_low()
        else:
            pin.drive_high()

    return drive
