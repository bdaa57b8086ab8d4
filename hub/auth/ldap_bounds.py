"""A whole attempt at a server is kept to its time: a socket's own time-out begins anew with each byte that drips in."""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")

# Of attempts that run at once; one that is cut ends at once, but where the system looks up a name, or connects.
ATTEMPTS_MOST = 16


class TimeUp(Exception):
    """The attempt's time is over, or no place for it came free in that time."""


class Cuttable(Protocol):
    def cut(self) -> None:
        """From another thread: whatever waits for this waits no more."""
        ...

    def close(self) -> None: ...


class Attempt:
    """What an attempt has opened, so that it can be cut when its time is up, and is closed at its end."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._lock = threading.Lock()
        self._open: list[Cuttable] = []
        self._over = False

    def left_s(self) -> float:
        """Raises TimeUp."""
        left = self._until - time.monotonic()
        if self._over or left <= 0:
            raise TimeUp
        return left

    def take(self, opened: Cuttable) -> None:
        """From now on it is the attempt's to cut and to close. Raises TimeUp."""
        with self._lock:
            self._open.append(opened)
        self.left_s()

    def release(self, opened: Cuttable) -> None:
        """It outlives the attempt. Raises TimeUp where it may have been cut."""
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
    """Runs attempts, each in a thread of its own, at most so many at once."""

    def __init__(self, most: int = ATTEMPTS_MOST) -> None:
        self._places = threading.BoundedSemaphore(most)

    def run(self, within_s: float, work: Callable[[Attempt], T]) -> T:
        """What `work` gives or raises. Raises TimeUp; then the thread ends by itself."""
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
        return value  # type: ignore[return-value]  # None stands beside an error alone

    def _run(
        self,
        attempt: Attempt,
        work: Callable[[Attempt], T],
        outcome: "SimpleQueue[tuple[T, None] | tuple[None, Exception]]",
    ) -> None:
        told: tuple[T, None] | tuple[None, Exception]
        try:
            told = work(attempt), None
        except Exception as error:  # noqa: BLE001 - raised where the attempt was asked for
            told = None, error
        finally:
            attempt.close()
            self._places.release()
        outcome.put(told)
