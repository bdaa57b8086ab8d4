"""A USB printer through libusb, without the kernel's usblp: for printers that have no /dev/usb/lp0."""

from typing import Any

import usb.core  # type: ignore[import-untyped]
import usb.util  # type: ignore[import-untyped]

from nodes.ticket_printer.tidy_escpos import DeviceNotFoundError, Usb
from nodes.ticket_printer.wires import Wire, WireBroken, WireRefused, WireStalled

_PIECE_BYTES = 4_096
_READ_BYTES = 64
# pyusb takes 0 as 'no time-out'.
_LEAST_TIMEOUT_MS = 1
_PRINTER_CLASS = 7


class _Usb(Usb):  # type: ignore[misc]
    """python-escpos's Usb without the reset at each opening, which makes some printers eject paper."""

    def _configure_usb(self) -> None:
        try:
            self.device.get_active_configuration()
        except usb.core.USBError:
            self.device.set_configuration()


def open_usb(vendor: int, product: int) -> Wire:
    """Open a USB printer. Raises WireRefused if there is no such device or another program holds it."""
    printer = _Usb(idVendor=vendor, idProduct=product)
    try:
        printer.open()
        out, back = _endpoints(printer.device)
    except (DeviceNotFoundError, usb.core.USBError, usb.core.NoBackendError, RuntimeError) as error:
        raise WireRefused(f"the USB printer {vendor:04x}:{product:04x} cannot be opened: {error}") from error
    return UsbWire(printer, out, back)


def _endpoints(device: Any) -> tuple[int, int | None]:
    """The endpoints to write to and read from, as the device has them: python-escpos's defaults are often wrong."""
    configuration = device.get_active_configuration()
    interfaces = sorted(configuration, key=lambda each: each.bInterfaceClass != _PRINTER_CLASS)
    for interface in interfaces:
        bulk = [
            each.bEndpointAddress
            for each in interface
            if usb.util.endpoint_type(each.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK
        ]
        outs = [each for each in bulk if usb.util.endpoint_direction(each) == usb.util.ENDPOINT_OUT]
        ins = [each for each in bulk if usb.util.endpoint_direction(each) == usb.util.ENDPOINT_IN]
        if outs:
            return outs[0], ins[0] if ins else None
    raise RuntimeError("it has no endpoint to write to")


class UsbWire:
    """A wire over two bulk endpoints; without the second one, `back`, the printer never answers."""

    def __init__(self, printer: Usb, out: int, back: int | None) -> None:
        self._printer = printer
        self._out = out
        self._back = back

    def send(self, data: bytes, timeout_ms: int) -> None:
        sent = 0
        while sent < len(data):
            try:
                sent += self._printer.device.write(self._out, data[sent : sent + _PIECE_BYTES], timeout_ms)
            except usb.core.USBTimeoutError as error:
                # How much of the last piece went out is unknown.
                raise WireStalled(len(data), max(sent, 1), timeout_ms) from error
            except usb.core.USBError as error:
                raise WireBroken(f"the connection to the printer failed: {error}", max(sent, 1)) from error

    @property
    def answers(self) -> bool:
        return self._back is not None

    def receive(self, timeout_ms: int) -> bytes:
        if self._back is None:
            return b""
        try:
            return bytes(self._printer.device.read(self._back, _READ_BYTES, max(timeout_ms, _LEAST_TIMEOUT_MS)))
        except usb.core.USBTimeoutError:
            return b""
        except usb.core.USBError as error:
            raise WireBroken(f"the connection to the printer failed: {error}", 0) from error

    def close(self) -> None:
        self._printer.close()
