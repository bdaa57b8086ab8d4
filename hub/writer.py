"""One queue, one thread, one transaction: all that changes state goes through here.

The writer takes what stands in the queue (64 at most), runs it in one transaction, commits once, then hands on what
follows (what sounds goes out first), then answers. A commit that fails answers nobody with yes. One command that meets
a database error takes its batch back, and the batch is run again one by one, so that its failure is its own; but not
where another program holds what it needs: each would only wait as long again, and who stands behind them too. One that
stood alone and lost its connection is run once more too: its commit may have become durable, then its id gives the
first answer, and nobody is told that nothing changed. What stood for so long that nobody waits for it any more, in the
queue or in a database that answers nothing, is not done: a press must call nobody long after.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Engine

from hub.database.engine import open_driver_connection
from hub.database.faults import DatabaseBusy, DatabaseFault, DatabaseLocked, place_of
from hub.database.statements import Connection
from hub.failures import HubFault, failure_of
from hub.metrics import Metrics, Outcome
from hub.queue.answers import Answer, RefusedAnswer
from hub.queue.commands.dispatch import STATEMENTS, run
from hub.queue.transaction import Effects, GivesWay, Work
from hub.site_index import SiteIndex
from hub.tasks import Entry, Task, Tasks

log = structlog.get_logger(__name__)

A = TypeVar("A")

# Every statement and every message lets go of the interpreter and waits for it again: not for the 5 ms that a thread
# which draws pictures or pages may keep it by default.
SWITCH_S = 0.0002
# At the end of the hub: so long at one batch, and the database is not slow but does not answer.
STANDS_STILL_S, STOP_LOOK_S = 10.0, 0.5


@dataclass(frozen=True, slots=True)
class Committed:
    """One command of a batch that is durable now."""

    answer: Answer
    effects: Effects
    outcome: Outcome


class _TooLate(Exception):
    """By the time it was run, nobody waits any more for some of a batch: all of it is taken back."""


class Writer:
    """Runs commands. `after_commit` gets each batch's effects, in commit order, on the writer's thread.

    `after_loss` gets the new connection after one was lost, before anything is done on it: a commit whose answer was
    lost with it may have become durable, and its effects told nobody.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        index: SiteIndex,
        now_ms: Callable[[], int],
        mean_visit_ms: Callable[[str], int | None],
        after_commit: Callable[[Sequence[Committed]], None],
        metrics: Metrics,
        after_loss: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._index = index
        self._now_ms = now_ms
        self._mean_visit_ms = mean_visit_ms
        self._after_commit = after_commit
        self._after_loss = after_loss
        self._metrics = metrics
        self._tasks = Tasks()
        self._connection: Connection | None = None
        self._lost = False
        # Why something was not stored, until somebody finds that it can be.
        self.fault: DatabaseFault | None = None
        self._at_work_since_s: float | None = None
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        metrics.watch_queue("people", self._tasks.of_people)
        metrics.watch_queue("jobs", self._tasks.of_jobs)

    def start(self) -> None:
        """Raises a DatabaseFault where the database can't be opened."""
        self._connect().compile(STATEMENTS)
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def stop(self) -> None:
        """Does what stands in the queue, then ends. It is left to itself where the database stands still."""
        self._tasks.end()
        while self._thread.is_alive():
            self._thread.join(STOP_LOOK_S)
            at_work_s = self.at_work_s
            if at_work_s > STANDS_STILL_S:
                log.warning("writer.left_behind", at_work_s=round(at_work_s))
                return
        self._disconnect()

    def put(self, entry: Entry) -> None:
        """Queues a person's command. Raises Busy where the queue is full or the hub is stopping."""
        self._tasks.put(entry)

    def put_later(self, task: Task) -> None:
        """Queues a command of sync, jobs or retention, which lets people's commands go first."""
        self._tasks.put_later(task)

    @property
    def quiet_s(self) -> float:
        """How long no person's command has come."""
        return self._tasks.quiet_s

    @property
    def at_work_s(self) -> float:
        """How long it has been at what it took last; 0 where it waits for more."""
        since_s = self._at_work_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    # --- the writer's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            tasks = self._tasks.take()
            self._at_work_since_s = time.monotonic()
            self._do(tasks)
            later = self._tasks.take_later()
            if later:
                self._do(later, gives_way=len(later) == 1 and later[0].may_wait)
            self._at_work_since_s = None
            if self._tasks.is_over:
                return

    def _do(self, tasks: Sequence[Task], *, gives_way: bool = False, again: bool = False) -> None:
        started = time.perf_counter()
        # What may be durable is looked for however late it is.
        tasks = tasks if again else self._still_wanted(tasks)
        if not tasks:
            return
        try:
            connection = self._begin()
        except Exception as error:  # noqa: BLE001 - no command's fault: each would only wait for the same again
            self._recover(error)
            self._fail_all(tasks, error)
            if isinstance(failure_of(error, self._engine), DatabaseLocked):
                self._fail_all(self._tasks.take_standing(), error)
            return
        try:
            committed = self._commit(connection, tasks, self._tasks.people_wait if gives_way else _nobody_waits)
        except GivesWay:
            self._tasks.give_back(tasks[0])
            return
        except _TooLate as error:
            # At once, not singly: where the database is slow, all that stands behind them would be late as well.
            self._recover(error)
            self._do(tasks)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch is taken back and done singly
            self._take_back(tasks, error, again=again)
            return
        _call(self._after_commit, committed)
        for task, done in zip(tasks, committed, strict=True):
            _call(task.answered, done.answer)
        self._count(tasks, committed, time.perf_counter() - started)

    def _begin(self) -> Connection:
        connection = self._connection or self._connect()
        connection.begin()
        return connection

    def _commit(
        self, connection: Connection, tasks: Sequence[Task], people_wait: Callable[[], bool]
    ) -> list[Committed]:
        committed = []
        for task in tasks:
            origin = task.command.origin
            work = Work(connection, self._index, self._now_ms(), origin, self._mean_visit_ms, people_wait)
            try:
                answer = run(work, task.command)
            except GivesWay:
                # There is nothing to roll back, and psycopg's prepared statements would go with it.
                connection.commit()
                raise
            committed.append(Committed(answer, work.effects, _outcome(work, answer)))
        # An answer that was durable before is told all the same.
        if any(task.is_late and done.outcome is Outcome.DONE for task, done in zip(tasks, committed, strict=True)):
            raise _TooLate
        connection.commit()
        return committed

    def _still_wanted(self, tasks: Sequence[Task]) -> list[Task]:
        """Those that are not late; the others fail."""
        wanted = []
        for task in tasks:
            if task.is_late:
                cause = f"what was asked for stood for {task.waited_s:.0f} s"
                self._fail(task, DatabaseBusy(place_of(self._engine.url), cause))
            else:
                wanted.append(task)
        return wanted

    def _count(self, tasks: Sequence[Task], committed: Sequence[Committed], seconds: float) -> None:
        self._metrics.batch(len(tasks), seconds)
        for task, done in zip(tasks, committed, strict=True):
            self._metrics.command(task.kind, done.outcome, task.waited_s)
            if isinstance(done.answer, RefusedAnswer) and done.outcome is Outcome.REFUSED:
                self._metrics.refused(done.answer.code)

    def _take_back(self, tasks: Sequence[Task], error: Exception, *, again: bool) -> None:
        self._recover(error)
        if len(tasks) == 1 and (again or not self._may_stand_unanswered(tasks[0])):
            self._fail(tasks[0], error)
            return
        if isinstance(failure_of(error, self._engine), DatabaseLocked):
            self._fail_all(tasks, error)
            return
        try:
            if self._connection is None:
                self._connect()
        except Exception as fault:  # noqa: BLE001 - no command's fault: each would only wait for the same again
            self._fail_all(tasks, fault)
            return
        for task in tasks:
            self._do([task], again=True)

    def _may_stand_unanswered(self, task: Task) -> bool:
        """Whether the commit may have become durable and its answer lost, and a second run would give that answer."""
        return self._connection is None and task.command.origin.request is not None

    def _fail_all(self, tasks: Sequence[Task], error: Exception) -> None:
        for task in tasks:
            self._fail(task, error)

    def _fail(self, task: Task, error: Exception) -> None:
        fault = failure_of(error, self._engine)
        if isinstance(fault, DatabaseFault):
            self.fault = fault
            self._metrics.database_error(fault)
        self._metrics.command(task.kind, Outcome.FAILED, task.waited_s)
        log.error(
            "command.failed",
            command=task.kind,
            error=str(fault),
            exc_info=error if isinstance(fault, HubFault) else None,
        )
        _call(task.failed, fault)

    def _recover(self, error: Exception) -> None:
        """Rolls back; a connection that can't even do that is thrown away and opened anew by the next batch."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except Exception as second:  # noqa: BLE001 - the connection is of no use, whatever the reason
            reasons = [str(failure_of(each, self._engine)) for each in (error, second)]
            log.warning("database.connection_lost", error=reasons[0], then=reasons[1])
            self._lose()
            return
        if getattr(self._connection.raw, "closed", False):
            self._lose()

    def _connect(self) -> Connection:
        connection = Connection(open_driver_connection(self._engine), self._engine.dialect)
        if self._lost:
            try:
                self._after_loss(connection)
            except BaseException:
                connection.close()
                raise
            self._lost = False
        self._connection = connection
        return connection

    def _lose(self) -> None:
        self._lost = True
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _nobody_waits() -> bool:
    return False


def _call(callback: Callable[[A], None], value: A) -> None:
    """Whoever is told may be gone (a loop that ended, a page that left): what is committed stays so."""
    try:
        callback(value)
    except Exception:
        log.exception("answer.not_taken")


def _outcome(work: Work, answer: Answer) -> Outcome:
    if work.repeated:
        return Outcome.REPEATED
    return Outcome.REFUSED if isinstance(answer, RefusedAnswer) else Outcome.DONE
