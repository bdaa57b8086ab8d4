"""Wires a ticket printer together: pins, spool, printer, link, core."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import structlog
from msgspec import Meta, Struct, structs

from nodes.events import Light, UsePins
from nodes.pins import Pins
from nodes.runtime import Inbox, Runtime
from nodes.settings import NotNow, Settings, configure_logging, read_settings
from nodes.ticket_printer.core import TicketPrinter
from nodes.ticket_printer.events import Forget, Keep, Kept, Print, PrintEnded, PrintTest
from nodes.ticket_printer.keyboard import Keyboard
from nodes.ticket_printer.paper import Style, fits
from nodes.ticket_printer.printer import Printer
from nodes.ticket_printer.printing import Printing
from nodes.ticket_printer.spool import Entry, Spool, SpoolBroken, SpoolOutOfReach, Step
from nodes.ticket_printer.surroundings import Surroundings
from nodes.ticket_printer.wires import WANTED, place_named
from nodes.ticket_printer.words import words_in
from protocol.environment import Described, WrongSetting, describe, read
from protocol.heartbeat import HubTime
from protocol.link import monotonic_ms
from protocol.messages import Role

KEYBOARDS_MOST = 4
_SCANNERS_WANTED = (
    f"at most {KEYBOARDS_MOST} different absolute paths, separated by commas, such as /dev/input/by-id/usb-…-event-kbd"
)
# How long a program that is stopped waits for the paper under way, which may still come out whole.
LAST_PAPER_S = 3.0
PAPER_UNDER_WAY = "paper-under-way"

_log = structlog.get_logger()


class PrinterSettings(Struct, frozen=True, kw_only=True):
    """The settings of the ticket printer alone."""

    printer: Annotated[
        str,
        Meta(
            description="where the printer is",
            extra={"wanted": WANTED, "unless_set": "required, except with --simulated"},
        ),
    ] = ""
    printer_paper: Annotated[
        Style,
        Meta(description="how tickets are printed: drawn, on paper of 80 mm, or as text in the printer's own font"),
    ] = Style.PICTURE
    printer_profile: Annotated[
        str,
        Meta(
            description="the printer's profile in python-escpos, which sets code page, columns and cut",
            extra={"wanted": "such as TM-T20II, POS-5890 or default"},
        ),
    ] = "TM-T20II"
    scanners: Annotated[
        str,
        Meta(
            description="input devices of the scanners and keypads for the codes of appointments",
            extra={"wanted": _SCANNERS_WANTED},
        ),
    ] = ""
    language: Annotated[
        str, Meta(pattern=r"^[a-z]{2}\Z", extra={"wanted": "fr or en"}, description="language of the tickets")
    ] = "fr"

    @property
    def keyboards(self) -> tuple[Path, ...]:
        return tuple(Path(path.strip()) for path in self.scanners.split(",") if path.strip())


def described_settings() -> Iterator[Described]:
    yield from describe(PrinterSettings)


@dataclass(frozen=True, slots=True)
class Shell:
    """Does what the core asks for, on the worker's thread."""

    pins: Pins
    spool: Spool
    printing: Printing
    put: Callable[[object], None]

    def perform(self, effect: object) -> None:
        match effect:
            case Light(lit):
                self.pins.light(lit)
            case Keep():
                self._keep(effect)
            case Forget(request_id):
                self._forget(request_id)
            case Print() | PrintTest():
                self.printing.perform(effect)
            case UsePins(buttons, led):
                self.pins.use(buttons, led)

    def _keep(self, effect: Keep) -> None:
        try:
            self.spool.keep(effect.entry)
        except SpoolBroken as error:
            _log.exception("spool.failed", id=effect.entry.id, step=effect.entry.step.value, reason=str(error))
            self.put(Kept(effect.entry, failed=str(error)))
            return
        _log.info("ticket.step", id=effect.entry.id, step=effect.entry.step.value, service=effect.entry.service)
        self.put(Kept(effect.entry))

    def _forget(self, request_id: str) -> None:
        try:
            self.spool.forget(request_id)
        except SpoolBroken as error:
            # The next start tells the hub again; the hub answers a repeat with the first answer.
            _log.exception("spool.failed", id=request_id, reason=str(error))


def run(environ: Mapping[str, str], simulated: Path | None) -> int:
    """Run until stopped; returns the exit status. Raises WrongSetting, or NotNow if spool or pins are out of reach."""
    settings = read_settings(environ)
    own = _own_settings(environ, simulated)
    configure_logging(settings.node)
    inbox, hub_time = Inbox(), HubTime()
    words = words_in(own.language)
    spool, left_over = _spool(settings)
    with Surroundings(own.printer, simulated) as surroundings:
        pins = Pins(inbox.put, surroundings.show_led)
        printer = Printer(surroundings.open_wire, monotonic_ms, settings.node.kept_dir / PAPER_UNDER_WAY)
        printing = Printing(printer, own.printer_paper, own.printer_profile, words, surroundings.watched(inbox.put))
        surroundings.changed = printing.look_now
        surroundings.scanned = inbox.put
        core = TicketPrinter(settings.node.topics, settings.node.node, hub_time, os.urandom, left_over, monotonic_ms())
        shell = Shell(pins, spool, printing, inbox.put)
        runtime = Runtime(
            settings,
            Role.TICKET_PRINTER,
            core,
            shell.perform,
            inbox=inbox,
            hub_time=hub_time,
            environ=environ,
        )
        printing.start()
        keyboards = [Keyboard(path, inbox.put, monotonic_ms) for path in own.keyboards]
        try:
            return runtime.run()
        finally:
            for keyboard in keyboards:
                keyboard.close()
            printing.close(LAST_PAPER_S)
            _note_last_paper(inbox, core, shell)
            pins.close()
            spool.close()


def _note_last_paper(inbox: Inbox, core: TicketPrinter, shell: Shell) -> None:
    """Keep for the next run what became of a paper after the program was told to stop, or that it was not begun."""
    while (event := inbox.take(0)) is not None:
        match event:
            case PrintEnded(request_id):
                for effect in core.handle(event, monotonic_ms()):
                    if isinstance(effect, Keep) and effect.entry.id == request_id:
                        shell.perform(effect)
            case Kept(entry) if entry.step is Step.PRINTING:
                # The core would have sent it to the printer only on this event.
                shell.perform(Keep(replace(entry, step=Step.ABANDONED)))


def _own_settings(environ: Mapping[str, str], simulated: Path | None) -> PrinterSettings:
    own = read(PrinterSettings, environ)
    if not own.printer:
        if simulated is None:
            raise WrongSetting("SUIVANT_PRINTER", None, WANTED)
        own = structs.replace(own, printer=f"virtual:{simulated / 'paper'}")
    place_named(own.printer)
    _check_keyboards(own)
    wrong = fits(own.printer_profile, own.printer_paper)
    if wrong is not None:
        raise WrongSetting("SUIVANT_PRINTER_PROFILE", own.printer_profile, wrong)
    return own


def _check_keyboards(own: PrinterSettings) -> None:
    paths = own.keyboards
    if len(paths) > KEYBOARDS_MOST or len(set(paths)) < len(paths) or not all(path.is_absolute() for path in paths):
        raise WrongSetting("SUIVANT_SCANNERS", own.scanners, _SCANNERS_WANTED)


def _spool(settings: Settings) -> tuple[Spool, tuple[Entry, ...]]:
    """Open the spool and read what an earlier run left. Raises NotNow if a restart may help, else WrongSetting."""
    folder = settings.node.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spool = Spool(folder / "spool.sqlite")
        return spool, spool.entries()
    except (PermissionError, NotADirectoryError, FileExistsError, SpoolOutOfReach) as error:
        wanted = f"a folder this program may write to ({error})"
        raise WrongSetting("SUIVANT_STATE_DIR", str(folder), wanted) from error
    except OSError as error:
        raise NotNow(str(error)) from error
