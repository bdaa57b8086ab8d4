"""The writer's two queues: commands that somebody waits for, and behind them commands that nobody waits for."""

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
# 200 desks and 300 nodes at once fill a twentieth of it. If it is full, the writer does not keep up.
QUEUE_MOST = 10_000
# A command of the second queue lets people's commands go first for this long, then it is run anyway.
LATER_WAITS_S = 1.0
# The sender gives up soon after: a page at 8 s, a dispenser earlier, a button when its press has expired.
WANTED_S, PRESS_WANTED_S = CLICK_LIFE_MS / 1000, PRESS_LIFE_MS / 1000
_NOBODY_WAITS = frozenset({Source.SYNC, Source.JOB})
# Commands that are due at a ticket's own time. Many are due at once after a pause of the machine or on the hour, so a
# few share a commit; MARKS_TOGETHER of them still take no longer than a slice may.
_MARKS = (ExpireExpected, ExpireCalled, Admit)
MARKS_TOGETHER = 8


class Busy(RuntimeError):
    """The writer's queue is full, or the command waited in it too long, or the hub is stopping. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Task:
    """A command and its callbacks. `answered` and `failed` are called on the writer's thread and must not block."""

    command: Command
    answered: Callable[[Answer], None]
    failed: Callable[[Exception], None]
    since_s: float = field(default_factory=time.monotonic)

    @property
    def kind(self) -> str:
        return type(self.command).__name__

    @property
    def waited_s(self) -> float | None:
        """Seconds that a person or node has waited for the answer; None if nobody waits."""
        return None if self.command.origin.source in _NOBODY_WAITS else time.monotonic() - self.since_s

    @property
    def is_late(self) -> bool:
        """Whether its sender has stopped waiting."""
        waited_s = self.waited_s
        is_press = self.command.origin.source is Source.BUTTON
        return waited_s is not None and waited_s > (PRESS_WANTED_S if is_press else WANTED_S)

    @property
    def may_wait(self) -> bool:
        """Whether it still lets people's commands go first; for tasks of the second queue."""
        return time.monotonic() - self.since_s < LATER_WAITS_S


# A message is queued as a function, so that the writer's thread parses it, not the thread that received it.
Entry = Task | Callable[[], Task | None]


class Tasks:
    """Any thread puts, the writer's thread takes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._later: deque[Task] = deque()
        self._idle = False
        self._asked_s = float("-inf")
        self._ended = threading.Event()

    def put(self, entry: Entry) -> None:
        """Queues a command of a person or node. Raises Busy if the queue is full or the hub is stopping."""
        if self._ended.is_set() or self._queue.qsize() >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._asked_s = time.monotonic()
        self._queue.put(entry)

    def put_later(self, task: Task) -> None:
        """Queues a command of sync, jobs or retention. Raises Busy as `put` does."""
        if self._ended.is_set() or len(self._later) >= QUEUE_MOST:
            raise Busy("the hub has too much to do: ask again")
        self._later.append(task)
        # Wakes an idle writer only: a busy one looks here anyway, and its slice would give way to this None as if a
        # person waited.
        if self._idle:
            self._queue.put(None)

    def end(self) -> None:
        """Refuses further entries."""
        self._ended.set()
        self._queue.put(None)

    @property
    def is_over(self) -> bool:
        """Whether `end` was called and both queues are empty."""
        return self._ended.is_set() and self._queue.empty() and not self._later

    @property
    def quiet_s(self) -> float:
        """Seconds since `put` was last called."""
        return time.monotonic() - self._asked_s

    def of_people(self) -> int:
        return self._queue.qsize()

    def of_jobs(self) -> int:
        return len(self._later)

    def people_wait(self) -> bool:
        return not self._queue.empty()

    # --- the writer's thread --------------------------------------------------------------------------------------

    def take(self) -> list[Task]:
        """Takes up to 64 entries of people's queue; waits for the first one unless the second queue has a task.

        Messages that ask for nothing count as well: a node that floods the hub with nonsense must not delay the rest.
        """
        tasks: list[Task] = []
        taken = 0
        # Set before the look at the second queue: whoever puts a task there after that look then wakes the writer.
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
        """Takes all of people's queue. For a locked database: a page gives up before two waits for a lock are over."""
        read = [_read(self._queue.get_nowait()) for _ in range(self._queue.qsize())]
        return [task for task in read if task is not None]

    def take_later(self) -> list[Task]:
        """Takes the first task of the second queue; if it is one of `_MARKS`, with those that follow it, 8 at most.

        Takes nothing while people wait and the first task may wait.
        """
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
        """Puts a task that gave way to people back at the front of the second queue."""
        self._later.appendleft(task)


def _read(entry: Entry | None) -> Task | None:
    """Parses an entry; None if it asks for nothing or fails, so that no message stops the writer."""
    if entry is None or isinstance(entry, Task):
        return entry
    try:
        return entry()
    except Exception:
        log.exception("message.not_read")
        return None
