"""Decodes a printer's status bytes. Pure. A byte's fixed bits tell which command it answers.

Source: Epson's ESC/POS reference for DLE EOT and GS r; the Citizen and Bematech manuals for the fixed bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from protocol.messages import NodeWarning

FENCE = b"\x1dr\x01"
STATUS_BACK_OFF = b"\x1da\x00"

_EOT_MASK, _EOT_BITS = 0x93, 0x12
_GROUP_MASK = 0x90
_OFFLINE = 0x08
_COVER_OPEN = 0x04
_PAPER_STOP = 0x20
_ERROR = 0x40
_PAPER_END = 0x60
_NEAR_END = 0x0C


class Ask(IntEnum):
    """The n of DLE EOT n."""

    PRINTER = 1
    CAUSE = 2
    PAPER = 4


class Fault(StrEnum):
    """Why nothing can be printed, as telemetry's warnings say it."""

    PAPER_OUT = NodeWarning.PAPER_OUT.value
    COVER_OPEN = NodeWarning.COVER_OPEN.value
    ERROR = NodeWarning.PRINTER_ERROR.value
    OFFLINE = NodeWarning.PRINTER_OFFLINE.value
    # Most printers stall when the paper runs out in the middle of a ticket and their buffer is full.
    STALLED = (
        f"{NodeWarning.PRINTER_OFFLINE.value}: it takes no data and does not answer: no paper, an open cover, or it "
        "hangs"
    )
    UNREACHABLE = NodeWarning.PRINTER_UNREACHABLE.value


@dataclass(frozen=True, slots=True)
class Condition:
    """The printer's condition. `answered` False: it is silent and nothing is known; never read as 'no paper'."""

    answered: bool = False
    fault: Fault | None = None
    near_end: bool = False

    @property
    def warnings(self) -> Iterator[str]:
        if self.fault is not None:
            yield self.fault.value
        elif not self.answered:
            yield NodeWarning.PRINTER_SILENT
        if self.near_end:
            yield NodeWarning.PAPER_NEAR_END


def question(ask: Ask) -> bytes:
    return bytes((0x10, 0x04, ask))


def is_answer(byte: int) -> bool:
    """Whether the byte answers DLE EOT: 0xx1xx10."""
    return byte & _EOT_MASK == _EOT_BITS


def is_fence(byte: int) -> bool:
    """Whether the byte answers GS r: 0xx0xxxx. XON and XOFF do not match."""
    return byte & _GROUP_MASK == 0


def says_trouble(ask: Ask, answer: int) -> bool:
    """Whether to ask again: an answer that lags one question behind may look like trouble that is not there."""
    trouble = {Ask.PRINTER: _OFFLINE, Ask.CAUSE: _COVER_OPEN | _PAPER_STOP | _ERROR, Ask.PAPER: _PAPER_END | _NEAR_END}
    return bool(answer & trouble[ask])


def offline(answer: int) -> bool:
    """Whether this answer to `Ask.PRINTER` says offline."""
    return bool(answer & _OFFLINE)


def condition_of(printer: int, cause: int | None, paper: int | None) -> Condition:
    """Combine the three answers.

    An open cover counts only if the printer says that it is offline: some clones answer 0x16 to everything.
    """
    paper_end = paper is not None and paper & _PAPER_END == _PAPER_END
    near_end = paper is not None and paper & _NEAR_END == _NEAR_END
    if not offline(printer):
        return Condition(True, Fault.PAPER_OUT if paper_end else None, near_end)
    if cause is not None and cause & _COVER_OPEN:
        return Condition(True, Fault.COVER_OPEN, near_end)
    if paper_end or (cause is not None and cause & _PAPER_STOP):
        return Condition(True, Fault.PAPER_OUT, near_end)
    if cause is not None and cause & _ERROR:
        return Condition(True, Fault.ERROR, near_end)
    return Condition(True, Fault.OFFLINE, near_end)
