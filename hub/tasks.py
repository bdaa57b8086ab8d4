"""What stands before the writer, in two queues: what somebody waits for, and behind it what nobody waits for."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from hub.queue.answers import Answer
from hub.queue.commands.desks import CLICK_LIFE_MS
from hub.queue.requests import Admit, Command, ExpireCalled, ExpireExpected, Source
from protocol.messages import PRESS_LIFE_MS

log = structlog.get_logger(__name__)

BATCH_MOST = 64
# 200 desks and 300 nodes at once fill a twentieth of it; more means that the writer does not keep up.
QUEUE_MOST = 10_000
# A chore's command may wait behind people's for so long, then one goes through all the same.
LATER_WAITS_S = 1.0
# Whoever asked has given up soon after: a page at 8 s, a dispenser before, a button at the end of its press.
WANTED_S, PRESS_WANTED_S = CLICK_LIFE_MS / 1000, PRESS_LIFE_MS / 1000
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

    @property
    def kind(self) -> str:
        return type(self.command).__name__

    @property
    def waited_s(self) -> float | None:
        """How long somebody, or a node, has waited for the answer; None where nobody does."""
        return None if self.command.origin.source in _NOBODY_WAITS else time.monotonic() - self.since_s

    @property
    def is_late(self) -> bool:
        """Whether it stood for so long that nobody waits for it any more."""
        waited_s = self.waited_s
        is_press = self.command.origin.source is Source.BUTTON
        return waited_s is not None and waited_s > (PRESS_WANTED_S if is_press else WANTED_S)

    @property
    def may_wait(self) -> bool:
        """Whether it lets people's commands go first: one that nobody waits for."""
        return time.monotonic() - self.since_s < LATER_WAITS_S


# A message is parsed by the writer's thread, not by the one that received it.
Entry = Task | Callable[[], Task | None]


class Tasks:
    """Anybody puts, the writer's thread takes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._later: deque[Task] = deque()
        self._idle = False
        self._asked_s = float("-inf")
        self._ended = threading.Event()

    def put(self, entry: Entry) -> None:
        """A person's or a node's. Raises Busy where the queue is full or the hub is stopping."""
        if self._ended.is_set() or self._queue.qsize() >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._asked_s = time.monotonic()
        self._queue.put(entry)

    def put_later(self, task: Task) -> None:
        """A command of sync, jobs or retention. Raises Busy as `put` does."""
        if self._ended.is_set() or len(self._later) >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._later.append(task)
        # Not where the writer is at work: it looks by itself, and a slice that it does would give way as to a person.
        if self._idle:
            self._queue.put(None)

    def end(self) -> None:
        """Nothing more is put."""
        self._ended.set()
        self._queue.put(None)

    @property
    def is_over(self) -> bool:
        """It was ended, and nothing is left."""
        return self._ended.is_set() and self._queue.empty() and not self._later

    @property
    def quiet_s(self) -> float:
        """How long no person's command has come."""
        return time.monotonic() - self._asked_s

    def of_people(self) -> int:
        return self._queue.qsize()

    def of_jobs(self) -> int:
        return len(self._later)

    def people_wait(self) -> bool:
        return not self._queue.empty()

    # --- the writer's thread --------------------------------------------------------------------------------------

    def take(self) -> list[Task]:
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

    def take_standing(self) -> list[Task]:
        """All that stands in people's queue now: a page gives up before two that wait for a lock have done so."""
        read = [_read(self._queue.get_nowait()) for _ in range(self._queue.qsize())]
        return [task for task in read if task is not None]

    def take_later(self) -> list[Task]:
        """The first of the second queue; with it those behind it that are as small."""
        if not self._later:
            return []
        first = self._later[0]
        if self.people_wait() and first.may_wait:
            return []
        most = MARKS_TOGETHER if isinstance(first.command, _MARKS) else 1
        taken = [self._later.popleft()]
        while len(taken) < most and self._later and isinstance(self._later[0].command, _MARKS):
            taken.append(self._later.popleft())
        return taken

    def give_back(self, task: Task) -> None:
        """It gave way to people, and is the next of the second queue again."""
        self._later.appendleft(task)


def _read(entry: Entry | None) -> Task | None:
    """Whatever a message holds, the writer goes on."""
    if entry is None or isinstance(entry, Task):
        return entry
    try:
        return entry()
    except Exception:
        log.exception("message.not_read")
        return None
