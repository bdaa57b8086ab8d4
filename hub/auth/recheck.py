"""Looks logged-in people up again, so that a right that was taken away does not last until the evening.

Only an answer takes a right away; without one, everybody stays logged in. There are two growing waits:

- An account about which the directory gives no answer is retried after a wait that grows each time.
- The whole directory is taken to be away for a time that grows with each account it gives no answer about.

It asks about one account at a time, so that it never slows a slow directory down further.
"""

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

import structlog

from hub.auth.access import CALLERS
from hub.auth.directory import Directory, DirectoryAway
from hub.auth.people import Person
from hub.auth.roles import Role
from hub.auth.sessions import Session, SessionBook
from hub.backoff import wait_s
from hub.metrics import Metrics
from hub.queue.answers import Answer
from hub.queue.people_requests import ChangeSession, EndReason, EndSession, NoteSessions
from hub.queue.requests import Command, Origin, Source
from hub.tasks import Busy

log = structlog.get_logger(__name__)

EVERY_S = 1.0
# Everybody logs in at half past eight and so is due at the same time: this limits the questions to a few a second.
ACCOUNTS_AT_ONCE = 4
# A writer that takes longer has a fault, which it reports itself.
ANSWER_LIMIT_S = 60
# If the directory hangs, the thread may take longer: it then writes nothing, and as a daemon ends with the program.
STOP_LIMIT_S = 2.0
_JOB = Origin(Source.JOB, "sessions")


class Who(NamedTuple):
    """The owner of a session: a local account is not the directory's account of the same name."""

    account: str
    local: bool


class Silence(NamedTuple):
    """An account without an answer: when it last got none, how often in a row, and from when it may be retried."""

    at_ms: int
    times: int
    ask_from_ms: int


_NONE = Silence(0, 0, 0)


class Recheck:
    """Runs one thread. `local` returns the person of an open local account. `chance`, from 0 to 1, spreads the waits.

    `do` puts a command into the writer's queue for jobs and returns its future answer.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        local: Callable[[str], Person | None],
        book: SessionBook,
        do: Callable[[Command], "Future[Answer]"],
        now_ms: Callable[[], int],
        metrics: Metrics,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._directory = directory
        self._local = local
        self._book = book
        self._do = do
        self._now_ms = now_ms
        self._chance = chance
        self._metrics = metrics
        # When each was last answered for: the book learns of it only at its next read of the database.
        self._asked_ms: dict[Who, int] = {}
        # The accounts whose last question got no answer.
        self._silence: dict[Who, Silence] = {}
        # The accounts without an answer since the directory last answered about anybody.
        self._silent: set[Who] = set()
        self._ask_from_ms = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="recheck", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Stop the thread. Return whether it has ended: False while it still waits for the directory."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)
        return not self._thread.is_alive()

    def look(self) -> None:
        """Do one round: ask about some of the accounts that are due."""
        now_ms = self._now_ms()
        fresh_ms = now_ms - self._book.limits.recheck_ms
        self._asked_ms = {who: asked_ms for who, asked_ms in self._asked_ms.items() if asked_ms > fresh_ms}
        due = [who for who in who_of(self._book.due(now_ms)) if who not in self._asked_ms]
        self._silence = {who: silence for who, silence in self._silence.items() if who in due}
        # An account that a server can't answer about, because it is in too many groups for example, must not block the
        # others.
        turns = sorted(filter(self._may_ask, due), key=lambda who: self._silence.get(who, _NONE).at_ms)
        for who in turns[:ACCOUNTS_AT_ONCE]:
            if self._stopping.is_set() or not self._may_ask(who):
                return
            self._ask(who)

    def _may_ask(self, who: Who) -> bool:
        ask_from_ms = max(self._ask_from_ms, self._silence.get(who, _NONE).ask_from_ms)
        return who.local or (self._directory.can_look_up and self._now_ms() >= ask_from_ms)

    def _ask(self, who: Who) -> None:
        began_ms = self._now_ms()
        held = {each.person.roles for each in self._book.of(who.account, local=who.local)}
        if not held:
            return
        try:
            # Usually one question: two sessions of one person rarely have different roles.
            people = {roles: self._who_is(who, roles) for roles in held}
        except DirectoryAway as away:
            self._wait(who, away)
            return
        now_ms = self._now_ms()
        if not who.local:
            self._silent.clear()
            for person in people.values():
                self._metrics.looked_up("gone" if person is None else "known")
        # A session opened since then has a newer answer.
        sessions = [
            each
            for each in self._book.of(who.account, local=who.local)
            if each.checked_ms <= began_ms and each.person.roles in people
        ]
        commands = [consequence(each, people[each.person.roles], now_ms) for each in sessions]
        answers = [self._do(command) for command in commands]
        for session, command, answer in zip(sessions, commands, answers, strict=True):
            answer.result(ANSWER_LIMIT_S)
            _tell(session, command)
        self._asked_ms[who] = now_ms

    def _who_is(self, who: Who, held: frozenset[Role]) -> Person | None:
        return self._local(who.account) if who.local else self._directory.look_up(who.account, held)

    def _wait(self, who: Who, away: DirectoryAway) -> None:
        now_ms, times = self._now_ms(), self._silence.get(who, _NONE).times + 1
        again_s = wait_s(times, self._chance())
        self._silence[who] = Silence(now_ms, times, now_ms + int(again_s * 1000))
        self._silent.add(who)
        others_s = wait_s(len(self._silent), self._chance())
        self._ask_from_ms = now_ms + int(others_s * 1000)
        self._metrics.looked_up("away")
        log.warning("directory.away", reason=str(away), again_s=round(again_s), others_s=round(others_s))

    def _serve(self) -> None:
        failures = 0
        pause_s = EVERY_S
        while not self._stopping.wait(pause_s):
            try:
                self.look()
            except Busy:
                continue
            except Exception:
                failures += 1
                pause_s = wait_s(failures, self._chance())
                log.exception("recheck.failed", again_s=round(pause_s))
            else:
                failures, pause_s = 0, EVERY_S


def who_of(sessions: Iterable[Session]) -> list[Who]:
    """Each owner once. Local ones first: they need only the database and must not wait for a directory that hangs."""
    found = dict.fromkeys(Who(each.person.account, each.person.local) for each in sessions)
    return sorted(found, key=lambda who: not who.local)


def _tell(session: Session, done: Command) -> None:
    """Log rights that were lost or gained, without naming anybody."""
    if isinstance(done, EndSession):
        log.info("session.rights_gone", session=session.id, reason=done.reason)
    elif isinstance(done, ChangeSession) and frozenset(done.roles) != session.person.roles:
        had = session.person.roles
        lost, gained = sorted(had.difference(done.roles)), sorted(frozenset(done.roles) - had)
        log.info("session.roles_changed", session=session.id, lost=lost, gained=gained)


def consequence(session: Session, person: Person | None, now_ms: int) -> Command:
    """The command that follows from an answer. `person`: the session's person; None if they may no longer log in."""
    if person is None:
        reason = EndReason.ENDED if session.person.local else EndReason.RIGHT_TAKEN
        return EndSession(origin=_JOB, session=session.id, reason=reason)
    if (person.name, person.roles) == (session.person.name, session.person.roles):
        return NoteSessions(origin=_JOB, checked=((session.id, now_ms),))
    roles = tuple(sorted(person.roles))
    calls = bool(person.roles & CALLERS)
    return ChangeSession(origin=_JOB, session=session.id, name=person.name, roles=roles, checked_ms=now_ms, calls=calls)
