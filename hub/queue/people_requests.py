"""The commands about login sessions, as data; `hub.queue.commands.sessions` runs them."""

from enum import StrEnum

from hub.queue.requests import Command


class OpenSession(Command, frozen=True, kw_only=True):
    """Somebody logged in. `token_hash`: SHA-256 of the cookie's token. `local`: by a local account, not the directory.

    Answers the session's id.
    """

    token_hash: str
    account: str
    name: str
    roles: tuple[str, ...]
    local: bool = False


class EndReason(StrEnum):
    """Why a session ended."""

    LOGOUT = "logout"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    RIGHT_TAKEN = "right_taken"
    ENDED = "ended"  # by a command line, with its local account, or because the account had too many open sessions


class EndSession(Command, frozen=True, kw_only=True):
    """End a session. Answers 1, or 0 if it had already ended.

    Its person is signed off if they have no open session left, unless the session they used last ended as idle.
    """

    session: int
    reason: EndReason


class SignOffEnded(Command, frozen=True, kw_only=True):
    """Sign off agents without an open session, except those whose last used session ended as idle.

    It is needed because a command line that ends sessions writes no journal, so it signs nobody off. Answers how many
    desks were left.
    """


# The most sessions in one command of the keeper: people's commands wait behind it.
SESSIONS_AT_ONCE = 64


class NoteSessions(Command, frozen=True, kw_only=True):
    """Pairs of session id and time: when it was last used, and when its person's roles were last checked."""

    seen: tuple[tuple[int, int], ...] = ()
    checked: tuple[tuple[int, int], ...] = ()


class ChangeSession(Command, frozen=True, kw_only=True):
    """Store the name and roles that a check at `checked_ms` gave for a session's person.

    Answers 0 if the session has ended meanwhile. `calls`: whether these roles may still call visitors; if not, the
    person is signed off.
    """

    session: int
    name: str
    roles: tuple[str, ...]
    checked_ms: int
    calls: bool = True


class ForgetSessions(Command, frozen=True, kw_only=True):
    """Delete at most `limit` sessions that ended before this moment: later, nobody needs to know who was here when."""

    before_ms: int
    limit: int = 200
