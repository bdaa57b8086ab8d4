"""A ticket printer's surroundings: real pins and a real printer, or mock ones and the socket that drives them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nodes.pins import require_pins
from nodes.simulated import BadLine, CodeInput, ControlSocket, Input, PinInput, open_control, use_mock_pins
from nodes.ticket_printer.events import PrinterLooked, Scanned
from nodes.ticket_printer.wires import VirtualAt, Wire, opener, place_named, socket_wire
from protocol.environment import WrongSetting

if TYPE_CHECKING:
    from nodes.ticket_printer.virtual_printer.server import PairedPrinter


class Surroundings:
    """Real pins and a real printer, or mock pins, a virtual printer and the socket that drives both."""

    def __init__(self, printer: str, simulated: Path | None) -> None:
        self.open_wire: Callable[[], Wire]
        place = place_named(printer)
        self._control: ControlSocket | None = None
        self._served: PairedPrinter | None = None
        # Called when a fault of the virtual printer is set or ended.
        self.changed: Callable[[], None] = lambda: None
        # Called with each simulated scan.
        self.scanned: Callable[[Scanned], None] = lambda _: None
        if isinstance(place, VirtualAt):
            served = self._served = _serve_virtual(place.folder, self._show_paper)
            self.open_wire = lambda: socket_wire(served.connect())
        else:
            self.open_wire = opener(place)
        if simulated is None:
            require_pins()
        else:
            self._control = self._open_control(simulated)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in (self._control, self._served):
            if part is not None:
                part.close()

    def show_led(self, pin: int, lit: bool) -> None:
        self._show(f"led {pin}", {"led": pin, "on": lit})

    def watched(self, put: Callable[[object], None]) -> Callable[[object], None]:
        """Wrap `put` so that the control socket shows the printer's condition."""

        def show_and_put(event: object) -> None:
            if isinstance(event, PrinterLooked):
                self._show("printer", {"printer": event.condition.fault or "ready"})
            put(event)

        return show_and_put

    def _show_paper(self, name: str, _paper: object) -> None:
        self._show("paper", {"paper": name})

    def _show(self, key: str, state: Mapping[str, object]) -> None:
        if self._control is not None:
            self._control.show(key, state)

    def _open_control(self, folder: Path) -> ControlSocket:
        drive = use_mock_pins()

        def obey(wanted: Input) -> None:
            match wanted:
                case PinInput():
                    drive(wanted)
                case CodeInput(code):
                    self.scanned(Scanned(code.strip()))
                case _:
                    self._fail(wanted.fault)

        return open_control(folder, obey)

    def _fail(self, name: str) -> None:
        from nodes.ticket_printer.virtual_printer.device import UnknownFault, fault_named

        if self._served is None:
            raise BadLine("only a virtual printer can simulate a fault")
        try:
            self._served.fail(fault_named(name))
        except UnknownFault as error:
            raise BadLine(str(error)) from error
        self._show("fault", {"fault": name})
        self.changed()


def _serve_virtual(folder: Path, told: Callable[[str, object], None]) -> "PairedPrinter":
    # Imported here, since a real dispenser never needs the virtual printer.
    from nodes.ticket_printer.virtual_printer.device import VirtualPrinter
    from nodes.ticket_printer.virtual_printer.server import PairedPrinter, PaperFolder

    try:
        return PairedPrinter(VirtualPrinter(PaperFolder(folder, told)))
    except OSError as error:
        raise WrongSetting(
            "SUIVANT_PRINTER",
            f"virtual:{folder}",
            f"virtual:FOLDER, with a folder that this program may write to ({error})",
        ) from error
