"""The thread that owns the printer, so that a slow or silent printer holds up nothing else."""

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from nodes.ticket_printer.events import Print, PrintEnded, PrinterLooked, PrintTest
from nodes.ticket_printer.paper import Style, paper
from nodes.ticket_printer.printer import Outcome, Printer, Result
from nodes.ticket_printer.slip import slip_of
from nodes.ticket_printer.status import Condition, Fault
from nodes.ticket_printer.ticket import Ticket, test_ticket, ticket_of
from nodes.ticket_printer.words import Words
from protocol.messages import CheckInReply

LOOK_S = 3.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Look:
    """An empty job: the printer is looked at after every job."""


class Printing:
    """Does Print and PrintTest, and looks at the printer in between; `put` gets the events of both.

    `close` waits for the paper under way.
    """

    def __init__(
        self, printer: Printer, style: Style, profile: str, words: Words, put: Callable[[object], None]
    ) -> None:
        self._printer = printer
        self._style = style
        self._profile = profile
        self._words = words
        self._put = put
        # Always short: the core has one paper under way at a time, and at most one look waits.
        self._jobs: queue.SimpleQueue[Print | PrintTest | _Look | None] = queue.SimpleQueue()
        self._condition: Condition | None = None
        self._logged: Condition | None = None
        self._error = ""
        self._thread = threading.Thread(target=self._serve, name="printer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def perform(self, job: Print | PrintTest) -> None:
        self._jobs.put(job)

    def look_now(self) -> None:
        """Look at the printer as soon as the paper under way is done: something is known to have changed."""
        # A waiting job is followed by a look anyway.
        if self._jobs.empty():
            self._jobs.put(_Look())

    def close(self, timeout_s: float) -> None:
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        self._look()
        while True:
            try:
                job = self._jobs.get(timeout=LOOK_S)
            except queue.Empty:
                self._look()
                continue
            if job is None:
                self._printer.close()
                return
            if not isinstance(job, _Look):
                self._do(job)
            self._look()

    def _do(self, job: Print | PrintTest) -> None:
        request_id = job.id if isinstance(job, Print) else None
        result = self._print(job)
        _log.info("ticket.ended", id=request_id, outcome=result.outcome.value, fault=result.fault)
        self._put(PrintEnded(request_id, result.outcome, result.fault))
        # The core now knows the printer by this result, so the next look is reported whatever it finds.
        self._condition = None

    def _print(self, job: Print | PrintTest) -> Result:
        try:
            data = paper(self._ticket(job), self._style, self._profile)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next ticket may be drawn
            # A ticket that cannot be drawn has not come out: the hub takes it back.
            _log.exception("ticket.not_drawn", reason=str(error))
            return Result(Outcome.NOT_PRINTED)
        try:
            return self._printer.print(data)
        except Exception as error:  # noqa: BLE001 - nobody else would serve the printer
            self._gave_up(error)
            return Result(Outcome.UNKNOWN)

    def _ticket(self, job: Print | PrintTest) -> Ticket:
        if isinstance(job, PrintTest):
            return test_ticket(job.config, job.at_ms, self._words)
        if isinstance(job.reply, CheckInReply):
            return slip_of(job.reply, job.config, self._words, job.at_ms, duplicate=job.duplicate)
        return ticket_of(job.reply, job.config, self._words, duplicate=job.duplicate)

    def _look(self) -> None:
        condition = self._looked()
        if condition != self._logged:
            self._logged = condition
            _log.info("printer.looked", answered=condition.answered, fault=condition.fault, near_end=condition.near_end)
        if condition != self._condition:
            self._condition = condition
            self._put(PrinterLooked(condition))

    def _looked(self) -> Condition:
        try:
            return self._printer.look()
        except Exception as error:  # noqa: BLE001 - nobody else would serve the printer
            self._gave_up(error)
            return Condition(False, Fault.UNREACHABLE)

    def _gave_up(self, error: Exception) -> None:
        """Close the wire. An error that repeats at each look is logged once."""
        if repr(error) != self._error:
            self._error = repr(error)
            _log.exception("printer.failed", reason=self._error)
        with contextlib.suppress(Exception):
            self._printer.close()
