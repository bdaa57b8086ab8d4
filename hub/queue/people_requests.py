"""The commands of who is logged in, as data; `hub.queue.commands.sessions` does them."""

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
    ENDED = "ended"  # by a command line, with its local account, or for a newer one of too many


class EndSession(Command, frozen=True, kw_only=True):
    """Answers 1, or 0 where it had ended already.

    Any end but of an idle one signs its person off, once they have no other session, and used none after it.
    """

    session: int
    reason: EndReason


class SignOffEnded(Command, frozen=True, kw_only=True):
    """Signs off who has no session left and was not only idle since they last used one, while they are at a desk still.

    A command line writes no journal, so it signs nobody off. Answers how many desks were left.
    """


# Of so many a keeper may tell in one command: people's commands wait behind it.
SESSIONS_AT_ONCE = 64


class NoteSessions(Command, frozen=True, kw_only=True):
    """By session: when it was last seen, and when it was last checked that its person still has their roles."""

    seen: tuple[tuple[int, int], ...] = ()
    checked: tuple[tuple[int, int], ...] = ()


class ChangeSession(Command, frozen=True, kw_only=True):
    """What was answered for a session's person, at `checked_ms`. Answers 0 where it has ended meanwhile.

    `calls`: whether these roles may still call visitors; else the person leaves the desk.
    """

    session: int
    name: str
    roles: tuple[str, ...]
    checked_ms: int
    calls: bool = True


class ForgetSessions(Command, frozen=True, kw_only=True):
    """Deletes at most `limit` sessions that ended before this moment: who was here when is nobody's business later."""

    before_ms: int
    limit: int = 200
