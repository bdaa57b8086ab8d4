"""The open sessions in memory, so that no request waits for the database or the directory.

The source of truth is the table `login_session`; the keeper reads it each second and updates this book. The browser
holds a random token of 256 bits, of which only the SHA-256 is stored:

- A stolen database lets nobody in.
- Sessions are looked up by the hash, so timing reveals at most something about hashes, and no token follows from them.
- 256 random bits can't be guessed, so the hash needs neither salt nor stretching.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import structlog
from msgspec import Struct

from hub.auth.people import Person
from hub.auth.roles import Role
from hub.site import MINUTE_MS, Login

log = structlog.get_logger(__name__)

TOKEN_BYTES = 32
Limit = Literal["idle", "absolute"]
# Called with the ids of sessions whose sockets are to be checked again; from any thread, and must not block.
OnEnd = Callable[[frozenset[int]], None]


class Session(Struct, frozen=True, kw_only=True):
    """`token_hash`: see `hash_token`. `seen_ms`: the last request that the database knows of.

    `checked_ms`: when the person was last confirmed by the directory or the local account.
    """

    id: int
    token_hash: str
    person: Person
    opened_ms: int
    seen_ms: int
    checked_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle_ms`: since the person's last request; a page that only listens makes none. `absolute_ms`: since login.

    `recheck_ms`: after this time the directory is asked again.
    """

    idle_ms: int
    absolute_ms: int
    recheck_ms: int

    @classmethod
    def of(cls, login: Login) -> "Limits":
        return cls(
            idle_ms=login.idle_min * MINUTE_MS,
            absolute_ms=login.absolute_h * 60 * MINUTE_MS,
            recheck_ms=login.recheck_min * MINUTE_MS,
        )


def new_token() -> str:
    """Make the token that a browser or a program is given once."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Hash a token for storage."""
    # A header may hold characters that no token has: they must not raise here, and match nothing.
    return sha256(token.encode("utf-8", "backslashreplace")).hexdigest()


class SessionBook:
    """The open sessions. `find` takes no lock, since writers replace the whole dict."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._by_hash: Mapping[str, Session] = {}
        self._seen: dict[int, int] = {}
        self._writing = threading.Lock()
        # Sessions dropped while `keep` reads; it must not bring them back.
        self._dropped: set[int] = set()
        self._told: list[OnEnd] = []

    @property
    def open_count(self) -> int:
        return len(self._by_hash)

    def on_end(self, told: OnEnd) -> None:
        """Call `told` with the ids of sessions that ended or changed roles, so that their sockets are checked again."""
        self._told.append(told)

    def find(self, token: str, now_ms: int, *, by_hand: bool = True) -> Session | None:
        """Return the session of a request; None for an unknown token and for a session past its limits.

        A request counts as activity only if `by_hand`: a page left open must not keep its session for ever.
        """
        session = self._by_hash.get(hash_token(token))
        if session is None or self._limit_passed(session, now_ms):
            return None
        if by_hand:
            self._seen[session.id] = now_ms
        return session

    def stands(self, session: int) -> Session | None:
        """Return the current session of this id, if it is open. This does not count as activity."""
        return next((each for each in self._by_hash.values() if each.id == session), None)

    def of(self, account: str, *, local: bool) -> list[Session]:
        """Return all open sessions of one person."""
        sessions = self._by_hash.values()
        return [each for each in sessions if (each.person.account, each.person.local) == (account, local)]

    def add(self, session: Session) -> None:
        """Add a session that was just opened and committed."""
        with self._writing:
            self._by_hash = {**self._by_hash, session.token_hash: session}

    def drop(self, session: int) -> None:
        """Remove a session that has just ended in the database."""
        with self._writing:
            self._dropped.add(session)
            known = any(each.id == session for each in self._by_hash.values())
            self._replace(each for each in self._by_hash.values() if each.id != session)
        self._tell({session} if known else set())

    def keep(self, read: Callable[[], Iterable[Session]]) -> frozenset[int]:
        """Update the book from the open sessions that `read` finds in the database; return the ids of those that ended.

        A session added while `read` runs stays, and one dropped meanwhile stays away, even if `read` saw the older
        state. For one thread at a time.
        """
        with self._writing:
            before = {each.id: each for each in self._by_hash.values()}
            self._dropped = set()
        found = {each.id: each for each in read()}
        with self._writing:
            here = {each.id: each for each in self._by_hash.values()}
            added = {number: each for number, each in here.items() if number not in before}
            stay = {number: each for number, each in found.items() if number not in self._dropped}
            self._replace({**stay, **added}.values())
        ended = frozenset(here) - frozenset(stay) - frozenset(added)
        changed = {number for number in stay if number in before and _roles(before[number]) != _roles(stay[number])}
        self._tell(ended | changed)
        return ended

    def due(self, now_ms: int) -> list[Session]:
        """Return the sessions whose person is to be looked up again, the longest unchecked first."""
        late = [each for each in self._by_hash.values() if now_ms - each.checked_ms >= self.limits.recheck_ms]
        return sorted(late, key=lambda each: (each.checked_ms, each.id))

    def over(self, now_ms: int) -> list[tuple[Session, Limit]]:
        """Return the sessions past a limit, each with that limit."""
        passed = [(each, self._limit_passed(each, now_ms)) for each in self._by_hash.values()]
        return [(each, limit) for each, limit in passed if limit]

    def seen(self) -> dict[int, int]:
        """When each session was last seen, for those whose row in the database is behind."""
        seen = {each.id: self._last_seen_ms(each) for each in self._by_hash.values()}
        rows = {each.id: each.seen_ms for each in self._by_hash.values()}
        return {number: moment for number, moment in seen.items() if moment > rows[number]}

    def _last_seen_ms(self, session: Session) -> int:
        return max(session.seen_ms, self._seen.get(session.id, 0))

    def _limit_passed(self, session: Session, now_ms: int) -> Limit | None:
        if now_ms - session.opened_ms >= self.limits.absolute_ms:
            return "absolute"
        return "idle" if now_ms - self._last_seen_ms(session) >= self.limits.idle_ms else None

    def _replace(self, sessions: Iterable[Session]) -> None:
        self._by_hash = {each.token_hash: each for each in sessions}
        still = {each.id for each in self._by_hash.values()}
        # Changed in place, since `find` may write to it at the same time.
        for number in [number for number in list(self._seen) if number not in still]:
            self._seen.pop(number, None)

    def _tell(self, sessions: Iterable[int]) -> None:
        ids = frozenset(sessions)
        if ids:
            for told in self._told:
                try:
                    told(ids)
                except Exception:
                    log.exception("session_end.not_taken")


def _roles(session: Session) -> frozenset[Role]:
    return session.person.roles
