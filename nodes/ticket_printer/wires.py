"""Wires to a printer: python-escpos opens the device, and we read and write it with deadlines.

python-escpos 3.1 itself never reads from a device file, has no deadline on USB, and takes silence for 'no paper'.
"""

import errno
import os
import re
import select
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Protocol

from nodes.ticket_printer.tidy_escpos import File, Network
from protocol.environment import WrongSetting

CONNECT_TIMEOUT_S = 3.0
NOTHING_MS = 20
_PIECE_BYTES = 4_096
KERNEL_BYTES = 8_192
WANTED = (
    "virtual:FOLDER, file:/dev/usb/lp0, network:HOST:PORT (default port 9100) or usb:VENDOR:PRODUCT with four "
    "hexadecimal digits each, such as usb:04b8:0202"
)
_HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_USB_IDS = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})")
PORT = 9100
PORT_MOST = 65_535


class WireRefused(OSError):
    """The printer cannot be reached now."""


class WireBroken(OSError):
    """The wire to the printer broke after `sent` bytes."""

    def __init__(self, reason: str, sent: int) -> None:
        super().__init__(reason)
        self.sent = sent


class WireStalled(WireBroken):
    """The printer is there but takes nothing more."""

    def __init__(self, size: int, sent: int, timeout_ms: int) -> None:
        super().__init__(
            f"the printer did not take all {size} bytes: after the first {sent}, none for {timeout_ms} ms", sent
        )


class Wire(Protocol):
    """A wire to a printer. `send` and `receive` raise WireBroken if the other end is gone."""

    @property
    def answers(self) -> bool:
        """False if nothing can come back."""
        ...

    def send(self, data: bytes, timeout_ms: int) -> None:
        """Send all of it. Raises WireStalled once the printer has taken nothing for `timeout_ms`."""
        ...

    def receive(self, timeout_ms: int) -> bytes:
        """The bytes that came, or b"" if none came within the time; 0 only takes what is there."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class VirtualAt:
    """Our own virtual printer, which keeps its paper in `folder`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class FileAt:
    device: Path


@dataclass(frozen=True, slots=True)
class NetworkAt:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UsbAt:
    vendor: int
    product: int


Place = VirtualAt | FileAt | NetworkAt | UsbAt


def place_named(text: str) -> Place:
    """Parse the setting that says where the printer is. Raises WrongSetting."""
    kind, _, rest = text.partition(":")
    if kind == "virtual" and rest:
        return VirtualAt(Path(rest))
    if kind == "file" and rest.startswith("/"):
        return FileAt(Path(rest))
    if kind == "network" and (found := _HOST_AND_PORT.fullmatch(rest)):
        port = int(found[2] or PORT)
        if 0 < port <= PORT_MOST and _may_be_host(found[1]):
            return NetworkAt(found[1], port)
    if kind == "usb" and (found := _USB_IDS.fullmatch(rest)):
        return UsbAt(int(found[1], 16), int(found[2], 16))
    raise WrongSetting("SUIVANT_PRINTER", text, WANTED)


def _may_be_host(name: str) -> bool:
    """Whether the resolver takes the name: for an empty or too long label it raises UnicodeError, not OSError."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def opener(place: FileAt | NetworkAt | UsbAt) -> Callable[[], Wire]:
    """A function that opens a wire to that place, or raises WireRefused."""
    match place:
        case FileAt(device):
            return lambda: open_file(device)
        case NetworkAt(host, port):
            return lambda: open_network(host, port)
        case UsbAt(vendor, product):
            from nodes.ticket_printer.usb_wire import open_usb

            return lambda: open_usb(vendor, product)


class _ReadableFile(File):  # type: ignore[misc]
    """python-escpos's device file, non-blocking, and opened for reading too if permitted."""

    def open(self, raise_not_found: bool = True) -> None:  # noqa: ARG002 - its own signature
        try:
            self.device = open(self.devfile, "r+b", buffering=0, opener=_open_both_ways)  # noqa: SIM115
        except PermissionError:
            self.device = open(self.devfile, "wb", buffering=0, opener=_open_for_writing)  # noqa: SIM115


def _open_both_ways(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)


def _open_for_writing(path: str, _flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)


def open_file(device: Path) -> Wire:
    printer = _ReadableFile(str(device))
    try:
        printer.open()
        descriptor = printer.device.fileno()
        # A regular file keeps what is printed and never answers; reading it would return the printed bytes.
        answers = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise WireRefused(f"{device} cannot be opened: {error.strerror}") from error
    if not answers:
        os.lseek(descriptor, 0, os.SEEK_END)
    return DescriptorWire(descriptor, printer.close, answers=answers)


class _DirectNetwork(Network):  # type: ignore[misc]
    """python-escpos's network printer, with IPv6 too, and without the socket it leaks if nobody answers."""

    def open(self, raise_not_found: bool = True) -> None:  # noqa: ARG002 - its own signature
        self.device = socket.create_connection((self.host, self.port), timeout=self.timeout)
        self.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.device.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Without a limit Linux buffers whole tickets that the printer does not take, and every question after them.
        self.device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)


def open_network(host: str, port: int) -> Wire:
    printer = _DirectNetwork(host, port=port, timeout=CONNECT_TIMEOUT_S)
    try:
        printer.open()
    except OSError as error:
        raise WireRefused(f"no printer answers at {host}:{port}: {error}") from error
    return socket_wire(printer.device, printer.close)


def socket_wire(end: socket.socket, close: Callable[[], None] | None = None) -> Wire:
    end.setblocking(False)
    return DescriptorWire(end.fileno(), close or end.close, ends=True)


class DescriptorWire:
    """A wire over a non-blocking file descriptor. `ends`: an empty read means that the other end has gone."""

    def __init__(self, descriptor: int, close: Callable[[], None], *, answers: bool = True, ends: bool = False) -> None:
        self._descriptor = descriptor
        self._close = close
        self._answers = answers
        self._ends = ends

    def send(self, data: bytes, timeout_ms: int) -> None:
        sent = 0
        while sent < len(data):
            try:
                sent += os.write(self._descriptor, data[sent : sent + _PIECE_BYTES])
                continue
            except BlockingIOError:
                pass
            except OSError as error:
                raise WireBroken(f"the connection to the printer failed: {error.strerror}", sent) from error
            if not self._wait(select.POLLOUT, timeout_ms / 1000):
                raise WireStalled(len(data), sent, timeout_ms)

    @property
    def answers(self) -> bool:
        return self._answers

    def receive(self, timeout_ms: int) -> bytes:
        if not self._wait(select.POLLIN, timeout_ms / 1000):
            return b""
        try:
            data = os.read(self._descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            # A descriptor that is only open for writing: the printer never answers.
            if error.errno == errno.EBADF:
                self._answers = False
                return b""
            raise WireBroken(f"the connection to the printer failed: {error.strerror}", 0) from error
        if not data and self._ends:
            raise WireBroken("the printer closed the connection", 0)
        if not data:
            # A device that is always ready but has no data must not be read in a tight loop.
            sleep(min(timeout_ms, NOTHING_MS) / 1000)
        return data

    def close(self) -> None:
        self._close()

    def _wait(self, wanted: int, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, wanted)
        return bool(poll.poll(timeout_s * 1000))
