"""The virtual printer itself, without a wire: bytes in, answers and paper out, with faults."""

from collections.abc import Callable
from dataclasses import dataclass

from nodes.ticket_printer.virtual_printer.interpreter import Interpreter, Paper

WIDTH_DOTS = 576
# A real printer has 4 to 64 KiB. This one takes a whole ticket, so that a test sees what waits once the roll is empty.
INPUT_BYTES_MOST = 256 * 1024
_REAL_TIME = b"\x10\x04"
# The fixed bits of a reply to DLE EOT: 0xx1xx10. A reply to GS r is 0xx0xxxx.
_EOT = 0x12
# The n of DLE EOT n.
_PRINTER, _CAUSE, _ERROR, _PAPER = _ASKED = (1, 2, 3, 4)
_OFFLINE, _COVER, _PAPER_STOP, _NEAR_END, _PAPER_END = 0x08, 0x04, 0x20, 0x0C, 0x60
_ROLL_NEAR_END, _ROLL_END = 0x03, 0x0C


@dataclass(slots=True)
class Faults:
    """The current faults. `late`: each answer comes with the next question. `joined`: answers come two at a time.

    `paper_left_dots`: the roll ends after this much more paper. `link_left_bytes`: the link is cut after this many
    more bytes.
    """

    mute: bool = False
    paper_out: bool = False
    near_end: bool = False
    cover_open: bool = False
    late: bool = False
    joined: bool = False
    paper_left_dots: int | None = None
    link_left_bytes: int | None = None


class UnknownFault(ValueError):
    """The virtual printer has no fault of that name; the message lists those it has."""


FAULTS = (
    "none",
    "mute",
    "paper_out",
    "near_end",
    "cover_open",
    "late",
    "joined",
    "paper_left_dots:N",
    "link_left_bytes:N",
)


def fault_named(text: str) -> Faults:
    """`paper_out`, `paper_left_dots:300`, or `none`; one at a time. Raises UnknownFault."""
    name, _, number = text.partition(":")
    if text == "none":
        return Faults()
    faults = Faults()
    if text in FAULTS:
        setattr(faults, name, True)
        return faults
    if f"{name}:N" in FAULTS and number.isdecimal():
        setattr(faults, name, int(number))
        return faults
    raise UnknownFault(f"the virtual printer has no fault {text!r}; its faults are {', '.join(FAULTS)}")


class LinkCut(Exception):
    """The wire is cut now."""


class VirtualPrinter:
    """A virtual printer. Not thread-safe: its server calls it from one thread at a time."""

    def __init__(self, cut: Callable[[Paper], None], width_dots: int = WIDTH_DOTS) -> None:
        self.faults = Faults()
        self._stream = bytearray()
        self._answers = bytearray()
        self._held = bytearray()
        self._tail = b""
        self._interpreter = Interpreter(width_dots, cut, self._answer_group)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What a real printer would have printed wrong or not at all."""
        return tuple(self._interpreter.complaints)

    @property
    def full(self) -> bool:
        """Nothing more is taken until something has been printed."""
        return len(self._stream) >= INPUT_BYTES_MOST

    def fail(self, faults: Faults) -> bytes:
        """Set the faults; returns the answers that this causes. A printer that can print again continues."""
        self.faults = faults
        self._print()
        return self._outgoing()

    def receive(self, data: bytes) -> bytes:
        """Take what came over the wire; returns what goes back. Raises LinkCut if the wire is cut."""
        left = self.faults.link_left_bytes
        taken = data if left is None else data[:left]
        self._answer_real_time(taken)
        self._stream += taken
        self._print()
        if left is not None:
            self.faults.link_left_bytes = left - len(taken)
            if len(taken) < len(data):
                self.faults.link_left_bytes = None
                raise LinkCut
        return self._outgoing()

    @property
    def _stopped(self) -> bool:
        return self.faults.paper_out or self.faults.cover_open

    def _print(self) -> None:
        while not self._stopped:
            before = self._interpreter.used_dots
            if not self._interpreter.step(self._stream):
                return
            self._use_paper(self._interpreter.used_dots - before)

    def _use_paper(self, dots: int) -> None:
        left = self.faults.paper_left_dots
        if left is None:
            return
        left -= max(0, dots)
        self.faults.paper_left_dots = max(0, left)
        if left <= 0:
            self.faults.paper_left_dots = None
            self.faults.paper_out = True

    def _answer_real_time(self, data: bytes) -> None:
        """Answer DLE EOT at once, wherever it is, even inside a picture, as a real printer does."""
        seen = self._tail + data
        at = seen.find(_REAL_TIME)
        while 0 <= at < len(seen) - 2:
            if seen[at + 2] in _ASKED:
                self._reply(self._status(seen[at + 2]))
            at = seen.find(_REAL_TIME, at + 1)
        self._tail = seen[-2:] if seen[-2:] == _REAL_TIME else seen[-1:] if seen[-1:] == _REAL_TIME[:1] else b""

    def _status(self, kind: int) -> int:
        faults = self.faults
        if kind == _PRINTER:
            return _EOT | (_OFFLINE if self._stopped else 0)
        if kind == _CAUSE:
            return _EOT | (_COVER if faults.cover_open else 0) | (_PAPER_STOP if faults.paper_out else 0)
        if kind == _PAPER:
            ending = faults.near_end or faults.paper_out
            return _EOT | (_NEAR_END if ending else 0) | (_PAPER_END if faults.paper_out else 0)
        return _EOT

    def _answer_group(self, kind: int) -> None:
        if kind in {1, 49}:
            near = self.faults.near_end or self.faults.paper_out
            self._reply((_ROLL_NEAR_END if near else 0) | (_ROLL_END if self.faults.paper_out else 0))
        elif kind in {2, 50}:
            self._reply(0)

    def _reply(self, byte: int) -> None:
        faults = self.faults
        if faults.mute:
            return
        if not faults.late and not faults.joined:
            self._answers.append(byte)
            return
        self._held.append(byte)
        if len(self._held) > 1:
            count = 1 if faults.late else len(self._held)
            self._answers += self._held[:count]
            del self._held[:count]

    def _outgoing(self) -> bytes:
        out = bytes(self._answers)
        self._answers.clear()
        return out
