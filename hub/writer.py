"""One queue, one thread, one transaction: all that changes state goes through here.

The writer takes what stands in the queue (64 at most), runs it in one transaction, commits once, then hands on what
follows (what sounds goes out first), then answers. A commit that fails answers nobody with yes. One command that meets
a database error takes its batch back, and the batch is run again one by one, so that its failure is its own; but not
where another program holds what it needs: each would only wait as long again, and who stands behind them too. One that
stood alone and lost its connection is run once more too: its commit may have become durable, then its id gives the
first answer, and nobody is told that nothing changed. What stood for so long that nobody waits for it any more, in the
queue or in a database that answers nothing, is not done: a press must call nobody long after.
"""

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from sqlalchemy import Engine

from hub.database.engine import open_writer_connection
from hub.database.faults import DatabaseBusy, DatabaseFault, DatabaseLocked, place_of
from hub.database.statements import Connection
from hub.failures import HubFault, failure_of
from hub.metrics import Metrics, Outcome
from hub.queue.answers import Answer, RefusedAnswer
from hub.queue.commands.desks import CLICK_LIFE_MS
from hub.queue.commands.dispatch import STATEMENTS, run
from hub.queue.requests import Admit, Command, ExpireCalled, ExpireExpected, Source
from hub.queue.transaction import Effects, GivesWay, Work
from hub.site_index import SiteIndex

log = structlog.get_logger(__name__)

A = TypeVar("A")

BATCH_MOST = 64
# 200 desks and 300 nodes at once fill a twentieth of it; more means that the writer does not keep up.
QUEUE_MOST = 10_000
# Every statement and every message lets go of the interpreter and waits for it again: not for the 5 ms that a thread
# which draws pictures or pages may keep it by default.
SWITCH_S = 0.0002
# At the end of the hub: so long at one batch, and the database is not slow but does not answer.
STANDS_STILL_S, STOP_LOOK_S = 10.0, 0.5
# A chore's command may wait behind people's for so long, then one goes through all the same.
LATER_WAITS_S = 1.0
# Whoever asked has given up soon after, and a node has asked again.
WANTED_S = CLICK_LIFE_MS / 1000
_NOBODY_WAITS = frozenset({Source.SYNC, Source.JOB})
# What is due by one ticket's own time. Many are due at once, after a pause of the machine or at the full hour: so many
# share a commit, and still take no longer than a slice may.
_MARKS = (ExpireExpected, ExpireCalled, Admit)
MARKS_TOGETHER = 8


class Busy(RuntimeError):
    """The writer's queue is full, or the hub is stopping: nothing was done, ask again."""


@dataclass(frozen=True, slots=True)
class Task:
    """A command and who waits for it. `answered` and `failed` are called on the writer's thread and must not block."""

    command: Command
    answered: Callable[[Answer], None]
    failed: Callable[[Exception], None]
    since_s: float = field(default_factory=time.monotonic)


# A message is parsed by the writer's thread, not by the one that received it.
Entry = Task | Callable[[], Task | None]


@dataclass(frozen=True, slots=True)
class Committed:
    """One command of a batch that is durable now."""

    answer: Answer
    effects: Effects
    outcome: Outcome


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
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._idle = False
        self._later: deque[Task] = deque()
        self._connection: Connection | None = None
        self._lost = False
        self._asked_s = float("-inf")
        # Why something was not stored, until somebody finds that it can be.
        self.fault: DatabaseFault | None = None
        self._at_work_since_s: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        metrics.watch_queue("people", self._queue.qsize)
        metrics.watch_queue("jobs", lambda: len(self._later))

    def start(self) -> None:
        """Raises a DatabaseFault where the database can't be opened."""
        self._connect().compile(STATEMENTS)
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    def stop(self) -> None:
        """Does what stands in the queue, then ends. It is left to itself where the database stands still."""
        self._stopping.set()
        self._queue.put(None)
        while self._thread.is_alive():
            self._thread.join(STOP_LOOK_S)
            at_work_s = self.at_work_s
            if at_work_s > STANDS_STILL_S:
                log.warning("writer.left_behind", at_work_s=round(at_work_s))
                return
        self._disconnect()

    @property
    def waiting(self) -> int:
        """How many commands stand in the queue."""
        return self._queue.qsize() + len(self._later)

    def put(self, entry: Entry) -> None:
        """Queues a person's command. Raises Busy where the queue is full or the hub is stopping."""
        if self._stopping.is_set() or self._queue.qsize() >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._asked_s = time.monotonic()
        self._queue.put(entry)

    @property
    def quiet_s(self) -> float:
        """How long no person's command has come."""
        return time.monotonic() - self._asked_s

    @property
    def at_work_s(self) -> float:
        """How long it has been at what it took last; 0 where it waits for more."""
        since_s = self._at_work_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def put_later(self, task: Task) -> None:
        """Queues a command of sync, jobs or retention, which lets people's commands go first."""
        if self._stopping.is_set() or len(self._later) >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._later.append(task)
        # Not where it is at work: it looks by itself, and a slice that it does would give way as to a person.
        if self._idle:
            self._queue.put(None)

    # --- the writer's thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            tasks = self._still_wanted(self._take())
            self._at_work_since_s = time.monotonic()
            if tasks:
                self._do(tasks)
            later = self._take_later()
            if later:
                self._do(later, gives_way=len(later) == 1 and self._may_wait(later[0]))
            self._at_work_since_s = None
            if self._stopping.is_set() and self._queue.empty() and not self._later:
                return

    def _take(self) -> list[Task]:
        """Waits for the first entry, then takes what stands behind it, 64 at most.

        Messages that ask for nothing count too: a node that floods the hub with nonsense must not keep it from those
        that ask for something.
        """
        tasks: list[Task] = []
        taken = 0
        # Said before the look at the other queue: who puts something there after that look knows to wake it.
        self._idle = True
        entry = None if self._later and self._queue.empty() else self._queue.get()
        self._idle = False
        while True:
            task = _read(entry)
            if task is not None:
                tasks.append(task)
            taken += entry is not None
            if taken == BATCH_MOST:
                return tasks
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return tasks

    def _standing(self) -> list[Task]:
        """All that stands in people's queue now: a page gives up before two that wait for a lock have done so."""
        read = [_read(self._queue.get_nowait()) for _ in range(self._queue.qsize())]
        return [task for task in read if task is not None]

    def _take_later(self) -> list[Task]:
        """The first of the second queue, where nobody in person waits; with it those behind it that are as small."""
        if not self._later:
            return []
        first = self._later[0]
        if self._people_wait() and self._may_wait(first):
            return []
        most = MARKS_TOGETHER if isinstance(first.command, _MARKS) else 1
        taken = [self._later.popleft()]
        while len(taken) < most and self._later and isinstance(self._later[0].command, _MARKS):
            taken.append(self._later.popleft())
        return taken

    def _people_wait(self) -> bool:
        return not self._queue.empty()

    def _may_wait(self, task: Task) -> bool:
        return time.monotonic() - task.since_s < LATER_WAITS_S

    def _do(self, tasks: Sequence[Task], *, gives_way: bool = False, again: bool = False) -> None:
        started = time.perf_counter()
        try:
            connection = self._begin()
        except Exception as error:  # noqa: BLE001 - no command's fault: each would only wait for the same again
            self._recover(error)
            self._fail_all(tasks, error)
            if isinstance(failure_of(error, self._engine), DatabaseLocked):
                self._fail_all(self._standing(), error)
            return
        try:
            committed = self._commit(connection, tasks, self._people_wait if gives_way else _nobody_waits)
        except GivesWay:
            self._later.extendleft(tasks)
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
        if any(_is_late(task) and done.outcome is Outcome.DONE for task, done in zip(tasks, committed, strict=True)):
            raise self._too_late()
        connection.commit()
        return committed

    def _still_wanted(self, tasks: Sequence[Task]) -> list[Task]:
        wanted = []
        for task in tasks:
            if _is_late(task):
                self._fail(task, self._too_late())
            else:
                wanted.append(task)
        return wanted

    def _too_late(self) -> DatabaseBusy:
        return DatabaseBusy(place_of(self._engine.url), f"what was asked for stood longer than {WANTED_S:.0f} s")

    def _count(self, tasks: Sequence[Task], committed: Sequence[Committed], seconds: float) -> None:
        self._metrics.batch(len(tasks), seconds)
        for task, done in zip(tasks, committed, strict=True):
            self._metrics.command(_kind(task), done.outcome, _waited_s(task))
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
        self._metrics.command(_kind(task), Outcome.FAILED, _waited_s(task))
        log.error(
            "command.failed",
            command=type(task.command).__name__,
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
        connection = Connection(open_writer_connection(self._engine), self._engine.dialect)
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


def _read(entry: Entry | None) -> Task | None:
    """Whatever a message holds, the writer goes on."""
    if entry is None or isinstance(entry, Task):
        return entry
    try:
        return entry()
    except Exception:
        log.exception("message.not_read")
        return None


def _call(callback: Callable[[A], None], value: A) -> None:
    """Whoever is told may be gone (a loop that ended, a page that left): what is committed stays so."""
    try:
        callback(value)
    except Exception:
        log.exception("answer.not_taken")


def _kind(task: Task) -> str:
    return type(task.command).__name__


def _waited_s(task: Task) -> float | None:
    """How long somebody, or a node, has waited for the answer; None where nobody does."""
    return time.monotonic() - task.since_s if _somebody_waits(task) else None


def _somebody_waits(task: Task) -> bool:
    return task.command.origin.source not in _NOBODY_WAITS


def _is_late(task: Task) -> bool:
    return _somebody_waits(task) and time.monotonic() - task.since_s > WANTED_S


def _outcome(work: Work, answer: Answer) -> Outcome:
    if work.repeated:
        return Outcome.REPEATED
    return Outcome.REFUSED if isinstance(answer, RefusedAnswer) else Outcome.DONE
