"""The wire over USB, on a device that behaves like pyusb's; tests have no real one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import usb.core

from nodes.ticket_printer.usb_wire import UsbWire, _endpoints, open_usb
from nodes.ticket_printer.wires import WireBroken, WireRefused, WireStalled

BULK, INTERRUPT = 2, 3


@dataclass(frozen=True)
class Endpoint:
    bEndpointAddress: int  # noqa: N815 - the names of the USB standard
    bmAttributes: int = BULK  # noqa: N815


@dataclass(frozen=True)
class Interface:
    bInterfaceClass: int  # noqa: N815
    endpoints: tuple[Endpoint, ...]

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.endpoints)


@dataclass
class Device:
    """Takes `room` bytes, then every write times out, as for a printer without paper; or it is `unplugged`."""

    interfaces: tuple[Interface, ...] = ()
    room: int = 1_000_000
    unplugged: bool = False
    answers: list[bytes] = field(default_factory=list)
    written: bytearray = field(default_factory=bytearray)
    timeouts: list[int] = field(default_factory=list)

    def get_active_configuration(self) -> tuple[Interface, ...]:
        return self.interfaces

    def write(self, _endpoint: int, data: bytes, timeout: int) -> int:
        assert timeout > 0, "pyusb waits for ever where the timeout is 0"
        self.timeouts.append(timeout)
        if self.unplugged:
            raise usb.core.USBError("No such device (it may have been disconnected)")
        if len(self.written) + len(data) > self.room:
            raise usb.core.USBTimeoutError("Operation timed out")
        self.written += data
        return len(data)

    def read(self, _endpoint: int, _size: int, timeout: int) -> bytes:
        assert timeout > 0
        if not self.answers:
            raise usb.core.USBTimeoutError("Operation timed out")
        return self.answers.pop(0)


@dataclass
class Opened:
    device: Device
    closed: bool = False

    def close(self) -> None:
        self.closed = True


def test_the_printers_own_endpoints_are_used_and_not_the_usual_ones() -> None:
    scanner = Interface(0xFF, (Endpoint(0x01), Endpoint(0x82)))
    printer = Interface(7, (Endpoint(0x85, INTERRUPT), Endpoint(0x03), Endpoint(0x84)))
    assert _endpoints(Device((scanner, printer))) == (0x03, 0x84)


def test_a_printer_that_cannot_answer_has_one_endpoint() -> None:
    assert _endpoints(Device((Interface(7, (Endpoint(0x01),)),))) == (0x01, None)
    assert not UsbWire(Opened(Device()), 0x01, None).answers


def test_a_device_without_an_endpoint_to_write_to_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no endpoint"):
        _endpoints(Device((Interface(7, (Endpoint(0x82),)),)))


def test_all_of_a_ticket_is_written_in_pieces() -> None:
    opened = Opened(Device())
    ticket = bytes(range(256)) * 100
    UsbWire(opened, 1, 0x82).send(ticket, 1_000)
    assert opened.device.written == ticket


def test_a_slow_printer_has_all_the_time_for_each_piece() -> None:
    opened = Opened(Device())
    UsbWire(opened, 1, 0x82).send(bytes(50_000), 1_000)
    assert set(opened.device.timeouts) == {1_000}


def test_a_printer_that_takes_no_more_is_given_up_with_what_it_took() -> None:
    wire = UsbWire(Opened(Device(room=10_000)), 1, 0x82)
    with pytest.raises(WireStalled) as broken:
        wire.send(bytes(50_000), 1_000)
    assert broken.value.sent == 8_192


@pytest.mark.parametrize("device", [Device(room=0), Device(unplugged=True)])
def test_of_a_piece_that_failed_a_part_may_be_on_the_paper(device: Device) -> None:
    """libusb does not say how much went out; with nothing sent, the ticket would be abandoned."""
    with pytest.raises(WireBroken) as broken:
        UsbWire(Opened(device), 1, 0x82).send(bytes(100), 1_000)
    assert broken.value.sent > 0


def test_an_answer_is_read_and_silence_is_nothing() -> None:
    wire = UsbWire(Opened(Device(answers=[b"\x12"])), 1, 0x82)
    assert wire.receive(10) == b"\x12"
    assert wire.receive(0) == b""


def test_a_printer_that_is_not_plugged_in_is_said_in_a_sentence() -> None:
    with pytest.raises(WireRefused, match="USB printer 1234:5678 cannot be opened"):
        open_usb(0x1234, 0x5678)
