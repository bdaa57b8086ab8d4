"""Reports to the source what became of a booking: once, whatever breaks in between.

A w.c.s. trigger called twice may jump twice. So the request's status is stored before the first try. If it is unclear
whether a try was done (after a time-out or a crash), the status shows it.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog

from hub.appointments.rows import Due
from hub.appointments.source import BookingGone, BookingSource, SourceAway, SourceRefuses
from hub.appointments.source_refusal import written
from hub.backoff import wait_s
from hub.queue.answers import Answer, DoneAnswer
from hub.queue.reports import ReportKind, ReportState
from hub.queue.requests import BeginReport, Command, EndReport, Origin, Source

log = structlog.get_logger(__name__)

T = TypeVar("T")

_JOB = Origin(Source.JOB, "appointments")


class Teller:
    """Sends one report at a time. `ask` hands a command to the writer's queue for jobs and waits for its answer."""

    def __init__(
        self,
        source: BookingSource,
        ask: Callable[[Command], Answer],
        now_ms: Callable[[], int],
        chance: Callable[[], float],
    ) -> None:
        self._source = source
        self._ask = ask
        self._now_ms = now_ms
        self._chance = chance
        self._not_wanted = set[ReportKind]()

    def send(self, due: Due) -> None:
        """Send the report. Raises SourceAway if it will be retried and SourceRefuses if not, once that is recorded."""
        if self._is_kept_back(due):
            self._ask(EndReport(origin=_JOB, report=due.id, dropped=True))
            return
        try:
            self._tell(due)
        except BookingGone:
            self._ask(EndReport(origin=_JOB, report=due.id, dropped=True))
            return
        except SourceAway as away:
            undone = due.state is not ReportState.TRYING and not away.perhaps_done
            self.put_off(due, str(away), undone=undone)
            raise
        except SourceRefuses as no:
            self._ask(EndReport(origin=_JOB, report=due.id, error=written(no.refusal)))
            raise
        self._ask(EndReport(origin=_JOB, report=due.id))

    def put_off(self, due: Due, error: str, *, undone: bool = False) -> None:
        """Retry later, after a longer wait each time. `undone`: the try certainly did not reach the source."""
        again_ms = self._now_ms() + int(wait_s(due.attempts + 1, self._chance()) * 1000)
        self._ask(EndReport(origin=_JOB, report=due.id, error=error, again_ms=again_ms, undone=undone))

    def _is_kept_back(self, due: Due) -> bool:
        """Whether it is not sent at all: the source takes no such reports, or it would end another booking."""
        if not self._source.tells(due.kind):
            if due.kind not in self._not_wanted:
                log.info("report.not_wanted", kind=due.kind.value)
            self._not_wanted.add(due.kind)
            return True
        if due.ends_another:
            facts = {"report": due.id, "reference": due.reference, "kind": due.kind.value}
            log.warning(
                "report.not_told",
                **facts,
                reason="its request has another booking that is still in force, which the report would end too",
            )
        return due.ends_another

    def _tell(self, due: Due) -> None:
        uncertain = due.state is ReportState.TRYING
        status = self._status(due)
        if uncertain and _has_moved(due, status):
            return
        if not self._begin(due, status):
            return
        try:
            _at(lambda: self._source.tell(due.reference, due.booking, due.kind))
        except SourceRefuses as no:
            # The status does not offer this step. That is also so if an earlier try arrived after we read the status.
            if not (uncertain and no.not_offered and _has_moved(due, self._status(due))):
                raise

    def _begin(self, due: Due, status: str | None) -> bool:
        """False if it must no longer be sent: the visitor came after all, or an agent reopened the visit."""
        answer = self._ask(BeginReport(origin=_JOB, report=due.id, status_before=status))
        return isinstance(answer, DoneAnswer) and answer.count == 1

    def _status(self, due: Due) -> str | None:
        return _at(lambda: self._source.status_of(due.reference, due.booking, due.kind))


def _has_moved(due: Due, status: str | None) -> bool:
    """Whether the request has left the status it was in before the first try."""
    return None not in {due.status_before, status} and status != due.status_before


def _at(source: Callable[[], T]) -> T:
    """Call the source. An unforeseen error counts as SourceAway: otherwise it would be retried each second."""
    try:
        return source()
    except (SourceAway, SourceRefuses, BookingGone):
        raise
    except Exception as error:
        log.exception("report.answer_not_read")
        raise SourceAway(f"the answer could not be processed: {type(error).__name__}", perhaps_done=True) from error
