"""What login asks of a directory, whatever stands behind it. All calls block and may come from any thread.

Only an answer takes a right. A group that the site file names and the directory does not show, renamed say, is no
answer about its members: who is logged in with a role by it keeps that role until the session's limits, or until the
group is there again. Who logs in meanwhile has the roles of the other groups; whoever would have none by those is
refused as where the directory is away, since nobody said that they have no role.
"""

from typing import Protocol

from hub.auth.people import LoginRefused, Person, Reason
from hub.auth.roles import Role


class DirectoryAway(Exception):
    """No answer that could be trusted: the sentence says of which server, and why. It takes no right away."""


class Directory(Protocol):
    """An account may come in any spelling; the person's is the one spelling."""

    @property
    def can_look_up(self) -> bool:
        """Whether `look_up` may be called: it takes an account of the hub's own to look with."""
        ...

    def log_in(self, account: str, password: str, /) -> Person:
        """Raises LoginRefused: WRONG, NO_ROLE for the right password of somebody without one, or AWAY."""
        ...

    def look_up(self, account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:
        """Who that is by now; None where the directory says that nobody of that name may come in any more.

        `held`: the roles they came in with; of those the person has what the directory gives no answer about.
        Raises DirectoryAway.
        """
        ...

    def close(self) -> None:
        """Ends what is kept open. Not to be called while one of the others runs."""
        ...


class NoDirectory:
    """Of a site that names none: it knows nobody."""

    can_look_up = False

    def log_in(self, _account: str, _password: str, /) -> Person:
        raise LoginRefused(Reason.WRONG)

    def look_up(self, _account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        """Nothing is open."""
