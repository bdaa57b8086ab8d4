"""Decides on a login: first the limiter, then a local account of that name, else the directory.

If there is a local account, it alone decides: it is meant for when the directory is away, so it must not wait for it,
and its password must not be sent there.

Each refusal costs one password hash and one question to the directory, whether the account is local, in the directory
or unknown, so the hub's work does not reveal which accounts exist. The directory's may: one that hashes slowly answers
faster for an account that it does not have. While the directory is away the answer reveals local accounts: only for
these can the password be called wrong.
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

# Hashes run one at a time anyway, 50 ms each or several times that on a small machine; and everybody logs in at 8:30.
HASHES_AT_ONCE, HASH_WAIT_S = 1, 8.0
# While the directory hangs, each login holds a thread for seconds: at most 74 in the four lanes together.
ASKED_AT_ONCE, ASK_WAIT_S = 4, 2.0
WAITING_MOST = 16
# An account and password that no directory has.
NOBODY = "suivant-unknown-account"


class LaneFull(LoginRefused):
    """Too many logins are waiting right now; nobody judged the password."""


class Login:
    """`local` reads the open local account of that name from the database. Thread-safe."""

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
        # One lane for accounts that logged in from their address before, so that they never wait behind the others.
        self._hashing = {known: _Lane(HASHES_AT_ONCE, HASH_WAIT_S, Reason.TOO_MANY) for known in (True, False)}
        # These lanes fill up only when the directory is slow, so a refusal says that it is away.
        self._asking = {known: _Lane(ASKED_AT_ONCE, ASK_WAIT_S, Reason.AWAY) for known in (True, False)}

    def log_in(self, account: str, password: str, address: str) -> Person:
        """Check who wants in; `admitted` follows once the session is stored.

        Blocks, for seconds if the directory is slow. Raises LoginRefused.
        """
        try:
            return self._admit(one_spelling(account), password, address)
        except LoginRefused as refused:
            self.refused(refused.reason)
            raise

    def admitted(self, person: Person) -> None:
        """Count and log a login whose session is stored."""
        self._metrics.login("local" if person.local else "directory")
        log.info("login.done", local=person.local)

    def refused(self, reason: Reason) -> None:
        """Count and log a refused login, whoever refused it."""
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
        """Take the try's count back unless somebody judged it and refused."""
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
        """Ask the directory. Only a refusal takes the time of a hash too."""
        try:
            with self._asking[known].turn():
                return self._directory.log_in(account, password)
        except LoginRefused as refused:
            if refused.reason in {Reason.WRONG, Reason.NO_ROLE}:
                self._match_nothing(password, known=known)
            raise

    def _match_nothing(self, password: str, *, known: bool) -> None:
        """Take a hash's time. If the lane is full, refuse as TOO_MANY but count the try: the directory judged it."""
        try:
            self._matches(None, password, known=known)
        except LaneFull:
            raise LoginRefused(Reason.TOO_MANY) from None

    def _matches(self, stored: str | None, password: str, *, known: bool) -> bool:
        with self._hashing[known].turn():
            return matches(stored, password)

    def _ask_in_vain(self, *, known: bool) -> None:
        """Take the time of a question to the directory. Neither the account nor the password is sent."""
        with suppress(LoginRefused), self._asking[known].turn():
            self._directory.log_in(NOBODY, NOBODY)


class _Lane:
    """Lets `at_once` through, and WAITING_MOST more wait up to `wait_s`. `full`: why all others are refused."""

    def __init__(self, at_once: int, wait_s: float, full: Reason) -> None:
        self._places = threading.BoundedSemaphore(at_once + WAITING_MOST)
        self._turns = threading.BoundedSemaphore(at_once)
        self._wait_s, self._full = wait_s, full

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn. Raises LaneFull."""
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
