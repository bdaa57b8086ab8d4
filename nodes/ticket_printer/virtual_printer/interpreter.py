"""Reads a stream of ESC/POS, in pieces of any size, and puts it on the canvas.

What it does not know it says in `complaints`, and goes on: a test that wants clean bytes looks there. The commands are
those of Epson's reference that a ticket uses; their parameters and defaults are the reference's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import segno
from PIL import Image

from nodes.ticket_printer.virtual_printer.canvas import Align, Canvas, Style

ESC, GS, DLE, LF, CR, HT = 0x1B, 0x1D, 0x10, 0x0A, 0x0D, 0x09
CODE_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 19: "cp858", 71: "cp1252"}
DEFAULT_SPACING = 30
COMPLAINTS_MOST = 50
_QR_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}
# Parameters that follow a command which is read and then passed over.
_PASSED_OVER = {
    (ESC, 0x32): 0,
    (ESC, 0x70): 3,
    (ESC, 0x7B): 1,
    (ESC, 0x20): 1,
    (ESC, 0x52): 1,
    (ESC, 0x47): 1,
    (GS, 0x61): 1,
}
_ALIGNS = {0: Align.LEFT, 48: Align.LEFT, 1: Align.CENTER, 49: Align.CENTER, 2: Align.RIGHT, 50: Align.RIGHT}


class Paper(NamedTuple):
    """One piece of paper: its picture in mode `1`, and the signs printed as text, line by line."""

    image: Image.Image
    text: tuple[str, ...]


@dataclass(slots=True)
class _State:
    """What ESC @ resets."""

    style: Style = Style()
    align: Align = Align.LEFT
    page: str = "cp437"
    spacing: int = DEFAULT_SPACING
    qr_module: int = 3
    qr_level: str = "l"
    qr_text: bytes = b""


class _Incomplete(Exception):
    """The command goes on in bytes that have not come yet."""


class Interpreter:
    """`cut` is handed each paper; `answer` each byte that a command in the stream (GS r) asks for."""

    def __init__(self, width: int, cut: Callable[[Paper], None], answer: Callable[[int], None]) -> None:
        self.complaints: list[str] = []
        self._canvas = Canvas(width)
        self._cut = cut
        self._answer = answer
        self._state = _State()
        self._line: list[tuple[str, Style]] = []
        self._text: list[str] = []

    @property
    def used_dots(self) -> int:
        """Paper since the last cut."""
        return self._canvas.used_dots

    def step(self, stream: bytearray) -> bool:
        """Takes one command or sign off the front; False where it is not complete yet, or nothing is there."""
        if not stream:
            return False
        try:
            used = self._command(bytes(stream[:4]), stream)
        except _Incomplete:
            return False
        del stream[:used]
        return True

    def _command(self, head: bytes, stream: bytearray) -> int:
        first = head[0]
        if first == ESC:
            return self._escape(stream)
        if first == GS:
            return self._group(stream)
        if first == DLE:
            # Answered by the device when it came in; here it is only passed over.
            _need(stream, 3)
            return 3
        if first == LF:
            self._print_line()
        elif first == HT:
            self._sign(" ")
        elif first >= 0x20:
            self._sign(bytes([first]).decode(self._state.page, errors="replace"))
        elif first not in {CR, 0}:
            self._complain(f"control byte {first:#04x}")
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
        state = self._state
        kind = stream[1]
        if kind == ord("@"):
            self._state, self._line = _State(), []
            return 2
        if (ESC, kind) in _PASSED_OVER:
            used = 2 + _PASSED_OVER[ESC, kind]
            _need(stream, used)
            if kind == 0x32:
                state.spacing = DEFAULT_SPACING
            return used
        _need(stream, 3)
        value = stream[2]
        match chr(kind):
            case "!":
                state.style = Style(
                    font="B" if value & 0x01 else "A",
                    bold=bool(value & 0x08),
                    height=2 if value & 0x10 else 1,
                    width=2 if value & 0x20 else 1,
                    underline=bool(value & 0x80),
                    inverse=state.style.inverse,
                )
            case "E":
                state.style = replace(state.style, bold=bool(value & 1))
            case "-":
                state.style = replace(state.style, underline=value not in {0, 48})
            case "M":
                state.style = replace(state.style, font="B" if value in {1, 49} else "A")
            case "a" if value in _ALIGNS:
                state.align = _ALIGNS[value]
            case "t" if value in CODE_PAGES:
                state.page = CODE_PAGES[value]
            case "3":
                state.spacing = value
            case "d":
                self._end_line()
                self._canvas.feed(value * state.spacing)
            case "J":
                self._end_line()
                self._canvas.feed(value)
            case _:
                self._complain(f"ESC {kind:#04x} {value:#04x}")
        return 3

    def _group(self, stream: bytearray) -> int:
        _need(stream, 3)
        kind, value = stream[1], stream[2]
        match chr(kind):
            case "!":
                self._state.style = replace(self._state.style, width=1 + (value >> 4 & 7), height=1 + (value & 7))
                return 3
            case "B":
                self._state.style = replace(self._state.style, inverse=bool(value & 1))
                return 3
            case "r":
                self._answer(value)
                return 3
            case "V":
                return self._cut_paper(stream)
            case "v":
                return self._raster(stream)
            case "(":
                return self._function(stream)
        if (GS, kind) in _PASSED_OVER:
            return 2 + _PASSED_OVER[GS, kind]
        self._complain(f"GS {kind:#04x} {value:#04x}")
        return 3

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
            self._complain(f"a picture {row_bytes * 8} dots wide on a paper of {self._canvas.width}")
        if stream[2:4] != b"0\x00":
            self._complain(f"GS v {stream[2]:#04x} in mode {stream[3]}")
        elif row_bytes and rows:
            dots = Image.frombytes("1", (row_bytes * 8, rows), bytes(stream[8:used]))
            self._canvas.image(dots.convert("L").point([255 - level for level in range(256)]), self._state.align)
        return used

    def _function(self, stream: bytearray) -> int:
        _need(stream, 5)
        used = 5 + int.from_bytes(stream[3:5], "little")
        _need(stream, used)
        body = bytes(stream[5:used])
        if stream[2] == ord("k") and body[:1] == b"1" and len(body) > 2:
            self._qr(body[1], body[2:])
        else:
            self._complain(f"GS ( {stream[2]:#04x}")
        return used

    def _qr(self, function: int, values: bytes) -> None:
        state = self._state
        if function == 67:
            state.qr_module = values[0]
        elif function == 69 and values[0] in _QR_LEVELS:
            state.qr_level = _QR_LEVELS[values[0]]
        elif function == 80:
            state.qr_text = values[1:]
        elif function == 81:
            self._print_qr()
        elif function != 65:
            self._complain(f"QR function {function}")

    def _print_qr(self) -> None:
        state = self._state
        code = segno.make(state.qr_text, micro=False, error=state.qr_level, boost_error=False)
        rows = [bytes(row) for row in code.matrix]
        dots = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows)).point(
            [255 - 255 * min(1, each) for each in range(256)]
        )
        side = len(rows) * state.qr_module
        if side > self._canvas.width:
            self._complain(f"a QR code {side} dots wide on a paper of {self._canvas.width}")
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
