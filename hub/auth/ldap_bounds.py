"""A deadline for a whole attempt at a server: a socket's own time-out starts again with each byte that arrives."""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")

# The most attempts at the same time. One that is cut ends at once, except while the system looks up a name or connects.
ATTEMPTS_MOST = 16


class TimeUp(Exception):
    """The attempt's time is up, or no place came free for it in that time."""


class Cuttable(Protocol):
    def cut(self) -> None:
        """Wake whatever waits on this. May be called from another thread."""
        ...

    def close(self) -> None: ...


class Attempt:
    """The connections an attempt has opened: they are cut when its time is up and closed at its end."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._lock = threading.Lock()
        self._open: list[Cuttable] = []
        self._over = False

    def left_s(self) -> float:
        """The seconds left. Raises TimeUp."""
        left = self._until - time.monotonic()
        if self._over or left <= 0:
            raise TimeUp
        return left

    def take(self, opened: Cuttable) -> None:
        """Cut and close `opened` with this attempt from now on. Raises TimeUp."""
        with self._lock:
            self._open.append(opened)
        self.left_s()

    def release(self, opened: Cuttable) -> None:
        """Let `opened` outlive the attempt. Raises TimeUp if it may have been cut already."""
        with self._lock:
            if self._over:
                raise TimeUp
            self._open.remove(opened)

    def cut(self) -> None:
        with self._lock:
            self._over = True
            for each in self._open:
                each.cut()

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.pop().close()


class Bounds:
    """Runs attempts, each in a thread of its own, at most `most` at the same time."""

    def __init__(self, most: int = ATTEMPTS_MOST) -> None:
        self._places = threading.BoundedSemaphore(most)

    def run(self, within_s: float, work: Callable[[Attempt], T]) -> T:
        """Return or raise what `work` does. Raises TimeUp; the thread then ends on its own."""
        attempt = Attempt(time.monotonic() + within_s)
        if not self._places.acquire(timeout=within_s):
            raise TimeUp
        outcome: SimpleQueue[tuple[T, None] | tuple[None, Exception]] = SimpleQueue()
        thread = threading.Thread(target=self._run, args=(attempt, work, outcome), name="ldap", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._places.release()
            raise
        try:
            value, error = outcome.get(timeout=attempt.left_s())
        except (Empty, TimeUp):
            attempt.cut()
            raise TimeUp from None
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # value is None only beside an error

    def _run(
        self,
        attempt: Attempt,
        work: Callable[[Attempt], T],
        outcome: "SimpleQueue[tuple[T, None] | tuple[None, Exception]]",
    ) -> None:
        told: tuple[T, None] | tuple[None, Exception]
        try:
            told = work(attempt), None
        except Exception as error:  # noqa: BLE001 - raised again in `run`
            told = None, error
        finally:
            attempt.close()
            self._places.release()
        outcome.put(told)
