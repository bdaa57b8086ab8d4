"""Prints a paper and reports the outcome: printed, not printed, or unknown. Everything has a deadline.

Before a paper the printer is asked with DLE EOT, which a printer that answers at all answers at once. After the paper
comes GS r as a fence, which is answered only once everything before it has been taken, and one more fence for each
answer that an earlier paper may still be owed. A silent printer is unknown, never out of paper. A printer that has
answered before and then stalls in the middle of a paper gets no more of them until it answers again.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from nodes.disk import sync_folder
from nodes.ticket_printer.paper import FEED_AND_PART_CUT, RESET
from nodes.ticket_printer.status import (
    FENCE,
    STATUS_BACK_OFF,
    Ask,
    Condition,
    Fault,
    condition_of,
    is_answer,
    is_fence,
    offline,
    question,
    says_trouble,
)
from nodes.ticket_printer.wires import Wire, WireBroken, WireRefused, WireStalled

_log = structlog.get_logger()

ANSWER_MS = 300
# Once all is sent, kernel and printer hold at most 16 KiB before the fence, which take less than this at 19200 baud.
FENCE_MS = 10_000
# The wait for a fence if the printer answers nothing else, or has answered none of its first FENCES_TRIED fences.
SHORT_FENCE_MS = 700
FENCES_TRIED = 3
# What three papers in a row owe if none of their fences is answered.
FENCES_OWED_MOST = 7
# While the fence is awaited, a silent printer is asked this often whether it is still online.
WATCH_MS = 700
# A wire gets room again in steps of 4 KiB, which take 4.3 s at 9600 baud and 0.1 s on USB or Ethernet.
STALLED_MS = 5_000
REOPEN_LEAST_MS, REOPEN_MOST_MS = 1_000, 15_000
# After this many answers in a row that may belong to earlier questions, one of those will never be answered.
UNCLEAR_MOST = 4
# A printer that ignores a question this often in a row, just after answering another one, does not know it.
QUESTIONS_TRIED = 3
# Completes a picture that broke off with white, so that the next ticket is not read as part of it: a band has at most
# 96 rows of 72 bytes. Then cuts off what is on the paper.
RECOVERY = bytes(96 * 72) + RESET + FEED_AND_PART_CUT


class Outcome(StrEnum):
    PRINTED = "printed"
    UNKNOWN = "unknown"  # some or all of it may have come out
    NOT_PRINTED = "not_printed"  # nothing came out


class NotDueYet(WireRefused):
    """The printer could not be opened a moment ago; the next attempt comes later."""


@dataclass(frozen=True, slots=True)
class Result:
    outcome: Outcome
    fault: Fault | None = None


class Printer:
    """One printer behind a wire that is reopened when it breaks. `clock_ms` is monotonic. Not thread-safe.

    `mark`: a file that exists while the printer may be waiting for the rest of a paper, so that the next run knows.
    """

    def __init__(self, open_wire: Callable[[], Wire], clock_ms: Callable[[], int], mark: Path | None = None) -> None:
        self._open_wire = open_wire
        self._clock_ms = clock_ms
        self._wire: Wire | None = None
        self._reopen_at_ms = 0
        self._reopen_delay_ms = REOPEN_LEAST_MS
        self._owed = self._unclear = 0
        self._unanswered: Counter[Ask] = Counter()
        self._fences_missed = 0
        self._fences_known = False
        self._has_answered = False
        self._stalled = False
        # The reason logged last, since the printer last answered.
        self._logged = ""
        self._mark = mark
        self._broke_off = mark is not None and mark.exists()
        self._fences_owed = int(self._broke_off)

    def look(self) -> Condition:
        """The printer's condition; its fault is `UNREACHABLE` if there is no wire to it."""
        if self._unclear >= UNCLEAR_MOST:
            # An answer was lost, not late. On a new wire no answer is owed.
            self._drop()
        try:
            return self._condition(self._opened())
        except (WireBroken, WireRefused) as error:
            self._drop()
            return Condition(False, self._fault_of(error))

    def print(self, data: bytes) -> Result:
        """Send the whole paper once and wait for its outcome."""
        try:
            before = self._condition(self._opened_afresh())
        except (WireBroken, WireRefused) as error:
            self._drop()
            return Result(Outcome.NOT_PRINTED, self._fault_of(error))
        if before.fault is not None:
            return Result(Outcome.NOT_PRINTED, before.fault)
        result = self._send(self._opened(), data, answers=before.answered)
        if result.outcome is not Outcome.PRINTED:
            # A closed connection loses the answers still under way; a device may deliver them later.
            self._drop()
        return result

    def close(self) -> None:
        self._drop()

    def _send(self, wire: Wire, data: bytes, *, answers: bool) -> Result:
        before = self._broke_off
        # When the paper runs out, an unanswered fence stays in the printer: a new wire does not clear it, switching off
        # does. So send one fence more than is owed: as many answers prove this paper, whether old ones come or not.
        fences = 1 + min(self._fences_owed, FENCES_OWED_MOST)
        whole = (RECOVERY if before else b"") + data + fences * FENCE
        try:
            self._drain(wire)
            self._fences_owed = 2 * fences - 1
            self._note(broke_off=True)
            wire.send(whole, STALLED_MS)
        except WireBroken as error:
            fault = self._fault_of(error)
            if error.sent == 0:
                self._note(broke_off=before)
                self._fences_owed = fences - 1
                return Result(Outcome.NOT_PRINTED, fault)
            return Result(Outcome.UNKNOWN, self._fault_after(wire, fault))
        try:
            result = self._await_fence(wire, fences, self._patience_ms(answers=answers))
        except WireBroken as error:
            # How much the printer took before the wire broke is unknown.
            return Result(Outcome.UNKNOWN, self._fault_of(error))
        self._note(broke_off=False)
        # A printer that never answers has been reached if it took a whole paper.
        self._logged = ""
        return result

    def _note(self, *, broke_off: bool) -> None:
        self._broke_off = broke_off
        if self._mark is None:
            return
        try:
            if broke_off:
                self._mark.touch()
                sync_folder(self._mark.parent)
            else:
                self._mark.unlink(missing_ok=True)
        except OSError as error:
            # Only the next run is misled by this, so the paper is printed.
            _log.warning("printer.not_marked", path=str(self._mark), reason=str(error))

    def _patience_ms(self, *, answers: bool) -> int:
        fences = self._fences_known or self._fences_missed < FENCES_TRIED
        return FENCE_MS if answers and fences else SHORT_FENCE_MS

    def _await_fence(self, wire: Wire, fences: int, patience_ms: int) -> Result:
        """Wait until fewer answers are owed than this paper has fences: then one of its own has been answered."""
        if not wire.answers:
            self._fences_owed = 0
            return Result(Outcome.UNKNOWN)
        until_ms = self._clock_ms() + patience_ms
        heard, stood_still = patience_ms < FENCE_MS, False
        while self._fences_owed >= fences:
            left_ms = until_ms - self._clock_ms()
            if left_ms <= 0 and not heard:
                # It answered just before the paper and nothing since: the questions wait behind a full buffer.
                raise WireStalled(len(FENCE), 0, patience_ms)
            if left_ms <= 0 and patience_ms == FENCE_MS:
                self._fences_missed += 1
                # If the printer was online all that time, the missing answers will not come any more.
                self._fences_owed = self._fences_owed if stood_still else 0
            if left_ms <= 0:
                return Result(Outcome.UNKNOWN)
            answers = self._hear(wire, min(left_ms, WATCH_MS))
            heard = heard or any(map(is_answer, answers))
            if any(is_answer(byte) and offline(byte) for byte in answers):
                stood_still = True
                fault = self._condition(wire).fault
                if fault is not None and self._fences_owed >= fences:
                    return Result(Outcome.UNKNOWN, fault)
            if not answers:
                wire.send(question(Ask.PRINTER), STALLED_MS)
                self._owed += 1
        # Other fence answers, if any, follow at once.
        self._fences_owed, self._fences_known = 0, True
        return Result(Outcome.PRINTED)

    def _fault_after(self, wire: Wire, fault: Fault) -> Fault:
        try:
            return self._condition(wire).fault or fault
        except WireBroken:
            return fault

    def _fault_of(self, error: WireBroken | WireRefused) -> Fault:
        """The fault of a broken wire, whose reason is logged once. A stall is remembered until the printer answers,
        unless it has never answered: then only a ticket can show whether it is well."""
        if not isinstance(error, NotDueYet) and str(error) != self._logged:
            self._logged = str(error)
            _log.warning("printer.connection_failed", reason=self._logged)
        stalled = isinstance(error, WireStalled)
        self._stalled = self._stalled or (stalled and self._has_answered)
        return Fault.STALLED if stalled or self._stalled else Fault.UNREACHABLE

    # --- asking ---

    def _condition(self, wire: Wire) -> Condition:
        printer = self._ask(wire, Ask.PRINTER)
        if printer is None and self._stalled:
            raise WireStalled(len(question(Ask.PRINTER)), 0, ANSWER_MS)
        if printer is None:
            return Condition()
        self._has_answered, self._stalled, self._logged = True, False, ""
        cause = self._ask_further(wire, Ask.CAUSE) if offline(printer) else None
        return condition_of(printer, cause, self._ask_further(wire, Ask.PAPER))

    def _ask_further(self, wire: Wire, ask: Ask) -> int | None:
        """Ask, unless an answer is owed or the printer never answers this: later answers would become unclear."""
        if self._owed or self._unanswered[ask] >= QUESTIONS_TRIED:
            return None
        answer = self._ask(wire, ask)
        self._unanswered[ask] = self._unanswered[ask] + 1 if answer is None else 0
        return answer

    def _ask(self, wire: Wire, ask: Ask) -> int | None:
        """The answer, or None if the printer is silent. Trouble is believed only if reported twice in a row."""
        answer = self._ask_once(wire, ask)
        if answer is None or not says_trouble(ask, answer):
            return answer
        return self._ask_once(wire, ask)

    def _ask_once(self, wire: Wire, ask: Ask) -> int | None:
        if not wire.answers:
            return None
        self._drain(wire)
        earlier = self._owed
        wire.send(question(ask), ANSWER_MS)
        self._owed += 1
        until_ms = self._clock_ms() + ANSWER_MS
        while (left_ms := until_ms - self._clock_ms()) > 0:
            answers = [byte for byte in self._hear(wire, left_ms) if is_answer(byte)]
            if answers and earlier:
                # It is unknown whether this answers the question or an earlier one.
                self._unclear += 1
                return None
            if answers:
                self._unclear = 0
                return answers[-1]
        return None

    def _drain(self, wire: Wire) -> None:
        while wire.answers and self._hear(wire, 0):
            pass

    def _hear(self, wire: Wire, timeout_ms: int) -> bytes:
        """Receive bytes and subtract their answers from those owed."""
        came = wire.receive(timeout_ms)
        self._owed = max(0, self._owed - sum(map(is_answer, came)))
        self._fences_owed = max(0, self._fences_owed - sum(map(is_fence, came)))
        return came

    # --- the wire ---

    def _opened(self) -> Wire:
        if self._wire is not None:
            return self._wire
        now_ms = self._clock_ms()
        if now_ms < self._reopen_at_ms:
            raise NotDueYet("the next attempt to open the printer is not due yet")
        self._reopen_at_ms = now_ms + self._reopen_delay_ms
        self._reopen_delay_ms = min(2 * self._reopen_delay_ms, REOPEN_MOST_MS)
        try:
            wire = self._wire = self._open_wire()
        except WireRefused:
            # The printer that comes back may be another one.
            self._unanswered.clear()
            raise
        self._owed = self._unclear = 0
        wire.send(STATUS_BACK_OFF, ANSWER_MS)
        self._reopen_at_ms, self._reopen_delay_ms = 0, REOPEN_LEAST_MS
        return wire

    def _opened_afresh(self) -> Wire:
        """The open wire, or a new one at once if the open one turns out to be dead."""
        try:
            wire = self._opened()
            self._drain(wire)
        except WireBroken:
            self._drop()
            return self._opened()
        return wire

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
