"""A virtual printer behind a terminal device."""

import os
import pty
import select
import tty

from nodes.ticket_printer.virtual_printer.device import VirtualPrinter
from nodes.ticket_printer.virtual_printer.server import Served

_PIECE_BYTES = 4_096
_PATIENCE_S = 0.1


class _TerminalEnd:
    def __init__(self, end: int) -> None:
        self._end = end
        os.set_blocking(end, False)

    def read(self) -> bytes | None:
        if not select.select([self._end], [], [], _PATIENCE_S)[0]:
            return None
        return os.read(self._end, _PIECE_BYTES)

    def write(self, data: bytes) -> None:
        os.write(self._end, data)


class TerminalPrinter(Served):
    """Has a device file of its own at `path`, which is read and written like /dev/usb/lp0."""

    def __init__(self, printer: VirtualPrinter) -> None:
        super().__init__(printer)
        self._far, self._near = pty.openpty()
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)
        self.start(self._serve, "virtual-printer-terminal")

    def _serve(self) -> None:
        while not self.stopping:
            self.serve(_TerminalEnd(self._far))

    def close(self) -> None:
        super().close()
        os.close(self._far)
        os.close(self._near)
