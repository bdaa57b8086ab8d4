"""Reads a stream of ESC/POS, in pieces of any size, and draws it on the canvas.

It notes what it does not know in `complaints` and goes on; tests check that list. The commands are those that a ticket
uses, with the parameters and defaults of Epson's reference.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import segno
from PIL import Image

from nodes.ticket_printer.virtual_printer.canvas import PLAIN, Align, Canvas, RollTooLong, Style

ESC, GS, DLE, LF, CR, HT, SPACE = 0x1B, 0x1D, 0x10, 0x0A, 0x0D, 0x09, 0x20
# Parameter values that switch something off.
_OFF = (0, 48)
CODE_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 19: "cp858", 71: "cp1252"}
DEFAULT_SPACING = 30
COMPLAINTS_MOST = 50
_QR_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}
# Commands that are skipped, with the count of their parameters.
_PASSED_OVER = {
    (ESC, 0x70): 3,
    (ESC, 0x7B): 1,
    (ESC, 0x20): 1,
    (ESC, 0x52): 1,
    (ESC, 0x47): 1,
    (GS, 0x61): 1,
}
_ALIGNS = {0: Align.LEFT, 48: Align.LEFT, 1: Align.CENTER, 49: Align.CENTER, 2: Align.RIGHT, 50: Align.RIGHT}


class Paper(NamedTuple):
    """One piece of paper: its picture in mode `1`, and the lines printed as text."""

    image: Image.Image
    text: tuple[str, ...]


@dataclass(slots=True)
class _State:
    """The state that ESC @ resets."""

    style: Style = PLAIN
    align: Align = Align.LEFT
    page: str = "cp437"
    spacing: int = DEFAULT_SPACING
    qr_module: int = 3
    qr_level: str = "l"
    qr_text: bytes = b""


class _Incomplete(Exception):
    """The rest of the command has not come yet."""


class Interpreter:
    """Interprets a stream. `cut` gets each paper; `answer` gets the parameter of each GS r in the stream."""

    def __init__(self, width: int, cut: Callable[[Paper], None], answer: Callable[[int], None]) -> None:
        self.complaints: list[str] = []
        self._canvas = Canvas(width)
        self._cut = cut
        self._answer = answer
        self._state = _State()
        self._line: list[tuple[str, Style]] = []
        self._text: list[str] = []
        self._without_value: dict[int, Callable[[], None]] = {ord("@"): self._reset, ord("2"): self._usual_spacing}
        self._escapes: dict[int, Callable[[int], bool | None]] = {
            ord("!"): self._mode,
            ord("E"): lambda value: self._restyle(bold=bool(value & 1)),
            ord("-"): lambda value: self._restyle(underline=value not in _OFF),
            ord("M"): lambda value: self._restyle(font="A" if value in _OFF else "B"),
            ord("a"): self._align_to,
            ord("t"): self._use_page,
            ord("3"): self._space_lines,
            ord("d"): lambda lines: self._feed(lines * self._state.spacing),
            ord("J"): self._feed,
        }
        self._groups: dict[int, Callable[[int], bool | None]] = {
            ord("!"): lambda value: self._restyle(width=1 + (value >> 4 & 7), height=1 + (value & 7)),
            ord("B"): lambda value: self._restyle(inverse=bool(value & 1)),
            ord("r"): self._answer,
        }
        self._longer: dict[int, Callable[[bytearray], int]] = {
            ord("V"): self._cut_paper,
            ord("v"): self._raster,
            ord("("): self._function,
        }
        self._qr_functions: dict[int, Callable[[bytes], None]] = {
            65: lambda _model: None,
            67: self._size_qr,
            69: self._level_qr,
            80: self._store_qr,
            81: self._print_qr,
        }

    @property
    def used_dots(self) -> int:
        """Paper since the last cut."""
        return self._canvas.used_dots

    def step(self, stream: bytearray) -> bool:
        """Take one command or character off the front; False if there is none, or it is not complete yet."""
        if not stream:
            return False
        try:
            used = self._command(bytes(stream[:4]), stream)
        except _Incomplete:
            return False
        except RollTooLong as error:
            self._complain(str(error))
            self._canvas.take()
            used = len(stream)
        del stream[:used]
        return True

    def _command(self, head: bytes, stream: bytearray) -> int:
        first = head[0]
        if first == ESC:
            return self._escape(stream)
        if first == GS:
            return self._group(stream)
        if first == DLE:
            # The device answered it when it came in; here it is only skipped.
            _need(stream, 3)
            return 3
        if first == LF:
            self._print_line()
        elif first == HT:
            self._sign(" ")
        elif first >= SPACE:
            self._sign(bytes([first]).decode(self._state.page, errors="replace"))
        elif first not in {CR, 0}:
            self._complain(f"unknown control byte: {first:#04x}")
        return 1

    def _sign(self, sign: str) -> None:
        style = self._state.style
        if sum(each.cell[0] for _, each in self._line) + style.cell[0] > self._canvas.width:
            self._complain(f"the line {''.join(each for each, _ in self._line)!r} is wider than the paper")
            self._print_line()
        self._line.append((sign, style))

    def _print_line(self) -> None:
        self._canvas.line(self._line, self._state.align, self._state.spacing)
        if self._line:
            self._text.append("".join(sign for sign, _ in self._line))
        self._line = []

    def _escape(self, stream: bytearray) -> int:
        _need(stream, 2)
        kind = stream[1]
        if (ESC, kind) in _PASSED_OVER:
            return self._pass_over(stream)
        if kind in self._without_value:
            self._without_value[kind]()
            return 2
        _need(stream, 3)
        self._set(self._escapes.get(kind), stream)
        return 3

    def _group(self, stream: bytearray) -> int:
        _need(stream, 3)
        kind = stream[1]
        if (GS, kind) in _PASSED_OVER:
            return self._pass_over(stream)
        longer = self._longer.get(kind)
        if longer is not None:
            return longer(stream)
        self._set(self._groups.get(kind), stream)
        return 3

    def _set(self, change: Callable[[int], bool | None] | None, stream: bytearray) -> None:
        """Apply a command with one parameter; `change` returns False for a value it does not know."""
        if change is None or change(stream[2]) is False:
            name = "ESC" if stream[0] == ESC else "GS"
            self._complain(f"unknown command or value: {name} {stream[1]:#04x} {stream[2]:#04x}")

    def _pass_over(self, stream: bytearray) -> int:
        used = 2 + _PASSED_OVER[stream[0], stream[1]]
        _need(stream, used)
        return used

    # --- one parameter ---

    def _reset(self) -> None:
        self._state, self._line = _State(), []

    def _usual_spacing(self) -> None:
        self._state.spacing = DEFAULT_SPACING

    def _mode(self, value: int) -> None:
        self._restyle(
            font="B" if value & 0x01 else "A",
            bold=bool(value & 0x08),
            height=2 if value & 0x10 else 1,
            width=2 if value & 0x20 else 1,
            underline=bool(value & 0x80),
        )

    def _restyle(self, **changes: Any) -> None:
        self._state.style = replace(self._state.style, **changes)

    def _align_to(self, value: int) -> bool:
        if value in _ALIGNS:
            self._state.align = _ALIGNS[value]
        return value in _ALIGNS

    def _use_page(self, value: int) -> bool:
        self._state.page = CODE_PAGES.get(value, self._state.page)
        return value in CODE_PAGES

    def _space_lines(self, value: int) -> None:
        self._state.spacing = value

    def _feed(self, dots: int) -> None:
        self._end_line()
        self._canvas.feed(dots)

    # --- longer ones ---

    def _cut_paper(self, stream: bytearray) -> int:
        feeds = stream[2] in {65, 66, 97, 98, 103, 104}
        _need(stream, 4 if feeds else 3)
        self._end_line()
        self._canvas.feed(stream[3] if feeds else 0)
        paper = Paper(self._canvas.take(), tuple(self._text))
        self._text = []
        self._cut(paper)
        return 4 if feeds else 3

    def _raster(self, stream: bytearray) -> int:
        _need(stream, 8)
        row_bytes = int.from_bytes(stream[4:6], "little")
        rows = int.from_bytes(stream[6:8], "little")
        used = 8 + row_bytes * rows
        _need(stream, used)
        self._end_line()
        if row_bytes * 8 > self._canvas.width + 7:
            self._complain(f"the picture is {row_bytes * 8} dots wide, more than the paper's {self._canvas.width}")
        if stream[2:4] != b"0\x00":
            self._complain(f"unknown command or mode: GS v {stream[2]:#04x} {stream[3]:#04x}")
        elif row_bytes and rows:
            dots = Image.frombytes("1", (row_bytes * 8, rows), bytes(stream[8:used]))
            self._canvas.image(dots.convert("L").point([255 - level for level in range(256)]), self._state.align)
        return used

    def _function(self, stream: bytearray) -> int:
        _need(stream, 5)
        used = 5 + int.from_bytes(stream[3:5], "little")
        _need(stream, used)
        body = bytes(stream[5:used])
        function = self._qr_functions.get(body[1]) if stream[2] == ord("k") and body[:1] == b"1" else None
        if function is None or not body[2:]:
            self._complain(f"unknown or empty function: GS ( {stream[2]:#04x} {body[:2].hex(' ')}")
        else:
            function(body[2:])
        return used

    def _size_qr(self, values: bytes) -> None:
        self._state.qr_module = values[0]

    def _level_qr(self, values: bytes) -> None:
        self._state.qr_level = _QR_LEVELS.get(values[0], self._state.qr_level)

    def _store_qr(self, values: bytes) -> None:
        self._state.qr_text = values[1:]

    def _print_qr(self, _values: bytes) -> None:
        state = self._state
        code = segno.make(state.qr_text, micro=False, error=state.qr_level, boost_error=False)
        rows = [bytes(row) for row in code.matrix]
        dots = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows)).point(
            [255 - 255 * min(1, each) for each in range(256)]
        )
        side = len(rows) * state.qr_module
        if side > self._canvas.width:
            self._complain(f"the QR code is {side} dots wide, more than the paper's {self._canvas.width}")
        self._end_line()
        self._canvas.image(dots.resize((side, side), Image.Resampling.NEAREST), state.align)

    def _end_line(self) -> None:
        if self._line:
            self._print_line()

    def _complain(self, sentence: str) -> None:
        if len(self.complaints) < COMPLAINTS_MOST:
            self.complaints.append(sentence)


def _need(stream: bytearray, count: int) -> None:
    if len(stream) < count:
        raise _Incomplete
