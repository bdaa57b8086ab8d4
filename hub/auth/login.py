"""Who comes in: the limiter first, then a local account of that name, else the directory.

A local account decides alone: it is for when the directory is away, so it must not wait for it, and its password must
not be sent there. Each refusal takes the time of a hashed password and of a question to the directory, whether the
account is known here, there or nowhere: how long it takes does not tell which accounts there are. While the directory
is away the answer does: only of a local account does anybody say that the password is wrong.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from hub.auth.account_store import LocalAccount
from hub.auth.attempts import Attempts, Try
from hub.auth.directory import Directory
from hub.auth.passwords import matches
from hub.auth.people import LoginRefused, Person, Reason, may_be_account, may_be_password, one_spelling
from hub.metrics import Metrics

log = structlog.get_logger(__name__)

# They take turns anyway, each some 50 ms, several times that on a small machine; and a whole house comes in at 8:30.
HASHES_AT_ONCE, HASH_WAIT_S = 1, 8.0
# A directory that hangs takes seconds, and each login a thread: 74 in all four lanes together.
ASKED_AT_ONCE, ASK_WAIT_S = 4, 2.0
WAITING_MOST = 16
# What no directory has.
NOBODY = "suivant-unknown-account"


class LaneFull(LoginRefused):
    """Too many wait at this moment; nobody judged the password."""


class Login:
    """`local`: the local account of that name that has not ended, read from the database. From any thread."""

    def __init__(
        self,
        *,
        directory: Directory,
        local: Callable[[str], LocalAccount | None],
        now_ms: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._directory = directory
        self._local = local
        self._now_ms = now_ms
        self._metrics = metrics
        self._attempts = Attempts()
        self._counting = threading.Lock()
        # By whether the account has logged in from that address before: who has never waits behind who has not.
        self._hashing = {known: _Lane(HASHES_AT_ONCE, HASH_WAIT_S, Reason.TOO_MANY) for known in (True, False)}
        # Few wait there for long but where the directory is slow: it is what does not answer.
        self._asking = {known: _Lane(ASKED_AT_ONCE, ASK_WAIT_S, Reason.AWAY) for known in (True, False)}

    def log_in(self, account: str, password: str, address: str) -> Person:
        """Blocks, while the directory is slow for seconds. Raises LoginRefused."""
        try:
            person = self._admit(one_spelling(account), password, address)
        except LoginRefused as refused:
            self.refused(refused.reason)
            raise
        self._metrics.login("local" if person.local else "directory")
        log.info("login.done", local=person.local)
        return person

    def refused(self, reason: Reason) -> None:
        """Counts and logs one who did not come in, whoever said no."""
        self._metrics.login(reason)
        log.info("login.refused", reason=reason)

    def _admit(self, account: str, password: str, address: str) -> Person:
        if not (may_be_account(account) and may_be_password(password)):
            raise LoginRefused(Reason.WRONG)
        with self._counting:
            begun = self._attempts.begin(account, address, self._now_ms())
        if begun is None:
            raise LoginRefused(Reason.TOO_MANY)
        with self._judged(begun):
            person = self._judge(account, password, known=begun.known)
        with self._counting:
            self._attempts.came_in(begun, self._now_ms())
        return person

    @contextmanager
    def _judged(self, begun: Try) -> Iterator[None]:
        """A try counts only where somebody said no."""
        try:
            yield
        except Exception as error:
            said_no = isinstance(error, LoginRefused) and error.reason is not Reason.AWAY
            if not said_no or isinstance(error, LaneFull):
                with self._counting:
                    self._attempts.not_judged(begun)
            raise

    def _judge(self, account: str, password: str, *, known: bool) -> Person:
        found = self._local(account)
        if found is None:
            return self._ask(account, password, known=known)
        if not self._matches(found.password, password, known=known):
            self._ask_in_vain(known=known)
            raise LoginRefused(Reason.WRONG)
        return found.person

    def _ask(self, account: str, password: str, *, known: bool) -> Person:
        """Who is let in waits for the directory alone."""
        try:
            with self._asking[known].turn():
                return self._directory.log_in(account, password)
        except LoginRefused as refused:
            if refused.reason in {Reason.WRONG, Reason.NO_ROLE}:
                self._match_nothing(password, known=known)
            raise

    def _match_nothing(self, password: str, *, known: bool) -> None:
        """The answer is the same where too many wait for this, but the try counts: the directory judged it."""
        try:
            self._matches(None, password, known=known)
        except LaneFull:
            raise LoginRefused(Reason.TOO_MANY) from None

    def _matches(self, stored: str | None, password: str, *, known: bool) -> bool:
        with self._hashing[known].turn():
            return matches(stored, password)

    def _ask_in_vain(self, *, known: bool) -> None:
        """What a wrong password of anybody else takes, too; neither the account nor the password is sent."""
        with suppress(LoginRefused), self._asking[known].turn():
            self._directory.log_in(NOBODY, NOBODY)


class _Lane:
    """So many at once; so many more wait, a moment. `full`: why all others are refused."""

    def __init__(self, at_once: int, wait_s: float, full: Reason) -> None:
        self._places = threading.BoundedSemaphore(at_once + WAITING_MOST)
        self._turns = threading.BoundedSemaphore(at_once)
        self._wait_s, self._full = wait_s, full

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises LaneFull."""
        if not self._places.acquire(blocking=False):
            raise LaneFull(self._full)
        try:
            if not self._turns.acquire(timeout=self._wait_s):
                raise LaneFull(self._full)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()
