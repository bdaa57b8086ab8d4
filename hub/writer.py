"""One queue, one thread, one transaction: every command that changes state goes through the writer.

The writer takes up to 64 commands from the queue, runs them in one transaction, commits once, hands on their effects
(announcements go out first), then answers.

- If the commit fails, no command of the batch is answered as done.
- If a command meets a database error, the batch is rolled back and its commands are run again one by one, so that only
  the faulty one fails. This is not done while another program holds a lock: each command would wait for it again, and
  so would everything queued behind.
- If a single command with a request id loses the connection, it is run once more. Its commit may have become durable;
  then the id finds the first answer, and nobody is told that nothing changed.
- A command whose sender has stopped waiting, in the queue or for a database that does not answer, is dropped: a press
  must not call anybody long after it was made. But if its first answer is durable, that answer is given.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeVar

import structlog
from sqlalchemy import Engine

from hub.database.engine import open_driver_connection
from hub.database.faults import DatabaseBusy, DatabaseFault, DatabaseLocked, place_of
from hub.database.statements import Connection
from hub.failures import HubFault, failure_of
from hub.metrics import Metrics, Outcome
from hub.queue import store
from hub.queue.answers import Answer, RefusedAnswer
from hub.queue.commands.dispatch import STATEMENTS, run
from hub.queue.transaction import Effects, GivesWay, Work
from hub.rate import Rate
from hub.site_index import SiteIndex
from hub.tasks import Busy, Entry, Task, Tasks
from protocol.link import monotonic_ms

log = structlog.get_logger(__name__)

A = TypeVar("A")

# The writer gives up the interpreter lock at every statement and message, then waits for it again. By default a thread
# that draws pictures or pages may keep it for 5 ms, which is too long.
SWITCH_S = 0.0002
# When the hub stops: if a batch has taken this long, the database does not answer at all.
STANDS_STILL_S, STOP_LOOK_S = 10.0, 0.5
# A flood of commands that fail raises a counter, but does not fill the disk with log lines.
FAILED_LINES_MOST, FAILED_LINES_WITHIN_MS = 50, 10_000


@dataclass(frozen=True, slots=True)
class Committed:
    """One command of a batch that is durable now."""

    answer: Answer
    effects: Effects
    outcome: Outcome


class _TooLate(Exception):
    """Nobody waits any more for some command of the batch that was just run: the whole batch is rolled back."""


class Writer:
    """Runs commands. `after_commit` gets each batch's effects, in commit order, on the writer's thread.

    `after_loss` gets the new connection after one was lost, before it is used for commands: the last commit may have
    become durable although its confirmation was lost, and then nobody has been told of its effects.
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
        # Why a command was not stored. `Hub` clears it once it finds that storing works again.
        self.fault: DatabaseFault | None = None
        self._failed_lines = Rate(FAILED_LINES_MOST, FAILED_LINES_WITHIN_MS)
        self._at_work_since_s: float | None = None
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        metrics.watch_queue("people", self._tasks.of_people)
        metrics.watch_queue("jobs", self._tasks.of_jobs)

    def start(self) -> None:
        """Connects and starts the thread. Raises a DatabaseFault if the database can't be opened."""
        self._connect().compile(STATEMENTS)
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is queued, then ends the thread. If the database does not answer, leaves the thread behind."""
        self._tasks.end()
        while self._thread.is_alive():
            self._thread.join(STOP_LOOK_S)
            at_work_s = self.at_work_s
            if at_work_s > STANDS_STILL_S:
                log.warning("writer.left_behind", at_work_s=round(at_work_s))
                return
        self._disconnect()

    def put(self, entry: Entry) -> None:
        """Queues a command of a person or node. Raises Busy if the queue is full or the hub is stopping."""
        self._tasks.put(entry)

    def put_later(self, task: Task) -> None:
        """Queues a command of sync, jobs or retention, which lets people's commands go first. Raises Busy too."""
        self._tasks.put_later(task)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs, even if the database does not answer. Before `stop`, only a bug ends the thread."""
        return self._thread.is_alive()

    @property
    def quiet_s(self) -> float:
        """Seconds since `put` was last called."""
        return self._tasks.quiet_s

    @property
    def at_work_s(self) -> float:
        """Seconds spent so far on what was last taken from the queues; 0 while waiting for more."""
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

    def _do(
        self, tasks: Sequence[Task], *, gives_way: bool = False, again: bool = False, held_up: bool = False
    ) -> None:
        """`again`: they run one by one after their batch failed. `held_up`: the database made some of them late."""
        started = time.perf_counter()
        try:
            tasks = self._still_wanted(tasks, held_up=held_up or again)
            if not tasks:
                return
            connection = self._begin()
        except Exception as error:  # noqa: BLE001 - no command's fault: one by one, each would wait for it again
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
            # As one batch, not one by one: with a slow database, everything queued behind would become late too.
            self._recover(error)
            self._do(tasks, held_up=True)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch is rolled back and run one by one
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
                # Nothing was written, and a rollback would make psycopg drop its prepared statements.
                connection.commit()
                raise
            committed.append(Committed(answer, work.effects, _outcome(work, answer)))
        # A command that changed nothing now (a repeat of a durable one, a refusal) is answered however late it is.
        if any(task.is_late and done.outcome is Outcome.DONE for task, done in zip(tasks, committed, strict=True)):
            raise _TooLate
        connection.commit()
        return committed

    def _still_wanted(self, tasks: Sequence[Task], *, held_up: bool) -> Sequence[Task]:
        """Returns the tasks that are not late and the repeats of durable commands; fails the others."""
        late = [task.is_late for task in tasks]
        if not any(late):
            return tasks
        answered = self._answered(list(compress(tasks, late)))
        wanted = []
        for task, is_late in zip(tasks, late, strict=True):
            if is_late and task.command.origin.request not in answered:
                self._fail(task, self._too_late(task, held_up=held_up))
            else:
                wanted.append(task)
        return wanted

    def _too_late(self, task: Task, *, held_up: bool) -> Exception:
        """Says what a late task waited for: a database that held it up, or its turn in the queue."""
        if held_up:
            return DatabaseBusy(place_of(self._engine.url), f"what was asked for stood for {task.waited_s:.0f} s")
        return Busy(f"the hub did not get to this command within {task.waited_s:.0f} s: ask again")

    def _answered(self, tasks: Sequence[Task]) -> set[str]:
        """The request ids of these tasks that have a first answer.

        One read for them all, which waits for no lock on SQLite: hundreds of them may stand behind a slow database.
        """
        connection = self._connection or self._connect()
        ids = [task.command.origin.request for task in tasks if task.command.origin.request is not None]
        rows = connection.rows(store.ANSWERED_REQUESTS, {"site": self._index.site.name, "ids": connection.many(ids)})
        # Not a rollback, which would make psycopg drop its prepared statements.
        connection.commit()
        return {request for (request,) in rows}

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
        except Exception as fault:  # noqa: BLE001 - no command's fault: one by one, each would wait for it again
            self._fail_all(tasks, fault)
            return
        for task in tasks:
            self._do([task], again=True)

    def _may_stand_unanswered(self, task: Task) -> bool:
        """Whether its commit may be durable although the confirmation was lost: a second run finds its answer."""
        return self._connection is None and task.command.origin.request is not None

    def _fail_all(self, tasks: Sequence[Task], error: Exception) -> None:
        for task in tasks:
            self._fail(task, error)

    def _fail(self, task: Task, error: Exception) -> None:
        fault = error if isinstance(error, Busy) else failure_of(error, self._engine)
        if isinstance(fault, DatabaseFault):
            self.fault = fault
            self._metrics.database_error(fault)
        self._metrics.command(task.kind, Outcome.FAILED, task.waited_s)
        if self._failed_lines.allows(monotonic_ms()):
            log.error(
                "command.failed",
                command=task.kind,
                error=str(fault),
                exc_info=error if isinstance(fault, HubFault) else None,
            )
        _call(task.failed, fault)

    def _recover(self, error: Exception) -> None:
        """Rolls back. A connection that can't is closed; the next use opens a new one."""
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
    """Calls back. The receiver may be gone (an ended event loop, a closed page): its error is only logged."""
    try:
        callback(value)
    except Exception:
        log.exception("answer.not_taken")


def _outcome(work: Work, answer: Answer) -> Outcome:
    if work.repeated:
        return Outcome.REPEATED
    return Outcome.REFUSED if isinstance(answer, RefusedAnswer) else Outcome.DONE
