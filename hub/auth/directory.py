"""The interface between login and a directory of any kind. All calls block and may come from any thread.

Only an answer of the directory can take a right away. If the directory does not show a group that the site file names
(it was renamed, say), that is no answer about the group's members:

- Somebody logged in with a role by that group keeps the role until the session ends or the group is shown again.
- Somebody who logs in now gets the roles of the other groups. If these give none, the login is refused as if the
  directory were away, since it did not say that the person has no role.
"""

from typing import Protocol

from hub.auth.people import LoginRefused, Person, Reason
from hub.auth.roles import Role


class DirectoryAway(Exception):
    """The directory gave no answer that can be trusted; the message says which server and why. No right is lost."""


class Directory(Protocol):
    """`account` may be in any spelling; the returned person's is normalized by `one_spelling`."""

    @property
    def can_look_up(self) -> bool:
        """Whether `look_up` may be called: it needs a service account."""
        ...

    def log_in(self, account: str, password: str, /) -> Person:
        """Raises LoginRefused: WRONG, NO_ROLE (right password, but the person has no role) or AWAY."""
        ...

    def look_up(self, account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:
        """The person as the directory has them now; None if it says that the account may no longer log in.

        `held`: the person's roles so far. They keep those about which the directory gives no answer.
        Raises DirectoryAway.
        """
        ...

    def close(self) -> None:
        """Close the kept connections. Must not be called while another method runs."""
        ...


class NoDirectory:
    """For a site without a directory: it knows nobody."""

    can_look_up = False

    def log_in(self, _account: str, _password: str, /) -> Person:
        raise LoginRefused(Reason.WRONG)

    def look_up(self, _account: str, /, held: frozenset[Role] = frozenset()) -> Person | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        """Do nothing: no connection is open."""
