"""The one thread that asks the source for bookings and reports to it what became of them.

Nobody else waits for the source: the writer gets small commands that queue behind people's, and pages read a stored
state. The thread may be killed at any moment: what was reported and what was taken is in the database.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Engine

from hub.appointments.list_state import ListState
from hub.appointments.pace import Ask, Pace
from hub.appointments.rows import failed_count, has_news, next_due
from hub.appointments.source import BookingSource, Hint, Missed, SourceAway, SourceRefuses
from hub.appointments.sync import Sync
from hub.appointments.telling import Teller
from hub.database.faults import DatabaseFault
from hub.database.statements import Reading
from hub.failures import HubFault, failure_of
from hub.metrics import Metrics
from hub.queue.answers import Answer
from hub.queue.requests import Command, Origin, PlanReports, Source
from hub.site import Site
from hub.tasks import Busy

log = structlog.get_logger(__name__)

# How often the journal is checked for news to report; a hint is handled sooner.
LOOK_S = 1.0
# How long stopping the hub waits for this thread. A call to the source may take longer, up to its own time-outs.
STOP_S = 5.0
ANSWER_LOOK_S = 0.2
PLAN_LIMIT = 200
# After this many batches the source is asked again; the rest of a long journal follows in the next second.
PLANS_MOST = 20
# The list is late after this many sync intervals without an answer, plus half a minute for the pass itself.
LATE_AFTER = 2
GRACE_S = 30
_JOB = Origin(Source.JOB, "appointments")


class Stopping(Exception):
    """The hub stops: work in progress is abandoned."""


class Worker:
    """The appointments thread.

    `do` hands a command to the writer's queue for jobs. `quiet_s` gives for how long no person has asked for anything.
    `chance` gives a random number from 0 to 1, which spreads retries.
    """

    def __init__(
        self,
        *,
        source: BookingSource,
        site: Site,
        engine: Engine,
        do: Callable[[Command], Future[Answer]],
        quiet_s: Callable[[], float],
        now_ms: Callable[[], int],
        new_code: Callable[[], str],
        metrics: Metrics,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._site = site
        self._engine = engine
        self._do = do
        self._now_ms = now_ms
        self._chance = chance
        self._metrics = metrics
        self._stopping = threading.Event()
        self._sync = Sync(source, site, self._put, quiet_s, self._stopping.wait, now_ms, new_code)
        self._teller = Teller(source, self._ask, now_ms, chance)
        self._changed: Callable[[], None] = lambda: None
        self._pace = Pace()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="appointments", daemon=True)
        self._reading = Reading(engine)
        self._as_of_ms: int | None = None
        self._late_from_ms = now_ms() + self._patience_ms
        self._reason: str | None = None
        # The reports that failed for good, at the last round that could count them.
        self._failed = 0
        # The state that pages read, and from when on its list is late. Set together, so that both are of one moment.
        self._told = ListState(source=source.title, is_file=source.is_file), self._late_from_ms
        metrics.watch_bookings(self._age_s)

    # --- from any thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. The first pass is a full one."""
        self._late_from_ms = self._now_ms() + self._patience_ms
        self._told = self._told[0], self._late_from_ms
        self.ask_pass(all_of_it=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. A running call to the source is cut short if possible."""
        self._stopping.set()
        self._wake.set()
        try:
            self._source.close()
        except Exception as error:  # noqa: BLE001 - the thread must still be joined
            self._log_fault("appointments.not_closed", error)
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.warning("appointments.left_behind", source=self._source.title)

    def ask_pass(self, *, all_of_it: bool = False) -> None:
        """Request a pass over what changed, or over everything, as soon as the source may be asked."""
        with self._lock:
            self._pace.ask(all_of_it=all_of_it)
        self._wake.set()
        # During a pass, nothing else tells the pages that the list has become late.
        self._tell_pages()

    def hint(self, hint: Hint | None) -> None:
        """The source says that something changed; None if it does not say which request."""
        with self._lock:
            self._pace.hint(hint.reference if hint else None, time.monotonic())
        self._wake.set()

    def listen(self, changed: Callable[[], None]) -> None:
        """Register `changed`, to be called when the list state may have changed. It must not block.

        It is called after each round on the worker's thread, and on the caller's thread when a pass is requested.
        """
        self._changed = changed

    @property
    def list_state(self) -> ListState:
        """The state now: a list becomes late as time passes, even during a pass."""
        state, late_from_ms = self._told
        never = state.as_of_ms is None and state.reason is not None
        return replace(state, late=never or self._now_ms() > late_from_ms)

    # --- the worker's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            more = False
            try:
                more = self._go_round()
                self._failed = failed_count(self._reading.connection(), self._site.name)
            except Stopping:
                break
            except Exception as error:  # noqa: BLE001 - whatever failed, the next round tries again
                self._lose_connection(error)
            self._tell_state()
            with self._lock:
                wait_s = self._pace.wait_s(time.monotonic(), LOOK_S)
            if not more:
                self._wake.wait(wait_s)
        self._reading.lose()

    def _go_round(self) -> bool:
        """Do what is due: plan reports, list, send one report. True if another report may be due at once.

        Reports are planned first: a listing may give a booking another ticket, and the fate of the first must be
        reported too.
        """
        self._plan()
        self._list_what_is_asked()
        return self._tell_one()

    def _list_what_is_asked(self) -> None:
        with self._lock:
            asked = self._pace.next(time.monotonic())
        if asked is None:
            return
        ask, hints = asked
        started_s = time.monotonic()
        try:
            self._list(ask, hints)
        except Stopping:
            raise
        except Exception as error:  # noqa: BLE001 - keep the list and ask again later
            self._not_listed(ask, error, time.monotonic() - started_s)
        else:
            self._listed(ask, time.monotonic() - started_s)

    def _list(self, ask: Ask, hints: tuple[str, ...]) -> None:
        connection, as_of_ms = self._reading.connection(), self._now_ms()
        match ask:
            case Ask.ALL:
                changes = self._sync.list_all(connection)
            case Ask.CHANGED:
                changes = self._sync.list_changed(connection)
            case Ask.HINTS:
                changes = self._sync.look_up(connection, [Hint(reference) for reference in hints])
        if ask is not Ask.HINTS and not self._sync.missed:
            self._as_of_ms, self._late_from_ms = as_of_ms, self._now_ms() + self._patience_ms
        if changes:
            log.info("appointments.changed", asked=ask.value, changes=changes)
        self._metrics.booking_changes(changes)

    def _listed(self, ask: Ask, seconds: float) -> None:
        self._metrics.listed(ask.value, "done", seconds)
        with self._lock:
            self._pace.listed()
        if ask is not Ask.HINTS:
            self._explain("; ".join(dict.fromkeys(each.why for each in self._sync.missed)) or None)

    def _not_listed(self, ask: Ask, error: Exception, seconds: float) -> None:
        self._metrics.listed(ask.value, _outcome(error), seconds)
        with self._lock:
            self._pace.failed(ask, time.monotonic(), self._chance())
            wait_s = self._pace.listing.opens_s - time.monotonic()
        self._explain(self._sentence(error), again_in_s=round(wait_s))
        if not isinstance(error, SourceAway | SourceRefuses | Busy):
            self._lose_connection(error)

    def _explain(self, reason: str | None, **facts: float) -> None:
        """Store and log why the list, or a part of it, is not up to date; None if it is."""
        if reason is None and self._reason is not None:
            log.info("appointments.source_back", source=self._source.title)
        elif reason != self._reason:
            log.warning("appointments.not_listed", source=self._source.title, reason=reason, **facts)
        self._reason = reason

    def _plan(self) -> None:
        """Turn journal rows of bookings into reports."""
        for _ in range(PLANS_MOST):
            if not has_news(self._reading.connection(), self._site.name, PLAN_LIMIT):
                return
            self._ask(PlanReports(origin=_JOB, limit=PLAN_LIMIT))

    def _tell_one(self) -> bool:
        with self._lock:
            may_tell = self._pace.telling.is_open(time.monotonic())
        due = next_due(self._reading.connection(), self._site.name, self._now_ms()) if may_tell else None
        if due is None:
            return False
        try:
            self._teller.send(due)
            outcome = "done"
        except SourceAway as away:
            self._metrics.told(due.kind, "away")
            with self._lock:
                self._pace.telling.fail(time.monotonic(), self._chance())
            log.warning("report.not_sent", report=due.id, reference=due.reference, reason=str(away))
            return False
        except SourceRefuses as no:
            outcome = "refused"
            facts = {"report": due.id, "reference": due.reference, "kind": due.kind.value}
            log.error("report.failed", **facts, why=no.refusal.why.value, reason=str(no))  # noqa: TRY400 - one sentence, no traceback
        except (DatabaseFault, HubFault) as fault:
            # If it stayed due, it would be retried each second, and no other report would be sent.
            self._teller.put_off(due, str(fault))
            self._metrics.told(due.kind, "failed")
            log.error("report.not_kept", report=due.id, reference=due.reference, reason=str(fault))  # noqa: TRY400 - one sentence, no traceback
            return True
        self._metrics.told(due.kind, outcome)
        with self._lock:
            self._pace.telling.open()
        return True

    # --- the state for staff --------------------------------------------------------------------------------------

    def _tell_state(self) -> None:
        state = ListState(
            source=self._source.title,
            is_file=self._source.is_file,
            as_of_ms=self._as_of_ms,
            reason=self._reason,
            behind=self._titles(self._sync.missed),
            doubted=self._titles([each for each in self._sync.missed if each in self._sync.doubted]),
            flaws=len(self._sync.flaws),
            failed=self._failed,
        )
        self._told = state, self._late_from_ms
        self._metrics.bookings(flaws=state.flaws, failed=state.failed)
        self._tell_pages()

    def _tell_pages(self) -> None:
        try:
            self._changed()
        except Exception as error:  # noqa: BLE001 - a fault of the pages must not end this thread
            self._log_fault("appointments.not_shown", error)

    def _titles(self, parts: Sequence[Missed]) -> tuple[str, ...]:
        names = {name for part in parts for name in part.services}
        return tuple(service.title for service in self._site.services if service.name in names)

    def _age_s(self) -> float:
        return (self._now_ms() - self._as_of_ms) / 1000 if self._as_of_ms is not None else -1.0

    @property
    def _patience_ms(self) -> int:
        return (LATE_AFTER * self._site.appointments.sync_every_s + GRACE_S) * 1000

    # --- helpers --------------------------------------------------------------------------------------------------

    def _ask(self, command: Command) -> Answer:
        """Hand a command to the writer and wait for its answer. Raises Busy, a Failure, or Stopping."""
        return self._put(command)()

    def _put(self, command: Command) -> Callable[[], Answer]:
        """Hand a command to the writer. Raises Busy.

        Returns a function that waits for the answer and raises a Failure or Stopping.
        """
        return partial(self._answer, self._do(command))

    def _answer(self, future: Future[Answer]) -> Answer:
        while not future.done():
            wait([future], timeout=ANSWER_LOOK_S)
            if self._stopping.is_set():
                raise Stopping
        return future.result()

    def _lose_connection(self, error: Exception) -> None:
        """Drop the database connection. The next round opens another one."""
        if not isinstance(error, Busy):
            self._log_fault("appointments.failed", error)
        self._reading.lose()

    def _log_fault(self, event: str, error: Exception) -> None:
        log.error(event, error=self._sentence(error))

    def _sentence(self, error: Exception) -> str:
        """The reason in one sentence that names nobody: for an unforeseen error, only its kind and its place."""
        if isinstance(error, SourceAway | SourceRefuses | Busy):
            return str(error)
        return str(failure_of(error, self._engine))


def _outcome(error: Exception) -> str:
    if isinstance(error, SourceAway):
        return "away"
    return "refused" if isinstance(error, SourceRefuses) else "failed"
