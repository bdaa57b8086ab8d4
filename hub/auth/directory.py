"""What login asks of a directory, whatever stands behind it. All calls block and may come from any thread."""

from typing import Protocol

from hub.auth.people import LoginRefused, Person, Reason


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

    def look_up(self, account: str, /) -> Person | None:
        """Who that is by now; None where the directory says that nobody of that name may come in any more.

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

    def look_up(self, _account: str, /) -> Person | None:
        return None

    def close(self) -> None:
        """Nothing is open."""
